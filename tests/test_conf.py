"""Every YAML in conf/ composes with its root, resolves and instantiates."""

import inspect
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from babelscope.cli import VERBS, conf_folder
from babelscope.data import xnli
from babelscope.data.lab import LANGUAGES, lab
from babelscope.models.load import load
from babelscope.models.policies import FreezePolicy
from babelscope.states import prepare
from babelscope.training.pretraining.recipe import Recipe
from babelscope.verbs.config.conf import register_resolvers
from babelscope.verbs.config.signature import check_arguments
from babelscope.verbs.mirror.csv_rows import CsvMirror
from babelscope.verbs.mirror.logger import Mirror
from tests.models.tiny import save_checkpoint, tiny_tokenizer

CONF = conf_folder()
ROOTS = sorted(file.stem for file in CONF.glob("*.yaml") if file.stem != "base")
GROUPS = {
    folder.relative_to(CONF).as_posix(): sorted(file.stem for file in folder.glob("*.yaml"))
    for folder in sorted(CONF.rglob("*"))
    if folder.is_dir() and any(folder.glob("*.yaml"))
}
LISTS = ("metrics", "callbacks", "logger")
ROOT_OF = {"trainer": {"pretraining": "pretrain"}, "corpus": {"lab_text": "pretrain"}}
ROOT_OF["harness"] = dict.fromkeys(GROUPS["harness"], "evaluate")
ROOT_OF["dashboard"] = dict.fromkeys(GROUPS["dashboard"], "sync")
COMPOSED: dict[tuple[str, str], Any] = {}
CHOICES = [(group, choice) for group, choices in GROUPS.items() for choice in choices]


def names(*groups: str) -> Any:
    return pytest.mark.parametrize(("group", "name"), [(g, c) for g, c in CHOICES if g in groups])


