"""Runs that were not trained and measured alike are not averaged, however their settings are called."""

from dataclasses import replace
from itertools import product

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict
from tests.report.study_runs import make_run, make_study
from tests.report.sweep.sweep_runs import make_sweep

from babelscope.report.conditions import conditions_of
from babelscope.report.study.page import render_study
from babelscope.report.study.replicates import cell_of, is_study, replicate_of
from babelscope.report.study.studies import studies_of
from babelscope.report.study.variants import name_variants
from babelscope.report.sweep.means import means_over_seeds
from babelscope.report.sweep.runs import sweep_run_of
from babelscope.verbs.config.conf import conf_folder, register_resolvers
from babelscope.verbs.terminal.console import console, print_study

SOURCES = ("eng_Latn", "hin_Deva")


def names_of(runs):
    return name_variants([cell_of(run) for run in runs], [conditions_of(run) for run in runs])


def changed(run, **config):
    """The same run with other groups of its configuration."""
    return replace(run, config={**run.config, **config}, folder=run.folder.with_name(f"{run.folder.name}-{config}"))


def in_pools(setting="none", seeds=(0, 1)):
    pools = [{"_target_": f"babelscope.states.pool.{name}", "_partial_": True} for name in ("mean", "published")]
    return [changed(make_run(setting, seed), pool=pool) for pool in pools for seed in seeds]


@pytest.mark.parametrize(
    ("one", "other", "label"),
    [
        ({"pool": {"_target_": "a.mean"}}, {"pool": {"_target_": "a.last"}}, "pool=mean"),
        ({"sentences": 40}, {}, "sentences=40"),
        ({"metrics": {"ilo": {"k": 5}}}, {"metrics": {"ilo": {"k": 9}}}, "metrics.ilo.k=5"),
        ({"corpus": {"_target_": "a.lab", "split": "dev"}}, {"corpus": {"_target_": "a.sib200"}}, "corpus=lab"),
        ({"languages": {"codes": ["a"]}}, {"languages": {"codes": ["b"]}}, 'languages.codes=["a"]'),
        # what follows from it is not said beside it
        ({"optimizer": {"lr": 1.0}, "lr": 1.0}, {"optimizer": {"lr": 2.0}, "lr": 2.0}, "lr=1.0"),
        ({"task": {"name": "topic", "batch_size": 8}}, {"task": {"name": "topic"}}, "task.batch_size=8"),
    ],
)
def test_what_differs_between_runs_of_a_setting_makes_a_study_of_its_own(one, other, label):
    runs = [changed(make_run("none", seed), **config) for config in (one, other) for seed in (0, 1)]
    names = names_of(runs)
    assert [name.setting for name in names] == ["none"] * 4
    assert names[0].variant == names[1].variant == label
    assert names[2].variant == names[3].variant != label
    assert [len(study.runs) for study in studies_of([replicate_of(run) for run in runs])] == [2, 2]
    assert not is_study(runs[::3])  # two seeds, and two ways


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"output": "a", "cache": "a", "threads": 1, "logger": {"csv": {}}, "page": True}, {"output": "b"}),
        ({"neighbours": {"_target_": "a.torch"}}, {"neighbours": {"_target_": "a.faiss"}}),
        (
            {"metrics": {"ilo": {"k": 5, "search": 1, "seed": 0}}},
            {"metrics": {"ilo": {"k": 5, "search": 2, "seed": 1}}},
        ),
        ({"metrics": {"ilo": {"k": 5}}}, {"metrics": {"ilo": {"k": 5}, "mexa": {"pivot": "a"}}}),
        ({"callbacks": {"checkpoint": {"every_n_minutes": 5}}}, {"callbacks": {"task_scores": {"_target_": "a"}}}),
        ({"trainer": {"max_epochs": 5, "log_every_n_steps": 1}}, {"trainer": {"max_epochs": 5}}),
    ],
)
def test_what_no_number_depends_on_parts_no_replicates(one, other):
    runs = [changed(make_run("none", 0), **one), changed(make_run("none", 1), **other)]
    assert set(names_of(runs)) == {("none", "")}
    assert is_study(runs)


