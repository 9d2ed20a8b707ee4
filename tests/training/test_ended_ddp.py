"""Two processes of one training: a signal to either of them ends both, and what comes out is as if there had been none.

With dropout and masks drawn, and with a validation in the middle of each epoch.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from babelscope.training.checkpoint import find_last, last_path
from tests.training.ended import Signal, refuse_other_runs, refuse_to_differ, signal_to_itself, train
from tests.training.forked import in_two_ranks
from tests.training.runs import METRICS

TERM = signal.SIGTERM
BATCHES = (0, 3, 5)
"""Within an epoch, at its end, and before the validation in its middle."""
AT_START = {**METRICS, "told": signal_to_itself}
"""Only the first process measures, while the other one waits for it."""
ROOT = Path(__file__).parents[2]


def in_rank(folder: Path) -> None:
    """Train whole, and then once more, ended by a signal while step 0 is measured, and three times later."""
    rank = int(os.environ["LOCAL_RANK"])
    options: dict[str, Any] = {"devices": 2, "strategy": "ddp", "val_check_interval": 0.5}
    whole = train(folder / "whole", **options)
    told, weights = -1, None
    while weights is None:
        watch: list[pl.Callback] = [Signal(BATCHES[told])] if 0 <= told < len(BATCHES) and told % 2 == rank else []
        try:
            weights = train(folder / "parts", *watch, metrics=AT_START if told < 0 else METRICS, **options)
        except SystemExit as end:
            if end.code != (0 if rank else 128 + TERM):
                raise
            told += 1
    assert told == len(BATCHES)
    refuse_to_differ(whole, weights)
    torch.save(weights, folder / f"rank-{rank}.pt")


def test_two_processes_that_are_ended_on_the_way_end_as_if_they_had_not_been(tmp_path, server):
    in_two_ranks(tmp_path, in_rank, tmp_path)
    refuse_other_runs(tmp_path / "whole", tmp_path / "parts")
    one, two = (torch.load(tmp_path / f"rank-{rank}.pt") for rank in range(2))
    refuse_to_differ(one, two)


def test_a_signal_to_the_command_ends_the_processes_that_it_started(tmp_path):
    with start(tmp_path) as command:
        for _ in range(1200):
            if find_last(tmp_path) or command.poll() is not None:
                break
            time.sleep(0.1)
        command.send_signal(TERM)
        said = command.communicate(timeout=60)[1]  # which waits for whoever holds the other end
    assert command.returncode == 128 + TERM, said[-3000:]
    step = torch.load(last_path(tmp_path), weights_only=True)["global_step"]
    assert said.count(f"told to end by SIGTERM; saved at step {step}: ") == 1


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.test_ended_ddp", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


if __name__ == "__main__":
    train(Path(sys.argv[1]), devices=2, strategy="ddp", max_epochs=1000)
