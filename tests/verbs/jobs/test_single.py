"""A sweep whose -m was forgotten is refused, instead of one job that nobody asked for."""

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from babelscope.sweeps.pool import NAME
from babelscope.verbs.jobs.single import refuse_forgotten_sweep
from tests.verbs.command import refused, says

pytestmark = pytest.mark.usefixtures("somewhere")

SWEPT = {"task": "topic,lm", "task.language": "eng_Latn,hin_Deva", "seed": "0,1"}


def settings(*task, hydra=(), mode=RunMode.RUN, params=None):
    made = {"mode": mode, "overrides": {"task": task, "hydra": hydra}, "sweeper": {"params": params}}
    return OmegaConf.create(made)


@pytest.mark.parametrize("launcher", ["workers", "slurm", "slurm_gpu"])
def test_a_launcher_of_sweeps(launcher):
    line = refused("probe", f"hydra/launcher={launcher}")
    says(line, "-m", f"hydra/launcher={launcher}", "leave the launcher out")


@pytest.mark.parametrize("experiment", ["freezing_study", "lab_models_by_languages"])
def test_an_experiment_that_sweeps(experiment):
    line = refused("train", f"experiment={experiment}", "sentences=6", "corpus.split=dev")
    says(line, "-m", "sweeps over", "seed", "task.language", "add -m")


@pytest.mark.parametrize("given", ["seed=3", "+seed=3", "task=lm", "task.language=eng_Latn"])
def test_a_value_of_what_is_swept_over_asks_for_one_job(given):
    refuse_forgotten_sweep(settings("model=lab_bloom", given, params=SWEPT))


@pytest.mark.parametrize("given", ["task.corpus.split=dev", "seeds=3", "model=lab_bloom"])
def test_other_values_do_not(given):
    with pytest.raises(ValueError, match=r"^Expected -m .* sweeps over task, task.language, seed, .* as in seed="):
        refuse_forgotten_sweep(settings(given, params=SWEPT))


def test_sweeps_their_jobs_and_plain_commands_pass(monkeypatch):
    refuse_forgotten_sweep(settings("seed=3"))
    refuse_forgotten_sweep(settings("seed=3", hydra=["hydra/launcher=basic", "hydra.launcher.n_jobs=2"]))
    refuse_forgotten_sweep(settings(hydra=["hydra/launcher=slurm"], mode=RunMode.MULTIRUN, params=SWEPT))
    monkeypatch.setenv(NAME, "seed=0")
    refuse_forgotten_sweep(settings(hydra=["hydra/launcher=slurm"], params=SWEPT))
