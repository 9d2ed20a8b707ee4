"""The launcher on a real Slurm: however a job ends, the wait ends, and says how."""

import os
import re
from pathlib import Path

import pytest

from babelscope.sweeps.jobs import read_jobs
from tests.slurm.conftest import ask, ended, number_of, until, until_step
from tests.verbs.command import babelscope


def test_jobs_that_fail_in_every_way_are_named_and_the_others_finish(sweep, slurm, tmp_path):
    ways = ("fine", "mistake", "defect", "killed", "memory", "wait")
    process = sweep(f"callbacks.doing.what={','.join(ways)}", "output=runs/${callbacks.doing.what}")
    runs = {what: tmp_path / "runs" / what for what in ways}
    until_step(runs["wait"], 1)
    ask(slurm, "scancel", number_of(runs["wait"]))
    code, out, lines = ended(process)
    assert "done: fine" in out
    said = {found[1]: line for line in lines if (found := re.match(r"babelscope: \[.*what=(\w+).*?\] ", line))}
    assert "Expected `what` to be right, but got a mistake; mend it." in said["mistake"]
    assert "unexpected KeyError; please report the above: " in said["defect"]
    assert "was killed; if it was for its memory, ask for more by hydra.launcher.mem_gb" in said["killed"]
    assert "ran out of memory; ask for more by hydra.launcher.mem_gb, or lower task.batch_size" in said["memory"]
    assert f"Slurm job {number_of(runs['wait'])} to end by itself, but it was cancelled" in said["wait"]
    assert said.keys() == {*ways} - {"fine"}
    assert "5 of 6 jobs failed (see above)" in lines[-1]
    assert code == 1  # a defect is not the user's
    # Slurm knows who failed, too
    for what, exit_code in (("fine", "0:0"), ("mistake", "2:0"), ("defect", "1:0")):
        job = ask(slurm, "scontrol", "--oneliner", "show", "job", number_of(runs[what]))
        assert f"JobState={'COMPLETED' if what == 'fine' else 'FAILED'}" in job
        assert f"ExitCode={exit_code}" in job


@pytest.fixture
def here(slurm, monkeypatch, tmp_path):
    """Give the command of a sweep in this process, which starts no job."""
    monkeypatch.chdir(tmp_path)
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm[name])
    yield lambda *overrides: babelscope("train", "-m", *overrides)
    ask(slurm, "scancel", "--user", str(os.getuid()))


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("partition=nope", "`hydra.launcher.partition` to be one of main, short, spot, urgent, but got 'nope'"),
        ("partition=short", "at most the 5 minutes of partition 'short', but got 240"),
        ("timeout_min=4", "`hydra.launcher.timeout_min` to leave a requeued job as long to work as the 120 s"),
        ("mem_gb=99999", "Expected Slurm to take the jobs, but got: sbatch: error: Memory .* not available; correct"),
        ("gres=nosuch:1", "Expected Slurm to take the jobs, but got: sbatch: error: .*; correct the resources"),
        (
            "signal_delay_s=2m",
            "`hydra.launcher.signal_delay_s` to be a whole number from 0 to 4294967295, but got '2m'",
        ),
        (
            "cpus_per_task=99",
            "`hydra.launcher.cpus_per_task` to be at most the 4 CPUs of a node of .* main, but got 99",
        ),
        ("tasks_per_node=2", "`hydra.launcher.tasks_per_node` to be trainer.devices=1, .* but got 2 for "),
        ("nodes=2", "`hydra.launcher.nodes` to be trainer.num_nodes=1, .* but got 2 for "),
    ],
)
def test_what_slurm_would_not_run_is_refused_in_one_line(here, tmp_path, override, line):
    done = here("hydra/launcher=slurm", f"hydra.launcher.{override}")
    assert done.code == 2
    (said,) = done.lines
    assert re.search(line, said)
    assert not list(tmp_path.rglob(".jobs"))


@pytest.mark.parametrize("setting", ["setup=[exit 3]", "srun_args=[--nosuch]"])
def test_jobs_that_end_before_they_begin_are_listed_and_run_again(here, slurm, training, tmp_path, setting):
    small = ("hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1", "hydra.launcher.poll_s=0.3")
    (tmp_path / "runs" / "7").mkdir(parents=True)
    (tmp_path / "runs" / "7" / "go").touch()
    swept = (*training, "seed=7", "output='runs/${seed}'")
    done = here("hydra/launcher=slurm", *small, f"hydra.launcher.{setting}", *swept)
    assert done.code == 2, done.err
    until(lambda: "1 job: 1 failed" in babelscope("runs", "runs").out, seconds=30)
    (lost,) = read_jobs(tmp_path / "runs")
    assert lost.error == f"Slurm ended job {number_of(tmp_path / 'runs' / '7')} before it began; see its log"
    assert Path(lost.entry.log).is_file()
    again = babelscope("runs", "runs", "--retry", "failed")
    assert again.code == 0, again.err
    assert "1 job: 1 done" in again.out


def test_devices_that_only_the_job_could_count_are_refused(here):
    done = here("hydra/launcher=slurm_gpus", "trainer=gpu", "trainer.devices=auto")
    assert done.code == 2
    assert "`hydra.launcher.tasks_per_node` to be a whole number from 1 to 4294967295, but got 'auto'" in done.err
    assert "write it: Slurm has to know" in done.err


def test_what_a_job_needs_is_asked_for(here, tmp_path):
    small = ("hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1", "hydra.launcher.detach=true")
    gpus = ("hydra/launcher=slurm_gpus", "trainer.devices=2", "trainer.strategy=ddp")
    more = ("+hydra.launcher.additional_parameters.mail-user=me", "hydra.launcher.setup=[module load cuda]")
    done = here(*gpus, *small, *more)
    assert done.code == 0, done.err
    (script,) = (tmp_path / "outputs" / ".slurm").rglob("*submission.sh")
    lines = script.read_text().splitlines()
    options = {"gpus-per-node=2", "ntasks-per-node=2", "requeue", "signal=USR2@120", "open-mode=append", "mail-user=me"}
    assert {f"#SBATCH --{option}" for option in options} <= {*lines}
    assert "module load cuda" in lines
    assert "--kill-on-bad-exit=1 --cpus-per-task=1" in script.read_text()
