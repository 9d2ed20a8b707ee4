"""Processes that are ended by real signals on the way: what comes out is what an undisturbed one gives, to the bit."""

import os
import random
import signal
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from babelscope.training.checkpoint import find_last, last_path
from tests.training.ended import EPOCHS, STEPS, refuse_other_runs, train
from tests.training.forked import PROCESSES, say_into

TERM, USR2, INT, KILL = signal.SIGTERM, signal.SIGUSR2, signal.SIGINT, signal.SIGKILL


class Tell(pl.Callback):
    """Say which batch begins, and take some time for each, in which signals come."""

    def __init__(self, begun: Connection, seconds: float):
        self.begun, self.seconds = begun, seconds

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        self.begun.send(trainer.fit_loop.total_batch_idx)
        time.sleep(self.seconds)


def run(folder: Path, begun: Connection, seconds: float, requeued: Path | None, options: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    say_into(folder / "said")
    if requeued is not None:
        signal.signal(USR2, partial(requeue, requeued))
    train(folder, Tell(begun, seconds), **options)


def requeue(requeued: Path, signum: int, frame: Any) -> None:
    """Do as submitit does."""
    requeued.touch()
    raise SystemExit(0)


def start(folder: Path, *, seconds: float = 0.02, requeued: Path | None = None, **options: Any) -> Any:
    begun, end = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=run, args=(folder, end, seconds, requeued, options))
    process.start()
    end.close()
    return process, begun


def end_at(batch: int, signum: int, folder: Path, *, within: float = 0.02, **options: Any) -> int:
    """Run, send a signal within a batch, and give the exit code; 0 where the run came to its end before."""
    process, begun = start(folder, **options)
    try:
        while begun.recv() < batch:
            pass
        time.sleep(random.uniform(0, within))
        os.kill(process.pid, signum)
    except EOFError:
        pass
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.fixture(scope="module")
def whole(tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("whole")
    assert end_at(EPOCHS * STEPS, TERM, folder) == 0
    return folder


def test_a_process_that_is_told_to_end_saves_and_goes_on_when_it_is_run_again(whole, tmp_path):
    assert end_at(1, TERM, tmp_path) == 128 + TERM
    assert f"told to end by SIGTERM; saved at step 2: {last_path(tmp_path)}" in (tmp_path / "said").read_text()
    requeued = tmp_path / "requeued"
    assert end_at(3, USR2, tmp_path, requeued=requeued) == 0
    assert requeued.exists()
    assert torch.load(find_last(tmp_path), weights_only=True)["global_step"] == 4
    assert end_at(5, USR2, tmp_path) == 128 + USR2
    assert end_at(6, INT, tmp_path) == 1  # which `exit_by_signal` mends
    assert "Ctrl-C again ends at once" in (tmp_path / "said").read_text()
    assert end_at(EPOCHS * STEPS, TERM, tmp_path) == 0
    refuse_other_runs(whole, tmp_path)


def test_a_process_may_be_killed_at_any_moment(whole, tmp_path):
    killed = 0
    for _ in range(10):
        code = end_at(random.randrange(EPOCHS * STEPS), KILL, tmp_path, within=0.1, keep={"every_n_train_steps": 1})
        killed += code == -KILL
        if find_last(tmp_path):
            torch.load(find_last(tmp_path), weights_only=True)
    assert killed
    assert end_at(EPOCHS * STEPS, TERM, tmp_path) == 0
    refuse_other_runs(whole, tmp_path)


def half_saved(folder: Path, saves: int) -> None:
    """Die in the middle of writing a checkpoint, after some whole ones."""
    written, save = [0], torch.save

    def save_half(checkpoint: Any, file: Any) -> None:
        written[0] += 1
        if written[0] > saves:
            file.write(b"half of it")
            file.flush()
            os.kill(os.getpid(), KILL)
        save(checkpoint, file)

    torch.save = save_half  # type: ignore[assignment]
    train(folder, keep={"every_n_train_steps": 1})


def test_a_process_that_is_killed_while_it_saves_leaves_the_checkpoint_before(whole, tmp_path):
    for saves in (0, 1, 2):
        process = PROCESSES.Process(target=half_saved, args=(tmp_path, saves))
        process.start()
        process.join(60)
        assert process.exitcode == -KILL
        assert len(list(last_path(tmp_path).parent.glob(".last.ckpt.*.tmp"))) == 1
    assert torch.load(find_last(tmp_path), weights_only=True)["global_step"] == 3
    assert end_at(EPOCHS * STEPS, TERM, tmp_path) == 0
    refuse_other_runs(whole, tmp_path)
