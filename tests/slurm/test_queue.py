"""What is asked of Slurm, where there is none."""

import pytest

from babelscope.sweeps.slurm_queue import _minutes, check, settled_states
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


@pytest.mark.parametrize(
    ("comes", "patience_s", "state"),
    [("CANCELLED|None", 60, "CANCELLED"), ("PENDING|BeginTime", 60, "PENDING"), ("COMPLETING|None", 0.1, "COMPLETING")],
)
def test_a_job_on_its_way_out_is_waited_for_before_it_is_judged(comes, patience_s, state, monkeypatch, tmp_path):
    squeue = tmp_path / "squeue"
    squeue.write_text(
        f"#!/bin/bash\nif [[ -e {tmp_path}/asked ]]; then echo '7|{comes}'; else echo '7|COMPLETING|None'; fi\n"
        f": >{tmp_path}/asked\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert settled_states(["7"], poll_s=0.01, patience_s=patience_s)["7"][0] == state
    assert settled_states([], poll_s=0.01, patience_s=0) == {}


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
