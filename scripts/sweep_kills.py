"""Kill a sweep over and over, a job or the command itself with SIGKILL at a random moment, and repeat the command.

python scripts/sweep_kills.py [KILLS SEED]      # 20 0 by default, minutes on two cores

Each round is a sweep of six fine-tunings of the lab's XLM-R, two at a time, in a folder of its own. It ends when all
are done: its rows have to be those of a sweep that nobody disturbed, to the bit. All the while every JSON and Parquet
file is read over and over, and has to be whole at every moment.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from babelscope.report.table import read_run, run_folders
from babelscope.sweeps.ledger import Entry, entries, read_entry

JOBS = 6
SETTINGS = ("sentences=20", "metrics=ilo", "trainer.max_epochs=3", "logger=none", "page=false", "threads=1")
COMMAND = (
    *(sys.executable, "-m", "babelscope", "train", "-m", "hydra/launcher=workers", "model=lab_xlmr", *SETTINGS),
    *("callbacks=[layer_scores,task_scores,checkpoint]", "output='runs/${seed}'"),
    f"seed={','.join(map(str, range(JOBS)))}",
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Give the command in a folder."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(COMMAND, cwd=folder, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})


def running(folder: Path) -> list[Entry]:
    """Jobs whose process is alive."""
    found = [read_entry(path) for path in entries(folder)]
    return [entry for entry in found if entry.state_now(None) == "running"]


def rows(folder: Path) -> pd.DataFrame:
    """Rows of all runs."""
    runs = [read_run(found) for found in run_folders(folder)]
    assert len(runs) == JOBS
    assert all(run.manifest["finished"] for run in runs)
    return pd.concat([run.rows for run in runs], ignore_index=True)


class Reader(threading.Thread):
    """Reads every file over and over."""

    def __init__(self, folder: Path):
        super().__init__(daemon=True)
        self.folder, self.reads, self.torn = folder, 0, list[str]()

    def run(self) -> None:
        while True:
            for path in [*self.folder.rglob("*.json"), *self.folder.rglob("*.parquet")]:
                try:
                    json.loads(path.read_text()) if path.suffix == ".json" else pq.read_table(path, partitioning=None)
                except FileNotFoundError:  # listed, and gone since
                    continue
                except Exception as error:
                    self.torn.append(f"{path}: {error}")
                self.reads += 1
            time.sleep(0.05)


def disturb(folder: Path, draw: random.Random, left: int, hits: Counter[str]) -> None:
    """Repeat the command until all jobs are done, with at most so many kills on the way."""
    while True:
        command = start(folder)
        try:
            command.wait(timeout=draw.uniform(0, 25) if left else None)
        except subprocess.TimeoutExpired:
            jobs = running(folder)
            what = draw.choice(["command", *(["job"] * len(jobs))])
            try:
                os.kill(draw.choice(jobs).pid if what == "job" else command.pid, signal.SIGKILL)
                hits[what] += 1
                left -= 1
            except ProcessLookupError:  # it has just ended
                what = "nothing"
            code = command.wait()
            alone = time.monotonic()
            while running(folder):
                assert time.monotonic() - alone < 90, "jobs outlived the command that started them"
                time.sleep(0.1)
            print(f"killed: {what}; jobs running then: {len(jobs)}; exit {code}", flush=True)
            continue
        if command.returncode == 0:
            return
        told = (folder / "log").read_text()[-2000:]
        raise RuntimeError(f"The command ended by itself with status {command.returncode}: {told}")


def main(kills: int = 20, seed: int = 0) -> None:
    draw, hits, rounds = random.Random(seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reader = Reader(folder)
        (folder / "calm").mkdir()
        assert start(folder / "calm").wait() == 0
        calm = rows(folder / "calm")
        reader.start()
        while hits.total() < kills:
            rounds += 1
            place = folder / str(rounds)
            place.mkdir()
            disturb(place, draw, kills - hits.total(), hits)
            pd.testing.assert_frame_equal(rows(place), calm, check_exact=True)
            attempts = sum(read_entry(path).attempts for path in entries(place))
            print(f"round {rounds}: rows as if undisturbed, {attempts} attempts for {JOBS} jobs", flush=True)
        assert not reader.torn, reader.torn
        print(
            f"{hits['job']} kills of a job, {hits['command']} of the command, {rounds} sweeps, {reader.reads:,} reads"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
