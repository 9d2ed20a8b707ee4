"""Who puts a job back into the queue, with no Slurm to do so."""

import signal
import subprocess

import pytest
from submitit.core.utils import UncompletedJobError

from babelscope.sweeps import slurm_queue
from babelscope.sweeps.slurm_signals import REQUEUED, heed_signals

HEEDED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)


@pytest.fixture
def job(monkeypatch):
    """Be the first process of a job; what it had put back into the queue."""
    before = {number: signal.getsignal(number) for number in HEEDED}
    environment = {"SUBMITIT_EXECUTOR": "slurm", "SLURM_JOB_ID": "15", "SLURM_PROCID": "0"}
    for name, value in {**environment, "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}.items():
        monkeypatch.setenv(name, value)
    requeued: list[str] = []
    monkeypatch.setattr(slurm_queue, "requeue", requeued.append)
    yield requeued
    for number, handler in before.items():
        signal.signal(number, handler)


def test_submitit_requeues_on_usr2(job, capsys):
    heard = []
    signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))
    heed_signals()
    signal.raise_signal(signal.SIGUSR2)
    assert heard == [signal.SIGUSR2]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "error", [UncompletedJobError("timed-out too many times."), subprocess.CalledProcessError(1, "scontrol")]
)
def test_a_job_that_is_not_requeued_says_why_and_how_to_go_on(job, error):
    def fail(*_: object) -> None:
        raise error

    signal.signal(signal.SIGUSR2, fail)
    heed_signals()
    with pytest.raises(ChildProcessError, match=r"but got: .*Raise hydra.launcher.timeout_min or max_num_timeout"):
        signal.raise_signal(signal.SIGUSR2)


@pytest.mark.parametrize("preempted", [True, False])
def test_only_a_job_in_its_grace_time_requeues_itself_on_term(job, monkeypatch, preempted):
    asked = []
    monkeypatch.setattr(slurm_queue, "is_preempted", lambda number: asked.append(number) or preempted)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    heed_signals()
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    assert asked == ["12_3"]
    assert job == (["12_3"] if preempted else [])


def test_other_processes_leave_that_to_the_first(job, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    heed_signals()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGUSR1)  # nor does Lightning requeue
    assert job == []


def test_a_requeued_job_says_so(job, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    heed_signals()
    assert capsys.readouterr().out == f"{REQUEUED}\n"
