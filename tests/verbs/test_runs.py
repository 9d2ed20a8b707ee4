"""`babelscope runs`: the table, following, and jobs that run again after their command was killed."""

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from babelscope.report.table import write
from babelscope.sweeps import submitted
from babelscope.sweeps.jobs import read_jobs
from babelscope.sweeps.ledger import entries, folder_of, read_entry, write_entry
from babelscope.sweeps.processes import Process
from babelscope.sweeps.progress import progress_of
from babelscope.verbs.terminal.jobs import names_of
from tests.models.tiny import save_checkpoint
from tests.sweeps.entries import ENTRY
from tests.sweeps.test_submitted import before
from tests.verbs.command import babelscope, refused, says, written
from tests.verbs.sweep import rows_of, running, states, train, whole_at_every_moment

pytestmark = pytest.mark.usefixtures("somewhere")


@pytest.fixture
def sweep(somewhere):
    """Five jobs in every state, and what is none."""
    own = Process.own()
    gone = {"host": own.host, "pid": own.pid, "born": f"{own.born}0", "end": None}
    common = ["model=lab_xlmr", "freeze=early"]
    for seed, change in enumerate(
        (
            {"state": "done", "exit": 0},
            {"state": "failed", "exit": 2, "error": "Expected `k` to be smaller", "log": "/logs/1.err"},
            {"state": "running", "host": own.host, "pid": own.pid, "born": own.born, "end": None},
            {"state": "running", **gone},
        )
    ):
        write_entry(Path(f"runs/job-{seed}"), replace(ENTRY, overrides=[*common, f"seed={seed}"], **change))
    Path("runs/job-0").mkdir()
    Path("runs/job-0/run.yaml").write_text("seed: 0\n")
    Path("runs/.jobs/torn.json").write_text('{"verb": "tra')
    row = {"run": "job-2", "layer": "", "metric": "validation_loss", "language": "eng_Latn", "other": "", "value": 1.0}
    for step, epoch in ((0, 0), (120, 3)):
        write(Path("runs/job-2"), f"validation-{step:08d}", [{**row, "step": step, "epoch": epoch}])
    Path("runs/job-2/run.yaml").write_text("seed: 2\ntrainer:\n  devices: 1\n  max_epochs: 5\n  logger: {}\nx: 1\n")
    return Path("runs")


