"""The rows of one training in its run folder: each file has one writer, and none is of an abandoned branch."""

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytorch_lightning as pl

from babelscope.report.table import drop_later


class WritesRows(pl.Callback):
    """A callback that writes rows of its own to the run folder, a file for each step and kind."""

    folder: Path | None = None
    """The run folder; None where rows are kept in memory only."""
    series: tuple[str, ...] = ()
    """The kinds of its rows, which begin the names of their files."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse another callback that would write the same files, before either has."""
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        refuse_shared(callback for callback in callbacks if isinstance(callback, WritesRows))

    def drop_later(self, trainer: pl.Trainer) -> None:
        """Remove rows of steps that this training has yet to come to, in the first process."""
        if self.folder is not None and trainer.is_global_zero:
            for series in self.series:
                drop_later(self.folder, series, trainer.global_step)


def refuse_shared(callbacks: Iterable[WritesRows]) -> None:
    """Refuse two callbacks that write the same files.

    Raises:
        ValueError: naming the folder and both.
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
