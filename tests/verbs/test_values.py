"""Values that Python or a library would take for something else: refused with one line, or taken as what is meant."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from babelscope.verbs.config import building
from babelscope.verbs.config.conf import conf_folder
from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE, babelscope, refused, says, written

pytestmark = pytest.mark.usefixtures("somewhere")

VERBS = ("probe", "train", "tokens", "neurons", "evaluate", "pretrain")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny", "llama")


@pytest.fixture
def small(checkpoint):
    """A probe that ends within a second."""
    return (f"model.checkpoint={checkpoint}", f"languages.codes={FIVE}", "sentences=6", "metrics=[mexa]")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))


# whose code may run


@pytest.mark.parametrize("verb", VERBS)
def test_code_of_a_checkpoint_runs_only_by_true(verb, checkpoint):
    line = refused(verb, f"model.checkpoint={checkpoint}", "model.trust_remote_code=flase")
    says(line, "`model.trust_remote_code`", "true or false", "'flase'")


@pytest.mark.parametrize("value", ["maybe", "5", "null", "yes"])
def test_what_is_neither_true_nor_false(small, value):
    says(refused("probe", *small, f"model.trust_remote_code={value}"), "`model.trust_remote_code`", "true or false")


def test_code_of_one_of_several_models(tmp_path, checkpoint):
    own = tmp_path / "conf" / "model" / "mine.yaml"
    own.parent.mkdir(parents=True)
    OmegaConf.save({"checkpoint": str(checkpoint), "trust_remote_code": "flase"}, own)
    line = refused("tokens", "--config-dir", tmp_path / "conf", f"models=[mine,{checkpoint}]")
    says(line, "`models.mine.trust_remote_code`", "true or false", "'flase'")


# languages


@pytest.mark.parametrize("verb", ["probe", "neurons", "pretrain", "train"])
@pytest.mark.parametrize("codes", ["null", "[1,2]", "eng_Latn", "5", "[]"])
def test_languages_are_a_list_of_codes(verb, codes):
    says(refused(verb, f"languages.codes={codes}"), "`languages.codes`", "a list of FLORES codes", "=[eng_Latn,")


def test_a_language_without_brackets_stays_whole(small):
    says(refused("probe", *small, "languages.codes=eng_Latn"), "'eng_Latn'", "a list")


@pytest.mark.parametrize("verb", ["probe", "train"])
def test_a_pivot_is_one_of_the_languages(verb, small):
    line = refused(verb, *small, "metrics=[ilo,mexa]", "pivot=jpn_Jpan")
    says(line, "`pivot` of mexa", "one of the languages", "'jpn_Jpan'", "pivot=eng_Latn")


def test_a_pivot_of_ones_own_is_what_it_likes():
    own = partial(lambda sample, pivot: {}, pivot=0)
    cfg = OmegaConf.create({"metrics": {"mine": {}}, "languages": {"codes": ["eng_Latn"]}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "build", lambda key, node: own)
        assert building.build_metrics(cfg) == {"mine": own}


def test_languages_of_a_benchmark():
    pytest.importorskip("lm_eval")
    says(refused("evaluate", "languages.codes=eng_Latn"), "`languages.codes`", "'eng_Latn'", "a list")


# text


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("store=5", ("`store`", "text", "5", "'store=\"...\"'")),
        ("store=null", ("`store`", "text", "null", "leave it out")),
        ("cache=5", ("`cache`", "text", "5")),
        ("cache=null", ("`cache`", "text", "null", "leave it out")),
        ("start=5", ("`start`", "text", "5")),
        ("corpus=sib200 corpus.folder=5", ("`corpus.folder`", "text", "5")),
        ("corpus=lines corpus.folder=true", ("`corpus.folder`", "text", "True")),
        ("model.checkpoint=5", ("`model.checkpoint`", "text", "5")),
        ("model.tokenizer=5", ("`model.tokenizer`", "text", "5")),
        ("model.name=5", ("`model.name`", "text", "5")),
        ("model.revision={a: 5}", ("`model.revision`", "text", "leave it out")),
        ("model.family=bert", ("`model.family`", "row of model_type", "'bert'", "leave it out")),
        ("model.family=5", ("`model.family`", "row of model_type", "5", "leave it out")),
        ("output=null", ("`output`", "null", "leave it out")),
        ("device=meta", ("`device`", "'meta'", "device=cpu")),
    ],
)
def test_text(small, override, words):
    choice, _, rest = override.partition(" corpus.")
    says(refused("probe", *small, choice, *([f"corpus.{rest}"] if rest else [])), *words)


@pytest.mark.parametrize("models", ["5", "xlmr_base", "[]"])
def test_models_are_a_list(models):
    says(refused("tokens", f"models={models}"), "`models`", "a list of models", "models=[A,B]")


def test_folder_of_pretrain_is_text():
    says(refused("pretrain", "folder=5"), "`folder`", "text", "5")


# numbers


@pytest.mark.parametrize("seed", ["99999999999999999999", "4294967296", "-1"])
def test_seed_has_bounds(seed):
    says(refused("probe", f"seed={seed}"), "`seed`", "whole number from 0", seed, "seed=0")


def test_the_largest_seed(small):
    assert babelscope("probe", *small, "seed=4294967295").code == 0


# groups


@pytest.mark.parametrize(
    ("verb", "group", "remedy"),
    [("train", "logger", "logger=none"), ("train", "callbacks", "callbacks=none"), ("neurons", "task", "leave it out")],
)
def test_a_group_has_no_null(verb, group, remedy):
    says(refused(verb, f"{group}=null"), f"`{group}`", "null", remedy)


def test_a_group_has_no_number():
    says(refused("probe", "neighbours=5"), "`neighbours`", "faiss, torch", "5", "choose one")


def test_groups_that_can_be_none_say_so():
    assert all((conf_folder() / group / "none.yaml").is_file() for group in ("logger", "callbacks"))


# places


def test_a_cache_that_cannot_be(small):
    says(refused("probe", *small, "cache=/proc/c"), "/proc/c", "cache=FOLDER")


def test_folders_with_a_number_for_a_name(small, checkpoint, somewhere):
    shutil.copytree(checkpoint, somewhere / "steps" / "5")
    shutil.copytree(checkpoint, somewhere / "steps" / "12e4")
    for revision in ("5", "12e4"):
        ended = babelscope(
            "probe", *small, "model.checkpoint=steps", f"model.revision={revision}", f"output=1{revision}"
        )
        assert (ended.code, ended.err) == (0, "")
        assert OmegaConf.load(f"1{revision}/run.yaml").model.revision == revision


def test_a_corpus_with_a_number_for_a_name(small, somewhere):
    (somewhere / "5").mkdir()
    for code in ("eng_Latn", "deu_Latn"):
        (somewhere / "5" / f"{code}.txt").write_text("".join(f"{code} sentence {i}.\n" for i in range(9)))
    given = ("corpus=lines", 'corpus.folder="5"', "languages.codes=[eng_Latn,deu_Latn]", "output=6")
    assert babelscope("probe", *small, *given).code == 0


def test_the_home_folder_needs_no_quotes(small, tmp_path):
    assert babelscope("probe", *small, "output=~/x", "cache=~/c").code == 0
    assert (tmp_path / "x" / "report.html").is_file()
    assert (tmp_path / "c" / "states").is_dir()
    assert written(Path()) == []
