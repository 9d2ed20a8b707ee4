"""Values of the Slurm launcher, where there is no Slurm: one line each, before anything is asked of it."""

import pytest

from tests.verbs.command import babelscope, says

pytestmark = pytest.mark.usefixtures("somewhere")
SLURM = ("train", "-m", "seed=0,1", "hydra/launcher=slurm")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("partition=3", ("to be text, one of the cluster's, or null, but got 3", "'hydra.launcher.partition=\"5\"'")),
        ("account=[a]", ("to be text, an account of the cluster, or null, but got ['a']",)),
        ("array_parallelism=abc", ("to be a whole number from 1 to 4294967295, but got 'abc'; write how many",)),
        ("nodes=0", ("to be a whole number from 1 to 4294967295, but got 0",)),
        ("timeout_min=1.5", ("to be a whole number from 1 to 4294967295, but got 1.5; write minutes.",)),
        ("max_num_timeout=true", ("to be a whole number from 0 to 4294967295, but got True",)),
        ("cpus_per_task=null", ("to be a whole number from 1 to 4294967295, but got null",)),
        ("gpus_per_node=abc", ("to be a whole number from 0 to 4294967295, or null, but got 'abc'",)),
        ("mem_gb=much", ("to be a number above 0, but got 'much'",)),
        ("mem_gb=0", ("to be a number above 0, but got 0",)),
        ("poll_s=0", ("to be a number above 0, but got 0",)),
        ("setup=abc", ("to be a list of texts, or null, but got 'abc'", 'setup=["module load cuda"]\'')),
        ("setup=[1]", ("to be a list of texts, or null, but got [1]",)),
        ("srun_args=--x", ("to be a list of texts, or null, but got '--x'",)),
        ("additional_parameters=abc", ("to be a mapping", "but got 'abc'", "additional_parameters.mail-user=ME")),
        ("detach=abc", ("to be true or false, but got 'abc'",)),
        ("stderr_to_stdout=1", ("to be true or false, but got 1",)),
    ],
)
def test_a_value_of_another_kind_is_one_line(override, words, somewhere):
    ended = babelscope(*SLURM, f"hydra.launcher.{override}")
    assert (ended.code, len(ended.lines)) == (2, 1), ended.err
    says(ended.err, f"Expected `hydra.launcher.{override.partition('=')[0]}` ", *words)
    assert not list(somewhere.rglob(".jobs"))


def test_a_key_that_is_none_is_one_line():
    ended = babelscope(*SLURM, "+hydra.launcher.nosuch=1")
    assert (ended.code, len(ended.lines)) == (2, 1), ended.err
    says(ended.err, "Expected a key of `hydra.launcher`, but got `nosuch`; nearest: ", "additional_parameters.OPTION=")


@pytest.mark.parametrize("launcher", ["slurm", "slurm_gpu", "slurm_gpus"])
def test_what_is_there_fits(launcher, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    given = ('partition="3"', "setup=[module load cuda]", "gpus_per_node=0", "mem_gb=1.5", "poll_s=0.3", "detach=true")
    more = ("+hydra.launcher.comment=mine", "+hydra.launcher.additional_parameters.mail-user=me", "trainer.devices=2")
    ended = babelscope(*SLURM, f"hydra/launcher={launcher}", *(f"hydra.launcher.{one}" for one in given), *more)
    assert ended.lines == [line for line in ended.lines if "Expected Slurm's `sbatch` on PATH" in line] != []
