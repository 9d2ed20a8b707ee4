"""What is asked of Slurm, where there is none."""

import pytest

from babelscope.sweeps.slurm_queue import _minutes, check
from tests.verbs.command import babelscope


@pytest.mark.parametrize(
    ("limit", "minutes"), [("5:00", 5), ("1-00:00:00", 1440), ("2:30:00", 150), ("infinite", None), ("n/a", None)]
)
def test_limits_are_read_as_slurm_writes_them(limit, minutes):
    assert _minutes(limit) == minutes


def test_without_slurm_another_launcher_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match=r"Expected Slurm's `sbatch` on PATH .* or choose hydra/launcher=workers"):
        check({})


@pytest.mark.parametrize("launcher", ["slurm", "slurm_gpu", "slurm_gpus"])
def test_the_command_says_so_in_one_line(launcher, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    ended = babelscope("train", "-m", f"hydra/launcher={launcher}", "seed=0,1")
    assert ended.code == 2
    (line,) = ended.lines
    assert line.startswith("babelscope: Expected Slurm's `sbatch` on PATH")


def test_a_file_of_ones_own_goes_on_from_ours(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own" / "hydra" / "launcher"
    own.mkdir(parents=True)
    (own / "ours.yaml").write_text("defaults: [slurm_gpu, _self_]\npartition: a100\naccount: mine\n")
    given = ("--config-dir", tmp_path / "own", "hydra/launcher=ours", "--cfg", "hydra", "-p", "hydra.launcher")
    out = babelscope("train", *given).out
    for line in ("_target_: hydra_plugins.babelscope.Slurm", "partition: a100", "account: mine", "gpus_per_node: 1"):
        assert line in out.splitlines()
