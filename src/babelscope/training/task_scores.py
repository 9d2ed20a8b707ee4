"""Task scores as rows: source-language validation at every epoch, zero-shot test in every language."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, SupportsFloat

import pytorch_lightning as pl

from babelscope.training.measuring import OncePerStep

logger = logging.getLogger(__name__)
# Lightning appends that a mean is one of the epoch, and, where there are several loaders, which of them it is of
_NAME = re.compile(r"(?P<metric>[^/]+)/(?P<language>.+?)(?P<epoch>_epoch)?(?P<loader>/dataloader_idx_\d+)?")


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
        if rows:
            self.publish(trainer, stage, rows, step=step, epoch=epoch)


def by_language(logged: Mapping[str, SupportsFloat], stage: str) -> dict[tuple[str, str], float]:
    """Return the value of every metric and language that was logged as `STAGE_NAME/LANGUAGE`.

    Where one language has several loaders, each after the first is a metric of its own, `NAME/dataloader_idx_N`.
    """
    scores: dict[tuple[str, str], float] = {}
    loaders: dict[tuple[str, str], str] = {}
    for name, value in logged.items():
        parts = _NAME.fullmatch(name)
        if parts is None or not parts["metric"].startswith(f"{stage}_"):
            continue
        metric, language, loader = parts["metric"], parts["language"], parts["loader"] or ""
        first = loaders.setdefault((metric, language), loader)
        scores[metric if loader == first else f"{metric}{loader}", language] = float(value)
    return scores
