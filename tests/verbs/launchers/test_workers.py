"""Sweeps in processes of their own: what is planned, told, skipped and refused, and jobs that are killed."""

import os
import random
import signal
import threading
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from babelscope.sweeps.ledger import entries, folder_of, lock_of, read_entry
from babelscope.verbs.launchers import planned
from tests.models.tiny import save_checkpoint
from tests.verbs.command import babelscope
from tests.verbs.sweep import rows_of, running, states, train, whole_at_every_moment

pytestmark = pytest.mark.usefixtures("somewhere")

SEEDS = "seed=0,1,2,3"
TWO = ("hydra/launcher=workers", "hydra.launcher.n_jobs=2")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return train(save_checkpoint(tmp_path_factory.mktemp("sweep") / "tiny", "xlm-roberta"))


@pytest.fixture(scope="module")
def calm(command, tmp_path_factory):
    """The rows of a sweep that nothing disturbs, each job in this process."""
    folder = tmp_path_factory.mktemp("calm")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert babelscope(*command, "-m", "hydra/launcher=basic", SEEDS).code == 0
    finally:
        os.chdir(before)
    return rows_of(folder)


def test_processes_give_the_rows_that_one_process_gives(command, calm, somewhere):
    with whole_at_every_moment(somewhere):
        ended = babelscope(*command, "-m", *TWO, SEEDS)
    assert (ended.code, ended.err) == (0, "")
    assert sorted(ended.out.splitlines()) == [f"{n}/4 done: {job}" for n, job in enumerate(order(ended), start=1)]
    pd.testing.assert_frame_equal(rows_of(somewhere), calm)
    found = [read_entry(path) for path in entries(somewhere)]
    assert len({entry.pid for entry in found} - {os.getpid()}) == 4
    assert all("What trains" in Path(entry.log).read_text() for entry in found)
    again = babelscope(*command, "-m", *TWO, "seed=0,1,2,3,4")
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines() == [
        "Done already and skipped, 4 in all: 0, 1, 2, 3; delete a folder to run it again",
        "1/1 done: 4",
    ]
    third = babelscope(*command, "-m", SEEDS)
    assert (third.code, third.err, len(third.out.splitlines())) == (0, "", 1)


def test_of_many_jobs_that_are_done_only_the_first_are_named(capsys):
    jobs = [planned.PlannedJob("", [], Path(f"runs/{number}"), None, number != 3) for number in range(11)]
    planned.print_skipped(jobs[:9])
    named = "0, 1, 2, 4, 5, 6, 7, 8"
    assert capsys.readouterr().out == (
        f"Done already and skipped, 8 in all: {named}; delete a folder to run it again\n"
    )
    planned.print_skipped(jobs)
    assert capsys.readouterr().out == (
        f"Done already and skipped, 10 in all: {named} and 2 more; delete a folder to run it again\n"
    )


def order(ended):
    return [line.rpartition(" ")[2] for line in sorted(ended.out.splitlines())]


def test_every_job_that_fails_says_so_and_the_others_run(command):
    named = [part.replace("${seed}", "${seed}-${sentences}") for part in command if not part.startswith("sentences")]
    ended = babelscope(*named, "-m", *TWO, "seed=0", "sentences=9999,12,8888")
    assert ended.code == 2
    assert len(ended.lines) == 3, ended.err
    for n in (9999, 8888):
        (line,) = [line for line in ended.lines if f"[sentences={n}]" in line]
        assert f"Expected the number of sentences to be between 1 and the 300 of corpus 'lab', but got {n};" in line
    assert ended.lines[-1].startswith("babelscope: 2 of 3 jobs failed (see above);")
    assert {folder_of(path).name: read_entry(path).state for path in entries(Path("runs"))} == {
        **{"0-9999": "failed", "0-8888": "failed", "0-12": "done"}
    }
    assert not Path("runs/0-9999").exists()


def test_two_jobs_in_one_folder_are_refused_and_the_same_job_is_one(command, somewhere):
    ended = babelscope(*command, "-m", "seed=0", "pivot=null,eng_Latn")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "every job of a sweep to have a folder of its own, but got" in ended.err
    assert "for pivot=null, and for pivot=eng_Latn, too;" in ended.err
    assert not list(somewhere.rglob("*.json"))
    twice = babelscope(*command, "-m", *TWO, "seed=5,5")
    assert (twice.code, twice.out, twice.err) == (0, "1/1 done: 5\n", "")


def test_what_another_sweep_runs_is_refused_before_anything_runs(command, monkeypatch):
    monkeypatch.setattr(planned, "PATIENCE", 0.0)
    lock_of(Path("runs/1")).parent.mkdir(parents=True)
    with FileLock(lock_of(Path("runs/1"))):
        ended = babelscope(*command, "-m", *TWO, SEEDS)
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert (
        "no other process to run the jobs of this sweep, but 1 of 4 are held, such as 1: another process runs it;"
        in ended.err
    )
    assert not list(Path("runs").rglob("*.json"))


@pytest.mark.parametrize("n", ["0", "null", "two", "1.5", "true"])
def test_the_number_of_jobs_is_checked(command, n):
    ended = babelscope(*command, "-m", "hydra/launcher=workers", f"hydra.launcher.n_jobs={n}", SEEDS)
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "`hydra.launcher.n_jobs`" in ended.err


class Killer(threading.Thread):
    """Kills one job some seconds after the first of them has rows."""

    def __init__(self, folder, seconds):
        super().__init__()
        self.folder, self.seconds = folder, seconds
        self.ended, self.hits = threading.Event(), 0

    def run(self):
        while not running(self.folder):
            if self.ended.wait(0.02):
                return
        self.ended.wait(self.seconds)
        for entry in running(self.folder)[:1]:
            try:
                os.kill(entry.pid, signal.SIGKILL)
                self.hits += 1
            except ProcessLookupError:  # it has just ended
                return

    def stop(self):
        self.ended.set()
        self.join()


def test_jobs_are_killed_at_random_moments_and_the_command_repeated(command, calm, somewhere):
    draw, hits = random.Random(0), 0
    with whole_at_every_moment(somewhere):
        for attempt in range(20):
            killer = Killer(somewhere, draw.uniform(0.0, 1.5) if attempt else 0.0)
            killer.start()
            ended = babelscope(*command, "-m", *TWO, SEEDS)
            killer.stop()
            hits += killer.hits
            killed = states(somewhere).count("interrupted")
            assert killed <= killer.hits  # one that had just ended is not hit
            assert ended.err.count("killed by SIGKILL, often for want of memory;") == killed
            assert ended.code == (2 if killed else 0), ended.err
            if not killed:
                break
    assert states(somewhere) == ["done"] * 4
    if not hits:
        pytest.skip("every job ended before it could be hit")
    pd.testing.assert_frame_equal(rows_of(somewhere), calm)
    assert sum(read_entry(path).attempts for path in entries(somewhere)) <= 4 + hits
