"""Task scores as rows: source-language validation at every epoch, zero-shot test in every language."""

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from babelscope.report.table import write_step
from babelscope.training.logged import by_language
from babelscope.training.measuring import OncePerStep

logger = logging.getLogger(__name__)


class TaskScores(OncePerStep):
    """Write the task's metrics, logged as `NAME/LANGUAGE`, as rows of the run.

    Validations count while the model is trained, and tests at any time: those of a checkpoint are of its step.

    Args:
        folder: Run folder; None keeps the rows in `rows` only.
        run: Identifier written to every row.
    """

    series = ("validation", "test")

    def __init__(self, *, folder: str | Path | None = None, run: str = ""):
        self.folder, self.run = None if folder is None else Path(folder), run
        self.rows: list[dict[str, Any]] = []
        self.loaded: tuple[int, int] | None = None
        """Step and epoch of the checkpoint that is tested."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget the checkpoint of another test."""
        self.loaded = None

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Know what is tested, or go on from a checkpoint."""
        if trainer.state.fn == "fit":
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
        # the epochs that were begun, for one counts from its validation on
        epoch = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"]
        self.loaded = checkpoint["global_step"], epoch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew, unless the run is resumed."""
        if trainer.global_step == 0:
            self.measured = -1
        self.drop_later(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the validation scores of this epoch; those of a step that was validated before are the same."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and trainer.global_step != self.measured:
            self._write(trainer, "validation", trainer.global_step, trainer.current_epoch + 1)
            self.measured = trainer.global_step

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the zero-shot scores."""
        if trainer.ckpt_path is None:
            self._write(trainer, "test", trainer.global_step, trainer.current_epoch)
        elif self.loaded is not None:
            self._write(trainer, "test", *self.loaded)
        else:
            logger.warning(
                "%s holds weights only, so the step that is tested is not known and its scores are not kept; test a "
                "checkpoint that was saved with save_weights_only=False.",
                trainer.ckpt_path,
            )

    def _write(self, trainer: pl.Trainer, stage: str, step: int, epoch: int) -> None:
        scores = by_language(trainer.callback_metrics, stage)
        if not trainer.is_global_zero:
            return
        keys = {"run": self.run, "step": step, "epoch": epoch, "layer": "", "other": ""}
        rows = [
            {**keys, "metric": metric, "language": language, "value": value}
            for (metric, language), value in scores.items()
        ]
        self.rows += rows
        if self.folder is not None and rows:
            write_step(self.folder, stage, step, rows)