def test_what_makes_a_setting_makes_another_one_beside_the_same_none():
    lora = [changed(make_run("lora", seed), adapter={"_target_": "a.lora", "r": r}) for r in (8, 16) for seed in (0, 1)]
    (study,) = studies_of([replicate_of(run) for run in [*make_study(("none",), (0, 1)), *lora]])
    assert study.settings == ["none", "lora, adapter.r=16", "lora, adapter.r=8"]
    stopped = changed(make_run("none", 2), callbacks={"early_stopping": {"_target_": "a.EarlyStopping", "patience": 2}})
    (study,) = studies_of([replicate_of(run) for run in [*make_study(("none",), (0, 1)), stopped]])
    assert study.settings == ["none, callbacks.early_stopping=EarlyStopping", "none, callbacks.early_stopping=null"]


def test_values_that_look_alike_are_told_apart():
    codes = [[f"language_{place}" for place in range(24)], [f"language_{place}" for place in range(23)]]
    runs = [changed(make_run("none", seed), languages={"codes": code}) for seed, code in enumerate(codes)]
    variants = {name.variant for name in names_of(runs)}
    assert len(variants) == 2
    assert all(len(variant) < 60 for variant in variants)


def test_pools_are_told_apart_in_the_terminal_and_on_the_page():
    runs = [*in_pools("none"), *in_pools("early")]
    with console.capture() as heard:
        print_study([replicate_of(run) for run in runs])
    lines = [line.split()[:3] for line in heard.get().splitlines() if "pool=" in line]
    assert lines == [
        [setting, f"pool={pool}", "2"] for pool in ("mean", "published") for setting in ("none,", "early,")
    ]
    html = render_study([replicate_of(run) for run in runs])
    assert "Each a study of its own" in html
    for said in ("topic, pool=mean", "topic, pool=published", "settings-topic, pool=published.csv"):
        assert said in html
    assert "count as one" not in html
    assert "Each a study of its own" not in render_study([replicate_of(run) for run in make_study(("none",), (0, 1))])


def test_the_means_of_a_sweep_are_over_runs_that_were_made_alike():
    runs = [*make_sweep(("lab_xlmr",), ("none",), (0, 1)), make_sweep(("lab_mt5",), ("none",), (0,))[0]]
    assert means_over_seeds([sweep_run_of(run) for run in runs])["setting"].unique() == ["none"]
    other = [changed(run, sentences=7) for run in runs[:2]]
    means = means_over_seeds([sweep_run_of(run) for run in [*runs, *other]])
    found = means[means["quantity"] == "source"].set_index(["model", "setting"])["n"].to_dict()
    assert found == {
        ("lab_mt5", "none"): 1,
        ("lab_xlmr", "none, sentences=7"): 2,
        ("lab_xlmr", "none, sentences=null"): 2,
    }


@pytest.fixture
def composed():
    """Compose a training as the command does, resolved."""
    register_resolvers(set())
    GlobalHydra.instance().clear()

    def make(*overrides):
        cfg = compose("train", list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        return OmegaConf.to_container(cfg, resolve=True)

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield make
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


@pytest.mark.parametrize("experiment", ["freezing_study", "lab_models_by_languages"])
def test_the_studies_of_the_package_are_not_parted(composed, experiment):
    runs = []
    for setting, source, seed in product(("none", "early_half", "lora", "guard", "contrast"), SOURCES, (0, 1)):
        given = (f"experiment={experiment}", f"setting={setting}", f"task.language={source}", f"seed={seed}")
        run = make_run(setting, seed, source, steps=1)
        runs.append(replace(run, config=composed(*given, f"output=runs/{len(runs)}")))
    assert names_of(runs) == [(cell_of(run).setting, "") for run in runs]
    assert is_study(runs)
