"""Trainings that are ended on the way, and whether they come out as if they had not been."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
from torch import Tensor

from babelscope.data.lab import lab
from babelscope.metrics.sample import LayerMetric, LayerSample
from babelscope.models import parts_of
from babelscope.report.table import read
from babelscope.training.alignment import ContrastiveTerm
from babelscope.training.checkpoint import LastCheckpoint, find_last
from babelscope.training.task_scores import TaskScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import (
    LANGUAGES,
    METRICS,
    StopError,
    guard,
    layer_scores,
    make_data,
    make_module,
    make_trainer,
    weights_of,
)

EPOCHS, STEPS = 2, 4
PAIRS = lab(LANGUAGES, "train").take(range(20, 40))


class Signal(pl.Callback):
    """Send this process a signal at the end of every batch from some number on, counted from the first of the run."""

    def __init__(self, batch: int = 0, signum: int = signal.SIGTERM):
        self.batch, self.signum = batch, signum

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if trainer.fit_loop.total_batch_idx >= self.batch:
            signal.raise_signal(self.signum)


def signal_to_itself(sample: LayerSample) -> dict[str, Tensor]:
    """A metric that measures nothing, and sends its process SIGTERM."""
    signal.raise_signal(signal.SIGTERM)
    return {}


class Crash(pl.Callback):
    """Die at the end of a batch, before anything is saved there."""

    def __init__(self, batch: int):
        self.batch = batch

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if trainer.fit_loop.total_batch_idx == self.batch:
            raise StopError


def train(
    folder: Path,
    *callbacks: pl.Callback,
    keep: dict[str, Any] | None = None,
    contrast: bool = False,
    guarded: bool = False,
    metrics: Mapping[str, LayerMetric] = METRICS,
    **options: Any,
) -> dict[str, Tensor]:
    """Train, from the last checkpoint where there is one; gives the weights."""
    pl.seed_everything(3, verbose=False)
    model = tiny_model("xlm-roberta", "lm")  # dropout and masks are drawn
    watching = [guard(folder=folder)] if guarded else []
    scores = [layer_scores(metrics, folder=folder), TaskScores(folder=folder)]
    last = LastCheckpoint(folder=folder, **(keep or {}))
    trainer = make_trainer(
        folder, *watching, *callbacks, *scores, last, **{"max_epochs": EPOCHS, "enable_checkpointing": True, **options}
    )
    parts = parts_of(model)
    term = ContrastiveTerm(PAIRS, tiny_tokenizer(), parts, source="eng_Latn", pairs=4, weight=0.5) if contrast else None
    found = find_last(folder)
    data = make_data("lm", batch_size=4 // trainer.world_size)
    trainer.fit(make_module(model, "lm", seed=3, alignment=term), data, ckpt_path=found and str(found))
    return weights_of(model)


def train_until_told(folder: Path, **options: Any) -> dict[str, Tensor] | None:
    """Train until SIGTERM at the end of the first batch ends it; gives the weights where no batch was left."""
    try:
        return train(folder, Signal(), **options)
    except SystemExit as end:
        if end.code != 128 + signal.SIGTERM:
            raise
        return None


def refuse_other_runs(one: Path, other: Path) -> None:
    """Compare rows, and all that the last checkpoints hold: weights, optimizer, schedule, counters, callbacks."""
    pd.testing.assert_frame_equal(read(one), read(other))
    refuse_to_differ(*(torch.load(find_last(folder) or "", weights_only=True) for folder in (one, other)))


def refuse_to_differ(a: Any, b: Any, at: str = "checkpoint") -> None:
    """Compare to the bit."""
    assert type(a) is type(b), at
    if isinstance(a, dict):
        assert a.keys() == b.keys(), at
        for key in a:
            refuse_to_differ(a[key], b[key], f"{at}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), at
        for i, pair in enumerate(zip(a, b, strict=True)):
            refuse_to_differ(*pair, f"{at}.{i}")
    elif isinstance(a, Tensor):
        assert torch.equal(a, b), at
    else:
        assert a == b, at
