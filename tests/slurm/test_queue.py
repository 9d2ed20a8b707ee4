"""What is asked of Slurm, where there is none."""

import pytest

from babelscope.sweeps.slurm_queue import _minutes, check, check_cpus, settled_states
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
    ("settings", "line"),
    [
        ({"cpus_per_task": 8}, ""),
        ({"cpus_per_task": 9}, r"at most the 8 CPUs of a node of partition main, but got 9; lower it"),
        ({"cpus_per_task": 5, "tasks_per_node": 2}, r"8 CPUs .* but got 5 for each of 2 tasks per node;"),
        ({"cpus_per_task": 9, "partition": "main,big"}, ""),
        ({"cpus_per_task": 65, "partition": "main,big"}, r"at most the 64 CPUs of a node of partition main, big, "),
    ],
)
def test_more_cpus_than_any_node_has_are_refused(settings, line, monkeypatch, tmp_path):
    (tmp_path / "sinfo").write_text('#!/bin/bash\nprintf "main*|4\\nmain*|8\\nbig|64+\\n"\n')
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = {"partition": None, "tasks_per_node": 1, **settings}
    if line:
        with pytest.raises(ValueError, match=line):
            check_cpus(asked)
    else:
        check_cpus(asked)


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
