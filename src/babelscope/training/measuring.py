"""When to measure while a model trains: what the callbacks that score it share."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl


class OncePerStep(pl.Callback):
    """Know which step was the last, also in a run that was resumed.

    Between two optimizer steps, as gradients add up, several validations find the same weights.
    """

    measured: int = -1
    """The last step that was measured."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep it by place, for two callbacks of one class may be in a Trainer, whose `state_dict` has to differ."""
        checkpoint.setdefault("measured_steps", {})[self._place(trainer)] = self.measured

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on from a checkpoint."""
        self.measured = checkpoint.get("measured_steps", {}).get(self._place(trainer), -1)

    def _place(self, trainer: pl.Trainer) -> int:
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        own = [callback for callback in callbacks if isinstance(callback, OncePerStep)]
        return own.index(self) if self in own else -1  # another callback may hold this one


class Measuring(OncePerStep, ABC):
    """Measure before training, and at every validation or, where nothing is validated, the end of every n-th epoch."""

    every_n_epochs: int = 1

    @abstractmethod
    def measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        """Measure the model as it is, after so many epochs."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure step 0, before anything is learnt; a resumed run has it already."""
        if trainer.global_step == 0:
            self.measured = -1
            self._measure_once(trainer, pl_module, epoch=0)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure at the validation of every n-th epoch of training."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._measure_if_due(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure every n-th epoch of a training without validation."""
        if not trainer.enable_validation:
            self._measure_if_due(trainer, pl_module)

    def _measure_if_due(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs == 0:
            self._measure_once(trainer, pl_module, epoch=epoch)

    def _measure_once(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        if trainer.global_step != self.measured:
            self.measure(trainer, pl_module, epoch=epoch)
            self.measured = trainer.global_step
