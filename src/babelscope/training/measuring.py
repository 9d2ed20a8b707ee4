"""When to measure while a model trains: what the callbacks that score it share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Integral
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import StochasticWeightAveraging, WeightAveraging
from pytorch_lightning.utilities import rank_zero_warn

from babelscope.training.checkpoint import hold_signals
from babelscope.training.folder import WritesRows
from babelscope.training.progress import callbacks_of, is_last_epoch, validates
from babelscope.training.sharded import refuse_sharded


def check_every_n_epochs(
    value: int, *, least: int = 1, remedy: str = "leave the callback out to measure nothing"
) -> None:
    """Check the argument `every_n_epochs` of a callback.

    Raises:
        ValueError: if it is no whole number, or too small.
    """
    if not isinstance(value, Integral) or int(value) < least:
        raise ValueError(
            f"Expected argument `every_n_epochs` to be a whole number from {least}, but got {value}; {remedy}."
        )


class OncePerStep(WritesRows):
    """Remember the last step that was measured, also in a run that is resumed.

    Between two optimizer steps, as gradients add up, several validations find the same weights.
    """

    measured: int = -1
    """The last step that was measured."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Warn, in the first of these callbacks, if steps are taken that Lightning does not count."""
        uncounted = trainer.global_step == 0 and not pl_module.automatic_optimization
        if uncounted and trainer.current_epoch == 0 and self._place(trainer) <= 0:
            rank_zero_warn(
                f"Expected the optimizer steps of {type(pl_module).__name__} to be counted by Lightning, but after an "
                "epoch it has counted none, so nothing after step 0 is measured; step the optimizers that "
                "`self.optimizers()` gives."
            )

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the last step by place: `state_dict` has to differ between two callbacks of one class."""
        checkpoint.setdefault("measured_steps", {})[self._place(trainer)] = self.measured

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on from a checkpoint."""
        self.measured = checkpoint.get("measured_steps", {}).get(self._place(trainer), -1)

    def _place(self, trainer: pl.Trainer) -> int:
        own = callbacks_of(trainer, OncePerStep)
        return own.index(self) if self in own else -1  # another callback may hold this one


def first_decides(trainer: pl.Trainer, check: Callable[[], None]) -> None:
    """Check something in the first process; all of them raise what it raises.

    Raises:
        ValueError: as `check` does.
    """
    refusal: ValueError | None = None
    if trainer.is_global_zero:
        try:
            check()
        except ValueError as error:
            refusal = error
    message = trainer.strategy.broadcast(None if refusal is None else str(refusal))
    if message is not None:
        raise ValueError(message) from refusal


class Measuring(OncePerStep, ABC):
    """Measure before training, at validations or the ends of epochs without one, and at the end of training."""

    every_n_epochs: int = 1

    @abstractmethod
    def measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        """Measure the model as it is, after so many epochs."""

    def find_start(self) -> None:
        """Check, before anything is trained, that a resumed run has what later measurements compare with.

        Only the first process measures, so only it is asked.

        Raises:
            ValueError: if it is not there, or was measured otherwise.
        """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse weights of which this process has a part only."""
        super().on_fit_start(trainer, pl_module)
        refuse_sharded(trainer, self)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure step 0, before anything is learnt; a resumed run has to have it already."""
        hold_signals(trainer)
        if trainer.global_step == 0:
            self.measured = -1
            self._measure_once(trainer, pl_module, epoch=0)
        else:
            first_decides(trainer, self.find_start)
        self.drop_later(trainer)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure at the validation of every n-th epoch of training."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._measure_if_due(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure every n-th epoch of a training without validation, and the last one before others decide by it.

        Averaged weights are an exception: they are swapped in for validations, and at the end in no certain order.
        """
        super().on_train_epoch_end(trainer, pl_module)
        last = is_last_epoch(trainer) and not _averages(trainer)
        if last or not validates(trainer):
            self._measure_if_due(trainer, pl_module, last=last)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the final weights of a training that ended within an epoch."""
        if not _averages(trainer) and not _averages_at_end(trainer):
            self._measure_once(trainer, pl_module, epoch=trainer.current_epoch)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the final weights where they were averaged only now."""
        if _averages_at_end(trainer):
            self._measure_once(trainer, pl_module, epoch=trainer.current_epoch)

    def log_measured(self, pl_module: pl.LightningModule) -> None:
        """Log what was just measured, so that other callbacks can monitor it; nothing by default."""

    def _measure_if_due(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, last: bool = False) -> None:
        if is_last_epoch(trainer) and _averages_at_end(trainer):
            return
        epoch = trainer.current_epoch + 1
        due = last or epoch % self.every_n_epochs == 0
        if due and self._measure_once(trainer, pl_module, epoch=epoch):
            self.log_measured(pl_module)

    def _measure_once(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> bool:
        if trainer.global_step == self.measured:
            return False
        self.measure(trainer, pl_module, epoch=epoch)
        self.measured = trainer.global_step
        return True


def _averages_at_end(trainer: pl.Trainer) -> bool:
    """Return whether the weights of the last step are replaced by averaged ones as training ends."""
    return bool(callbacks_of(trainer, StochasticWeightAveraging))


def _averages(trainer: pl.Trainer) -> bool:
    return bool(callbacks_of(trainer, WeightAveraging))
