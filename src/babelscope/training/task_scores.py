"""Task scores as rows: source-language validation at every epoch, zero-shot test in every language."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from babelscope.report.table import drop_later, write_step
from babelscope.training.measuring import OncePerStep

STAGES = ("validation", "test")


class TaskScores(OncePerStep):
    """Write the task's metrics, logged as `NAME/LANGUAGE`, as rows of the run.

    Args:
        folder: Run folder; None keeps the rows in `rows` only.
        run: Identifier written to every row.
    """

    def __init__(self, *, folder: str | Path | None = None, run: str = ""):
        self.folder, self.run = None if folder is None else Path(folder), run
        self.rows: list[dict[str, Any]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew, unless the run is resumed."""
        if trainer.global_step == 0:
            self.measured = -1
            if self.folder is not None and trainer.is_global_zero:
                for stage in STAGES:
                    drop_later(self.folder, stage)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the validation scores of this epoch; those of a step that was validated before are the same."""
        training = trainer.state.fn == "fit"
        if not (trainer.sanity_checking or (training and trainer.global_step == self.measured)):
            self._write(trainer, "validation", trainer.current_epoch + training)  # an epoch counts once it is over
            self.measured = trainer.global_step

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the zero-shot scores."""
        self._write(trainer, "test", trainer.current_epoch)

    def _write(self, trainer: pl.Trainer, stage: str, epoch: int) -> None:
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not trainer.is_global_zero:
            return
        keys: Mapping[str, Any] = {"run": self.run, "step": trainer.global_step, "epoch": epoch}
        rows = [
            {**keys, "layer": "", "metric": metric, "language": language, "other": "", "value": value}
            for name, value in scores.items()
            for metric, _, language in [name.partition("/")]
            if metric.startswith(f"{stage}_") and language
        ]
        self.rows += rows
        if self.folder is not None and rows:
            write_step(self.folder, stage, trainer.global_step, rows)