@pytest.fixture
def composed(tmp_path, monkeypatch):
    """Compose as the command does, with what only a running Hydra knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BABELSCOPE_CACHE", str(tmp_path / "cache"))
    register_resolvers(set())
    GlobalHydra.instance().clear()

    def make(root: str, *overrides: str) -> DictConfig:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose(root, overrides=list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        whole: Any = OmegaConf.to_container(cfg, resolve=False)
        return OmegaConf.create({key: value for key, value in whole.items() if key != "hydra"})

    yield make
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


def compose_choice(composed: Any, group: str, name: str) -> DictConfig:
    if (group, name) in COMPOSED:
        HydraConfig.instance().cfg, cfg = COMPOSED[group, name]
        return cfg
    root = ROOT_OF.get(group, {}).get(name, "train")
    choice = f"{group}=[{name}]" if group in LISTS and name != "none" else f"{group}={name}"
    given = ["model.checkpoint=somewhere"] if (group, name) == ("model", "default") else []
    given += {"lines": ["corpus.folder=somewhere"], "table": ["corpus.file=some.csv"]}.get(name, [])
    given += ["task.corpus.file=some.csv"] if group == "task" and name in {"classification", "tagging"} else []
    cfg = composed(root, choice, *given)
    COMPOSED[group, name] = HydraConfig.instance().cfg, cfg
    return cfg


def test_every_verb_has_a_root():
    assert set(ROOTS) == set(VERBS)


def test_the_listing_is_not_empty():
    assert {"model", "adapter", "freeze", "task", "corpus", "languages", "metrics", "trainer"} <= set(GROUPS)


@pytest.mark.parametrize("root", ROOTS)
def test_roots_compose_and_resolve(composed, root):
    cfg = composed(root)
    assert OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert cfg.output


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_composes_and_resolves(composed, group, name):
    cfg = compose_choice(composed, group, name)
    assert OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("file", sorted(CONF.rglob("*.yaml")), ids=lambda file: str(file.relative_to(CONF)))
def test_every_file_says_what_it_is(file):
    # a model's name and a logger's are words enough
    if file.parent.name not in ("model", "logger", "trainer"):
        assert file.read_text(encoding="utf-8").startswith("#")


@names("model")
def test_models(composed, group, name):
    cfg = compose_choice(composed, group, name)
    assert cfg.model.name
    assert cfg.model.dtype in inspect.get_annotations(load)["dtype"].__args__
    assert set(cfg.model) <= {*inspect.signature(load).parameters, "name", "learning_rate", "recipe"}
    assert isinstance(cfg.model.learning_rate, float)
    if name.startswith("lab_"):
        recipe = instantiate(cfg.model.recipe)
        assert isinstance(recipe, Recipe)
        assert recipe.fingerprint(lab(["eng_Latn"], "dev"), {}, 0)
        check_arguments("tokenizer", recipe.tokenizer)
    else:
        assert cfg.model.recipe is None
        assert cfg.model.checkpoint


@names("adapter", "freeze", "pool", "neighbours", "corpus")
def test_what_is_called_later(composed, group, name):
    made = instantiate(compose_choice(composed, group, name)[group], _convert_="all")
    check_arguments(group, made)
    if isinstance(made, partial) and group == "freeze":
        made = made(12)
    if group == "freeze":
        assert isinstance(made, FreezePolicy)
    elif name != "none":
        assert callable(made)
    else:
        assert made is None


def test_lines_has_a_key_for_each_option_of_its_loader(composed):
    folder = "corpus.folder=somewhere"
    made = instantiate(composed("probe", "corpus=lines", folder).corpus, _convert_="all")
    options = {name: option.default for name, option in inspect.signature(made.func).parameters.items()}
    assert made.keywords["codes"] is options["codes"] is None
    assert made.keywords["labels"] is options["labels"] is None
    given = composed("probe", "corpus=lines", folder, "corpus.codes={zho_Hant:zh-TW}", "corpus.labels=topics").corpus
    assert (given.codes, given.labels) == ({"zho_Hant": "zh-TW"}, "topics")


def test_table_has_a_key_for_each_option_of_its_loader(composed):
    made = instantiate(composed("probe", "corpus=table", "corpus.file=some.csv").corpus, _convert_="all")
    options = {name: option.default for name, option in inspect.signature(made.func).parameters.items()}
    for name in set(options) - {"languages", "split", "file", "name"}:
        assert made.keywords[name] == options[name]


@names("metrics")
def test_metrics(composed, group, name):
    for key, node in compose_choice(composed, group, name).metrics.items():
        metric = instantiate(node, _convert_="all")
        check_arguments(key, metric)
        sample, *options = inspect.signature(metric.func).parameters
        assert sample == "sample"
        assert set(options) <= set(node)  # an override without a plus reaches every one


@names("languages")
def test_languages(composed, group, name):
    codes = list(compose_choice(composed, group, name).languages.codes)
    assert len(set(codes)) == len(codes)
    assert all(len(code) == 8 and code[3] == "_" for code in codes)
    if name == "lab":
        assert codes == list(LANGUAGES)  # else `pretrain` and a missing checkpoint would be made from different text


@names("task")
def test_tasks(composed, group, name):
    cfg = compose_choice(composed, group, name)
    read = instantiate(cfg.task.corpus)
    assert cfg.task.name == name
    if name in {"nli", "classification", "tagging"}:  # their text comes from outside
        assert inspect.signature(read).bind(["eng_Latn"], split=cfg.task.validation)
        assert set(cfg.task.get("languages") or ()) <= set(xnli.LANGUAGES)
        return
    assert len(read(["eng_Latn"], split=cfg.task.validation))


@names("callbacks")
def test_callbacks(composed, group, name, tmp_path):
    given: dict[str, Any] = {
        "corpus": lab(LANGUAGES, "dev").subset(4),
        "tokenizer": tiny_tokenizer(),
        "metrics": {},
        "folder": tmp_path,
    }
    for key, made in (instantiate(compose_choice(composed, group, name).callbacks) or {}).items():
        check_arguments(key, made)
        if isinstance(made, partial):
            asked = inspect.signature(made.func).parameters
            whole = made(**{name: value for name, value in given.items() if name in asked})
        else:
            whole = made
        assert isinstance(whole, pl.Callback)


@names("trainer")
def test_trainers(composed, group, name, tmp_path):
    node = compose_choice(composed, group, name).trainer
    if name in ("gpu", "ddp"):
        known = inspect.signature(pl.Trainer).parameters
        assert {str(key) for key in node} - {"_target_"} <= set(known)
    else:
        trainer = instantiate(node, accelerator="cpu", logger=False, default_root_dir=str(tmp_path))
        assert isinstance(trainer, pl.Trainer)


@names("harness")
def test_harnesses(composed, group, name):
    cfg = compose_choice(composed, group, name)
    assert cfg.benchmark == name
    assert all(len(code) == 8 and code[3] == "_" for code in cfg.tasks)
    assert bool(cfg.tasks) == (name != "own")


@names("logger")
def test_loggers(composed, group, name, monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = instantiate(compose_choice(composed, group, name).logger) or {}
    assert all(isinstance(logger, Logger) for logger in made.values())
    kinds = {"csv": CsvMirror, "wandb": Mirror}
    assert [type(logger) for logger in made.values()] == ([kinds[name]] if name in kinds else [])


def test_wandb_is_offline_unless_an_account_is_configured(composed, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert composed("train").logger.wandb.offline is True
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert composed("train").logger.wandb.offline is False


def test_optimizer_and_schedule(composed):
    cfg = composed("train")
    assert callable(instantiate(cfg.optimizer))
    assert callable(instantiate(cfg.schedule))


def test_the_run_folder_follows_the_configuration(composed, monkeypatch):
    def output(*overrides: str) -> str:
        return composed("train", *overrides).output

    assert output() == output()
    assert output("cache=elsewhere", "logger=csv") == output()
    assert len({output(), output("seed=1"), output("trainer.max_epochs=9"), output("metrics.ilo.k=7")}) == 4
    monkeypatch.setenv("SIB200", "/one")
    first = output("corpus=sib200")
    monkeypatch.setenv("SIB200", "/two")
    assert first != output("corpus=sib200")


def test_a_composed_probe_reads_a_model(composed, tmp_path):
    cfg = composed("probe", f"model.checkpoint={save_checkpoint(tmp_path / 'tiny', 'bloom')}")
    assert cfg.model.name == "tiny"
    loaded = load(cfg.model.checkpoint, dtype=cfg.model.dtype)
    corpus = instantiate(cfg.corpus)(["eng_Latn"])
    assert prepare(corpus.subset(2), loaded.tokenizer, max_tokens=cfg.max_tokens).batches


@pytest.mark.parametrize("name", ["lab_xlmr", "lab_bloom_small", "lab_mt5", "lab_llama"])
def test_a_labs_learning_rate_is_not_for_another_checkpoint(composed, name):
    def rates(*given: str) -> tuple[float, float]:
        cfg = composed("train", f"model={name}", *given)
        return cfg.model.learning_rate, cfg.optimizer.lr

    assert rates() == (1e-3, 1e-3)
    assert rates("model.checkpoint=somewhere") == (2e-5, 2e-5)
    assert rates("model.checkpoint=somewhere", "model.learning_rate=3e-4") == (3e-4, 3e-4)
