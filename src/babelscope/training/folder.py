"""The rows of one training in its run folder: each file has one writer, and none has steps that were undone."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytorch_lightning as pl

from babelscope.report.table import drop_later, write_step
from babelscope.training.progress import callbacks_of, is_trial
from babelscope.training.published import Published, Rows
from babelscope.training.start import StartTensors


class WritesRows(pl.Callback):
    """A callback that writes rows of its own to the run folder, a file for each step and kind.

    In a trial by `fast_dev_run`, nothing is written, as by Lightning's own loggers and checkpoints.
    """

    folder: Path | None = None
    """The run folder; None where rows are kept in memory only."""
    series: tuple[str, ...] = ()
    """The kinds of its rows, which begin the names of their files."""
    starts: tuple[StartTensors, ...] = ()
    """What it keeps of step 0."""

    @property
    def rows(self) -> Rows:
        """What this training has published, on rank 0, read from its folder where it has one.

        A training resumed in a new process has earlier rows in its folder only.
        """
        return self.published.read()

    @cached_property
    def published(self) -> Published:
        """The same, as it is kept."""
        return Published()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the rows of another training; refuse another callback that would write the same files."""
        for start in self.starts:
            start.dry = is_trial(trainer)
        if trainer.global_step == 0 and trainer.ckpt_path is None:
            self.published = Published()
        refuse_shared(callbacks_of(trainer, WritesRows))

    def publish(
        self,
        trainer: pl.Trainer,
        series: str,
        rows: list[dict[str, Any]],
        *,
        step: int,
        epoch: int,
        scalars: Mapping[str, float] | None = None,
    ) -> None:
        """Keep the rows of one step, write them as its one file, and log scalars; for the first process to call."""
        folder = None if is_trial(trainer) else self.folder
        self.published.add(step, rows, None if folder is None else write_step(folder, series, step, rows))
        if scalars is not None:
            for logger in trainer.loggers:
                logger.log_metrics({**scalars, "epoch": epoch}, step=step)

    def drop_later(self, trainer: pl.Trainer) -> None:
        """Remove rows of steps that this training has yet to come to, in the first process."""
        self.published.drop_later(trainer.global_step)
        if self.folder is not None and trainer.is_global_zero and not is_trial(trainer):
            for series in self.series:
                drop_later(self.folder, series, trainer.global_step)


def refuse_shared(callbacks: Iterable[WritesRows]) -> None:
    """Refuse two callbacks that write the same files.

    Raises:
        ValueError: if two of them do.
    """
    writers: dict[Path, WritesRows] = {}
    for callback in callbacks:
        if callback.folder is None:
            continue
        for series in callback.series:
            place = callback.folder.resolve() / series
            other = writers.setdefault(place, callback)
            if other is not callback:
                refuse_second(callback, callback.folder)


def refuse_second(callback: object, folder: Path) -> NoReturn:
    """Refuse a callback whose files another one writes.

    Raises:
        ValueError: always.
    """
    name = type(callback).__name__
    raise ValueError(
        f"Expected argument `folder` to be another one for each {name} of a Trainer, but two of them got {folder}, "
        "where each would replace the other's rows; give each a folder of its own."
    )
