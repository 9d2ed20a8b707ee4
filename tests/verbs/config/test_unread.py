"""Keys of a user's own YAML files: what nothing reads is refused, and what something reads is kept."""

import pytest
from omegaconf import OmegaConf

from babelscope.verbs.config import building
from babelscope.verbs.config.conf import conf_folder
from babelscope.verbs.config.groups import groups_of, keys_of
from tests.test_conf import CHOICES, ROOTS
from tests.verbs.command import babelscope, refused, says

pytestmark = pytest.mark.usefixtures("somewhere")

COMPUTING = ("evaluate", "neurons", "pretrain", "probe", "tokens", "train")
NOWHERE = "model.checkpoint=./nowhere"
"""What ends soon if it is not refused."""
ALONE = ("model=lab_bloom", "seed=0")
"""What an experiment that sweeps is given to run a single job."""
HEADER = "# @package _global_\n"


@pytest.fixture
def own(tmp_path):
    """Write files of one's own, and give back what adds them."""

    def write(text: str, file: str = "experiment/mine", encoding: str = "utf-8") -> tuple[str, str]:
        path = tmp_path / "own" / f"{file}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding)
        return "--config-dir", str(tmp_path / "own")

    return write


@pytest.fixture
def kept(monkeypatch):
    """Run a command as far as its configuration is found to be good."""

    def stop(cfg):
        composed.append(cfg)
        raise ValueError("Expected nothing more.")

    composed = []
    monkeypatch.setattr(building, "check_texts", stop)  # what comes after, with the values that it was given

    def run(*arguments: object):
        ended = babelscope(*arguments)
        assert (ended.code, ended.err) == (2, "babelscope: Expected nothing more.\n"), ended.err
        return composed[-1]

    return run


# what is refused


@pytest.mark.parametrize(
    ("verb", "text", "words"),
    [
        ("train", "warmpu: 0.5", ("this verb", "`warmpu`", "nearest: warmup", "+warmpu=VALUE")),
        ("train", "learning_rate: 0.1", ("this verb", "`learning_rate`", "nearest: model.learning_rate;")),
        ("train", "batch_size: 4", ("this verb", "`batch_size`", "nearest: task.batch_size;")),
        ("probe", "sentencez: 12", ("this verb", "`sentencez`", "nearest: sentences")),
        ("probe", "model: {revison: step=100}", ("`model`", "`model.revison`", "nearest: revision")),
        ("neurons", "trainer: {max_epochs: 3}", ("this verb", "`trainer`")),
        ("train", "task: {exmaples: 5}", ("`task`", "`task.exmaples`", "nearest: examples")),
        ("pretrain", "languages: {code: [eng_Latn]}", ("`languages`", "`languages.code`", "nearest: codes")),
        ("evaluate", "taks: {eng_Latn: copa}", ("this verb", "`taks`", "nearest: tasks")),
        ("tokens", "modles: [a/b]", ("this verb", "`modles`", "nearest: models")),
        ("train", "rate: ${model.learning_rate}", ("this verb", "`rate`")),
        ("train", "rate: {base: 0.1, twice: '${.base}'}", ("this verb", "`rate`")),
    ],
)
def test_a_key_that_nothing_reads(own, verb, text, words):
    says(refused(verb, *own(f"{HEADER}{text}\n"), "experiment=mine", NOWHERE), *words, "YAML file")


@pytest.mark.parametrize(
    ("text", "encoding"), [("seed: 7\n", "utf-8"), (f"{HEADER}seed: 7\n", "utf-8-sig"), (f"seed: 7\n{HEADER}", "utf-8")]
)
@pytest.mark.parametrize("group", ["experiment", "setting"])
def test_a_file_whose_first_line_is_lost(own, group, text, encoding):
    line = refused("train", *own(text, f"{group}/mine", encoding), f"{group}=mine", NOWHERE)
    says(line, f"{group}=mine", "`# @package _global_` as its first line", f"below `{group}`", "byte-order mark")


def test_a_model_of_ones_own(own, tmp_path):
    where = own("defaults: [default, _self_]\ncheckpoint: a/b\nrevison: step=1\n", "model/mine")
    words = ("`model`", "`model.revison`", "nearest: revision")
    says(refused("probe", *where, "model=mine"), *words)
    says(refused("tokens", *where, "models=[mine,lab_xlmr]"), *words)
    says(refused("probe", *where, "metrics=drift", "start=mine"), *words)


