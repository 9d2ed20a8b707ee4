import json
from dataclasses import fields
from pathlib import Path

from tests.report.sweep.sweep_runs import make_run, write_run
from tests.sweeps.test_submitted import before

from babelscope.report.sweep.jobs import read_heads, read_jobs
from babelscope.report.table import run_folders
from babelscope.sweeps.ledger import Entry, path_of, write_entry
from babelscope.sweeps.submitted import keep

PLAIN = {str: "", int: 0, bool: True, float: 0.0}


def make_entry(state="done", **given):
    """Make an entry of the ledger; what a test does not say is empty."""
    empty = {field.name: PLAIN.get(field.type) for field in fields(Entry)}
    start = {"start": "2026-11-21T10:00:00+00:00", "end": "2026-11-21T10:01:00+00:00", "overrides": ["seed=0"]}
    return Entry(**{**empty, "verb": "train", "state": state, **start, **given})


def test_jobs_are_read_with_their_errors_and_logs(tmp_path):
    done = write_run(make_run(), tmp_path)
    write_entry(done, make_entry())
    write_entry(tmp_path / "broke", make_entry("failed", error="no such key", log="broke.log", folder=str(tmp_path)))
    write_entry(tmp_path / "deleted", make_entry())
    path_of(tmp_path / "torn").write_text('{"state": "do')
    jobs = {job.folder.name: job for job in read_jobs(tmp_path, None)}
    assert {name: job.state for name, job in jobs.items()} == {
        done.name: "done",
        "broke": "failed",
        "deleted": "gone",
        "torn": "unreadable",
    }
    assert (jobs["broke"].error, jobs["broke"].log) == ("no such key", tmp_path / "broke.log")
    assert "torn" in jobs["torn"].error


def test_jobs_that_slurm_ended_before_they_began_failed(tmp_path):
    for name in ("lost", "older", "waits"):
        keep(tmp_path / name, name, "logs", make_entry(log="/logs/1.out") if name == "lost" else None)
        before(tmp_path / name)
    keep(tmp_path / "new", "new", "logs")
    jobs = {job.folder.name: job for job in read_jobs(tmp_path, {"waits": "PENDING"})}
    assert {name: job.state for name, job in jobs.items()} == {"lost": "failed", "older": "failed"}
    assert jobs["lost"].error == "Slurm ended job lost before it began; see its log"
    assert (jobs["lost"].log, jobs["lost"].overrides) == (Path("/logs/1.out"), ("seed=0",))
    assert read_jobs(tmp_path, None) == []  # nobody knows


def test_without_a_ledger_there_are_no_jobs(tmp_path):
    assert read_jobs(tmp_path, None) == []


def test_run_folders_that_cannot_be_read_are_named(tmp_path):
    for seed in range(4):
        write_run(make_run(seed=seed), tmp_path)
    one, two, three, four = run_folders(tmp_path)
    (one / "run.yaml").write_text("seed: [1")
    (two / "manifest.json").write_text("{")
    (three / "manifest.json").write_text(json.dumps(["no", "mapping"]))
    heads, unreadable = read_heads(run_folders(tmp_path))
    assert [head.folder for head in heads] == [four]
    assert [job.folder for job in unreadable] == [one, two, three]
    assert all(job.error and "\n" not in job.error for job in unreadable)