def test_jobs_that_slurm_has_not_begun(sweep, tmp_path, monkeypatch):
    squeue = tmp_path / "squeue"
    squeue.write_text(
        "#!/bin/sh\nprintf '31|30_0|PENDING\\n32|30_1|PENDING\\n33|30_2|COMPLETING\\n34|30_3|RUNNING\\n'\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    numbers = {"new": "30_0", "job-1": "30_1", "ending": "30_2", "job-0": "30_3", "just": "31_0", "over": "29_0"}
    for name, number in numbers.items():
        submitted.record_submission(sweep / name, number, "logs/%j")
    before(sweep / "over")
    jobs = {job.folder.name: (job.state, job.error) for job in read_jobs(sweep)}
    assert jobs["new"] == ("queued", "Slurm job 30_0")
    assert jobs["job-1"][0] == "queued"  # failed, and submitted once more
    assert jobs["job-0"][0] == "done"
    assert jobs["ending"][0] == jobs["just"][0] == "queued"  # nobody knows yet whether they have begun
    assert jobs["over"] == ("failed", "Slurm ended job 29_0 before it began; see its log")
    assert (
        babelscope("runs", "runs")
        .out.splitlines()[-2]
        .endswith("1 done, 1 running, 1 failed, 1 interrupted, 4 queued, 1 unreadable")
    )
    # a sweep that was submitted a moment ago is one, too
    for path in entries(sweep):
        path.unlink()
    assert {job.folder.name: job.state for job in read_jobs(sweep)} == {
        **dict.fromkeys(numbers, "queued"),
        "over": "failed",
    }


def test_done_jobs_whose_result_was_removed_are_gone(sweep):
    (sweep / "job-0" / "run.yaml").unlink()
    gone = next(job for job in read_jobs(sweep) if job.folder.name == "job-0")
    assert (gone.state, gone.error[:30]) == ("gone", "its run.yaml is no longer ther")
    (sweep / "job-0").rmdir()
    ended = babelscope("runs", "runs")
    assert (ended.code, ended.err) == (0, "")
    assert "its folder is no longer there; the command of the sweep runs it again" in " ".join(ended.out.split())
    assert "5 jobs: 1 running, 1 failed, 1 interrupted, 1 gone, 1 unreadable\n" in ended.out
    assert "To run 2 of them again" in ended.out  # who deletes a result may not want it any more
    (sweep / "job-0" / "lab_xlmr").mkdir(parents=True)
    (sweep / "job-0" / "lab_xlmr" / "run.yaml").write_text("models: []\n")  # of several models, each in its own
    assert next(job.state for job in read_jobs(sweep) if job.folder.name == "job-0") == "done"


@pytest.mark.parametrize("kept", [True, False])
def test_jobs_that_slurm_ended_before_they_began_run_again(somewhere, tmp_path, monkeypatch, kept):
    (tmp_path / "squeue").write_text("#!/bin/sh\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    given = ("model.checkpoint=./nowhere", "output='runs/1'")
    entry = replace(ENTRY, verb="probe", overrides=[*given], folder=str(somewhere), end=None, log="12_log.out")
    submitted.record_submission(Path("runs/1"), "12", "logs/%j", entry if kept else None)
    before(Path("runs/1"))
    ended = babelscope("runs", "runs")
    assert "1 job: 1 failed" in ended.out
    for said in ("Slurm ended job 12 before it began; see its log", *(["12_log.out"] if kept else [])):
        assert said in " ".join(ended.out.split())
    again = babelscope("runs", "runs", "--retry", "failed")
    assert again.code == 2
    if kept:
        assert "failed: 1" in again.out
        assert "got './nowhere', where there is no folder" in " ".join(again.out.split())
    else:
        assert "Expected the command of 1 to be kept, but got none; give the command of the sweep again." in again.err


def test_the_table(sweep):
    ended = babelscope("runs", "runs")
    assert (ended.code, ended.err) == (0, "")
    lines = {line.split()[0]: line for line in ended.out.splitlines() if line.split()}
    assert lines["done"].split()[:3] == ["done", "seed=0", "1:05"]
    assert all(part in lines["failed"] for part in ("seed=1", "Expected `k` to be smaller", "/logs/1.err"))
    assert "epoch 3/5, step 120" in lines["running"]
    assert lines["interrupted"].split() == ["interrupted", "seed=3"]
    assert "torn" in lines["unreadable"]
    assert "5 jobs: 1 done, 1 running, 1 failed, 1 interrupted, 1 unreadable\n" in ended.out
    assert ended.out.splitlines()[-1] == "To run 2 of them again: babelscope runs runs --retry failed"
    assert sorted(path.name for path in Path().iterdir()) == ["runs"]


def test_where_jobs_are_looked_for(sweep, somewhere):
    for where in ("folder=runs", "."):
        assert "5 jobs: 1 done, 1 running, 1 failed, 1 interrupted, 1 unreadable\n" in babelscope("runs", where).out
    one = babelscope("runs", somewhere / "runs" / "job-0")
    assert "1 job: 1 done" in one.out
    nothing = babelscope("runs")
    assert (nothing.code, len(nothing.lines)) == (2, 1)
    assert "got outputs, which is not there; give the folder" in nothing.err
    Path("notes.txt").write_text("")
    for verb in ("runs", "sync"):
        assert "got notes.txt, a file; give the folder" in babelscope(verb, "notes.txt").err
    odd = somewhere / "it's a=b"
    write_entry(odd / "x", replace(ENTRY, state="done"))
    assert "1 job: 1 gone" in babelscope("runs", odd).out


@pytest.mark.parametrize("arguments", [("--retry", "done"), ("retry=all",), ("every=0",), ("--folow",)])
def test_what_a_user_can_mend(sweep, arguments):
    ended = babelscope("runs", "runs", *arguments)
    assert (ended.code, len(ended.lines)) == (2, 1)


@pytest.mark.parametrize("retry", [(), ("--retry", "failed")])
@pytest.mark.parametrize(
    ("override", "contract"),
    [
        *((f"n_jobs={value}", "a whole number from 1") for value in ("0", "-1", "1.5", "abc", "true", "null")),
        *((f"follow={value}", "true or false") for value in ("abc", "1", "null")),
        *((f"every={value}", "a number of seconds above 0") for value in ("0", "-1", "abc", "true", "nan", "inf")),
    ],
)
def test_values_are_checked_whether_or_not_they_are_needed(somewhere, override, contract, retry):
    key, _, value = override.partition("=")
    write_entry(Path("runs/job"), replace(ENTRY, state="done"))
    says(
        refused("runs", "runs", *retry, override), f"`{key}` to be {contract}", value.replace("true", "True"), f"{key}="
    )


def test_a_folder_of_jobs_is_text(somewhere):
    for value in ("null", "5", "[runs]"):
        says(refused("runs", f"folder={value}"), "`folder` to be text", value.strip("[]"), "folder=outputs")


def test_jobs_of_slurm_are_said_to_run_here(sweep):
    job = next(path for path in entries(sweep) if read_entry(path).state == "failed")
    write_entry(folder_of(job), replace(read_entry(job), slurm="7_0"))
    last = babelscope("runs", "runs").out.splitlines()[-1]
    assert last.endswith(
        "--retry failed runs them on this machine; the command of the sweep submits them to Slurm again"
    )


def test_names_are_what_differs(sweep):
    jobs = read_jobs(sweep)
    assert list(names_of(jobs).values()) == ["seed=0", "seed=1", "seed=2", "seed=3", "torn"]
    assert list(names_of(jobs[:1]).values()) == ["job-0"]
    probed = [replace(job, entry=replace(job.entry, verb="probe")) for job in jobs[:2]]
    named = ["probe seed=0", "probe seed=1", "train seed=2", "train seed=3", "torn"]
    assert list(names_of([*probed, *jobs[2:]]).values()) == named


def test_a_part_that_cannot_be_read_is_named(sweep):
    assert progress_of(sweep / "job-2") == "epoch 3/5, step 120"
    part = sweep / "job-2" / "results" / "validation-00000120.parquet"
    part.write_bytes(part.read_bytes()[:30])
    assert progress_of(sweep / "job-2") == "validation-00000120.parquet cannot be read: ArrowInvalid"
    (sweep / "job-2" / "run.yaml").unlink()
    assert progress_of(sweep / "job-2") == "run.yaml cannot be read: FileNotFoundError"
    assert progress_of(sweep / "job-0") == ""


def test_follow_ends_when_nothing_runs(sweep):
    path = next(path for path in entries(sweep) if path.stem == "job-2")
    done = replace(read_entry(path), state="done", end="2026-01-01T00:02:00+00:00")
    timer = threading.Timer(1.0, write_entry, [folder_of(path), done])
    timer.start()
    began = time.monotonic()
    ended = babelscope("runs", "runs", "--follow", "every=0.1")
    timer.join()
    assert (ended.code, ended.err) == (0, "")
    assert time.monotonic() - began >= 1
    assert "5 jobs: 2 done, 1 failed, 1 interrupted, 1 unreadable\n" in ended.out


def test_the_command_is_killed_and_its_jobs_retried(somewhere, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("BABELSCOPE_CACHE", str(tmp_path / "cache"))
    command = train(save_checkpoint(tmp_path / "tiny", "xlm-roberta"))
    sweep = ("-m", "seed=0,1,2", "trainer.max_epochs=5", "threads=1", "hydra/launcher=workers")
    with whole_at_every_moment(somewhere):
        first = subprocess.Popen([sys.executable, "-m", "babelscope", *command, *sweep])
        wait_for(lambda: len(running(somewhere)) == 2)
        first.kill()
        first.wait()
        found = [read_entry(path) for path in entries(Path("runs"))]
        jobs = [Process(entry.host, entry.pid, entry.born) for entry in found]
        wait_for(lambda: not any(job.is_alive() for job in jobs))
        seen = states(somewhere)
        assert 0 < len(seen) < 4
        assert {*seen} <= {"done", "interrupted"}
        again = babelscope("runs", "runs", "--retry", "failed", "n_jobs=2")
        assert (again.code, again.err) == (0, "")
        assert again.out.count("done: ") == seen.count("interrupted")
        assert states(somewhere) == ["done"] * len(seen)
        last = babelscope(*command, *sweep)  # and those that had not begun
        assert (last.code, last.err) == (0, "")
        assert f"skipped, {len(seen)} in all" in last.out
    disturbed = rows_of(somewhere)
    (tmp_path / "calm").mkdir()
    monkeypatch.chdir(tmp_path / "calm")
    assert babelscope(*command, *sweep[:-1], "hydra/launcher=basic").code == 0
    pd.testing.assert_frame_equal(disturbed, rows_of(tmp_path / "calm"))


def wait_for(what, seconds=120.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"nothing within {seconds} s"
        time.sleep(0.02)


def test_the_jobs_of_a_copied_sweep_are_not_run_where_they_were_first(somewhere, tmp_path, monkeypatch):
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# @package _global_\nsentences: 6\n")
    given = ("probe", "--config-dir", own.parent, "experiment=mine", "model.checkpoint=./nowhere")
    ended = babelscope(*given, "-m", "seed=1,2", "hydra/launcher=basic", "output='runs/${seed}'")
    assert ended.code == 2
    shutil.copytree("runs", "copy")
    monkeypatch.setattr("babelscope.verbs.jobs.retry.run_commands", lambda commands, **_: map(ran.append, commands))
    ran = []
    before = written(somewhere)
    ended = babelscope("runs", "copy", "--retry", "failed")
    assert (ended.code, len(ended.lines)) == (2, 1)
    says(ended.err, f"the command of 1 to run in {somewhere / 'copy' / '1'}, but as given in {somewhere} it runs in")
    says(ended.err, f"it runs in {somewhere / 'runs' / '1'}: the folder was moved or copied since", "move it back")
    assert (ran, written(somewhere)) == ([], before)
    patched = "babelscope.verbs.jobs.retry.run_commands"
    monkeypatch.setattr(patched, lambda commands, **_: [(one, 0) for one in commands])
    again = babelscope("runs", "runs", "--retry", "failed")  # where it still is
    assert again.out.count("failed: ") == 2
    beside = babelscope("runs", ".", "--retry", "failed")  # a copy keeps nobody from it
    assert (beside.out.count("failed: "), beside.err.count("left out: ")) == (2, 2)
    says(beside.err, "4 of 4 did not")