# what is kept


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("train", "rate: 1e-4\nmodel: {learning_rate: '${rate}'}"),
        ("train", "model: {rate: 1e-4, learning_rate: '${.rate}'}"),
        ("train", "task: {rate: 1e-4}\noptimizer: {lr: '${task.rate}'}"),
        ("train", "rates: {topic: 1e-4}\nmodel: {learning_rate: '${rates[${task.name}]}'}"),
        ("train", "rate: 1e-4\nmodel: {learning_rate: '${oc.select:rate,1e-5}'}"),
        ("train", "study: mine\nhydra: {sweep: {dir: 'sweeps/${study}'}}"),
        ("train", "codes: [eng_Latn]\nlanguages: {codes: ['${codes[0]}', rus_Cyrl]}"),
        ("train", "task: {languages: [eng_Latn], examples: 5}"),
        ("train", "callbacks: {own: {_target_: mine.Own, width: 3}}\nmetrics: {own: {_target_: mine.own}}"),
        ("train", "optimizer: {_target_: torch.optim.SGD, momentum: 0.9}\ntrainer: {fast_dev_run: true}"),
        ("evaluate", "tasks: {eng_Latn: copa}\nlanguages: {codes: [eng_Latn]}"),
        ("tokens", "published: {mine: {script_probe: 0.9}}\ndictionary: {files: {eng-deu: file}}"),
        ("probe", "defaults: [evolution, _self_]\nsentences: 7\nseed: 0"),
        ("probe", "hydra: {sweeper: {params: {seed: '0,1'}}}"),
    ],
)
def test_a_key_that_something_reads(own, kept, verb, text):
    kept(verb, *own(f"{HEADER}{text}\n"), "experiment=mine", *ALONE)


def test_what_the_command_adds(own, kept):
    assert kept("train", "+note=first", "++task.note=second", "+model={note: third}").model.note == "third"
    assert kept("evaluate", "+tasks.eng_Latn=copa").tasks.eng_Latn == "copa"
    assert (
        kept("train", "+rates.slow=1e-5", *own(f"{HEADER}rates: {{fast: 1e-4}}\n"), "experiment=mine").rates.slow
        == 1e-5
    )
    assert kept("train", *own("slow: 1e-5\n", "rates/mine"), "+rates=mine").rates.slow == 1e-5
    assert kept("train", *own("slow: 1e-5\n", "rates/mine"), "+rates@model.rates=mine").model.rates.slow == 1e-5


def test_choices_of_ones_own(own, kept):
    own("_target_: mine.corpus\n_partial_: true\nanything: 5\n", "corpus/mine")
    own("wall: {_target_: mine.Wall, _partial_: true}\n", "callbacks/wall")
    own("name: mine\ncorpus: ${corpus}\nlanguage: eng_Latn\ntrain: train\n", "task/mine")
    own(f"{HEADER}defaults:\n  - override /freeze: early\nfreeze: {{share: 0.1}}\n", "setting/mine")
    where = own("checkpoint: a/b\nfamily: {model_type: own, stack: ''}\nname: b\nlearning_rate: 1e-5\n", "model/mine")
    given = ("corpus=mine", "callbacks=[layer_scores,wall]", "task=mine", "setting=mine", "model=mine")
    assert kept("train", *where, *given).corpus.anything == 5
    text = f"{HEADER}benchmark: mine\nfolders: []\nfiles: null\ntasks: {{eng_Latn: copa}}\n"
    assert kept("evaluate", *own(text, "harness/mine"), "harness=mine").benchmark == "mine"


@pytest.mark.parametrize("verb", COMPUTING)
def test_what_every_verb_has(kept, verb):
    kept(verb)


@pytest.mark.parametrize("verb", COMPUTING)
def test_every_shipped_experiment(verb, monkeypatch):
    monkeypatch.setattr(building, "check_texts", lambda cfg: int("nothing more"))
    for name in (name for group, name in CHOICES if group == "experiment"):
        line = refused(verb, f"experiment={name}", *ALONE)
        assert "nothing more" in line or "choice that is for this verb" in line


@pytest.mark.parametrize(("group", "name"), [(g, n) for g, n in CHOICES if g in ("setting", "harness", "task")])
def test_shipped_choices(kept, group, name):
    kept("evaluate" if group == "harness" else "train", f"{group}={name}")


@pytest.mark.parametrize(
    "file", sorted(conf_folder().rglob("*.yaml")), ids=lambda file: f"{file.parent.name}/{file.stem}"
)
def test_keys_are_read_as_yaml_has_them(file):
    assert keys_of(file) == {str(key) for key in OmegaConf.load(file)} - {"defaults", "hydra"}


@pytest.mark.parametrize("verb", ROOTS)
def test_groups_without_a_signature(verb):
    groups = [group for group in groups_of(verb) if group.keys and not group.is_list and not group.has_target]
    assert {group.name for group in groups} <= {"model", "task", "languages", "dashboard"}
