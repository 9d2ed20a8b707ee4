from dataclasses import replace
from pathlib import Path

import pytest

from babelscope.sweeps import jobs, submitted
from babelscope.sweeps.jobs import read_jobs
from babelscope.sweeps.ledger import path_of, write_entry
from tests.sweeps.entries import ENTRY
from tests.sweeps.test_submitted import before


@pytest.fixture
def queue(monkeypatch):
    """Set what Slurm says of its queue; None: there is no Slurm."""
    return lambda states: monkeypatch.setattr(jobs, "queued", lambda: states)


def states_of(folder):
    return {job.folder.name: job.state for job in read_jobs(folder)}


def test_jobs_are_read_with_their_errors_and_logs(tmp_path, queue):
    queue(None)
    done = tmp_path / "done"
    done.mkdir()
    (done / "run.yaml").write_text("seed: 0\n")
    write_entry(done, replace(ENTRY, state="done"))
    failed = replace(ENTRY, state="failed", error="no such key", log="broke.log", folder=str(tmp_path))
    write_entry(tmp_path / "broke", failed)
    write_entry(tmp_path / "deleted", replace(ENTRY, state="done"))
    path_of(tmp_path / "torn").write_text('{"state": "do')
    found = {job.folder.name: job for job in read_jobs(tmp_path)}
    assert states_of(tmp_path) == {"done": "done", "broke": "failed", "deleted": "gone", "torn": "unreadable"}
    assert (found["broke"].error, found["broke"].log) == ("no such key", tmp_path / "broke.log")
    assert "torn" in found["torn"].error
    assert (found["torn"].overrides, found["torn"].log, found["done"].log) == ((), None, None)


def test_jobs_that_slurm_ended_before_they_began_failed(tmp_path, queue):
    queue({"waits": "PENDING"})
    for name in ("lost", "older", "waits"):
        submitted.record_submission(
            tmp_path / name, name, "logs", replace(ENTRY, log="/logs/1.out") if name == "lost" else None
        )
        before(tmp_path / name)
    submitted.record_submission(tmp_path / "new", "new", "logs")
    assert states_of(tmp_path) == {"lost": "failed", "older": "failed", "waits": "queued", "new": "queued"}
    lost = next(job for job in read_jobs(tmp_path) if job.folder.name == "lost")
    assert lost.error == "Slurm ended job lost before it began; see its log"
    assert (lost.log, lost.overrides) == (Path("/logs/1.out"), ("seed=1",))
    queue(None)
    assert read_jobs(tmp_path) == []  # nobody knows


def test_a_failed_job_that_was_submitted_once_more_is_queued(tmp_path, queue):
    queue({"7": "PENDING"})
    write_entry(tmp_path / "run", replace(ENTRY, state="failed"))
    submitted.record_submission(tmp_path / "run", "7", "logs")
    assert states_of(tmp_path) == {"run": "queued"}


def test_a_job_that_is_submitted_while_the_ledger_is_read_is_not_lost(tmp_path, monkeypatch):
    write_entry(tmp_path / "other", replace(ENTRY, state="failed"))

    def queued():
        """Say what is in the queue; a job that is submitted right after is not."""
        submitted.record_submission(tmp_path / "late", "8", "logs")
        before(tmp_path / "late")  # as if reading took longer than a submission needs to settle
        return {}

    monkeypatch.setattr(jobs, "queued", queued)
    assert states_of(tmp_path) == {"other": "failed"}


def test_without_a_ledger_there_are_no_jobs(tmp_path):
    assert read_jobs(tmp_path) == []
