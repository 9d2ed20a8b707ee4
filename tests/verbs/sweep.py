"""A small sweep of trainings, and what its folder holds at every moment."""

import json
import threading
from contextlib import contextmanager

import pandas as pd
import pyarrow.parquet as pq

from babelscope.report.table import read_run, run_folders
from babelscope.sweeps.jobs import read_jobs
from babelscope.sweeps.ledger import folder_of, read_entry
from tests.verbs.command import FIVE


def train(checkpoint):
    """The command of every job, whose folder is runs/SEED."""
    return (
        *("train", f"model.checkpoint={checkpoint}", f"languages.codes={FIVE}", "sentences=12", "metrics=ilo"),
        *("trainer=smoke", "trainer.max_epochs=2", "logger=none", "page=false", "+corpus.train=40"),
        *("callbacks=[layer_scores,task_scores,checkpoint]", "output='runs/${seed}'"),
    )


def rows_of(folder):
    """Rows of all runs, which are all finished."""
    runs = [read_run(found) for found in run_folders(folder)]
    assert all(run.manifest["finished"] for run in runs)
    return pd.concat([run.rows for run in runs], ignore_index=True)


def running(folder):
    """Jobs that have rows, and are not done."""
    found = [(path, read_entry(path)) for path in folder.glob("runs/.jobs/*.json")]
    return [entry for path, entry in found if entry.state == "running" and any(folder_of(path).glob("results/*"))]


def states(folder):
    """Of all jobs, in the order of their folders."""
    return [job.state for job in read_jobs(folder / "runs")]


@contextmanager
def whole_at_every_moment(folder):
    """Read every JSON and every Parquet file over and over while something is done to the sweep."""
    ended, torn, reads = threading.Event(), [], []

    def poll():
        while not ended.is_set():
            for path in [*folder.rglob("*.json"), *folder.rglob("*.parquet")]:
                try:
                    json.loads(path.read_text()) if path.suffix == ".json" else pq.read_table(path, partitioning=None)
                    reads.append(path)
                except FileNotFoundError:  # listed, and gone since
                    continue
                except Exception as error:
                    torn.append((path, error))
            ended.wait(0.05)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not torn, torn
    assert len(reads) > 20
