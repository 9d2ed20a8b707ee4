"""What a trainer holds and where it stands: its callbacks, whether it validates, and whether it is at its last step."""

from typing import TypeVar

import pytorch_lightning as pl

Kind = TypeVar("Kind")


def callbacks_of(trainer: pl.Trainer, kind: type[Kind]) -> list[Kind]:
    """List the callbacks of one kind, in their order."""
    return [one for one in trainer.callbacks if isinstance(one, kind)]  # type: ignore[attr-defined]


def is_trial(trainer: pl.Trainer) -> bool:
    """Return whether this is a trial by `fast_dev_run`, of which nothing is kept."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def validates(trainer: pl.Trainer) -> bool:
    """Return whether there is a validation that measurements can wait for, as far as the end of an epoch tells."""
    every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
    if not trainer.enable_validation:
        return False
    if every is not None and epochs is not None and 0 <= epochs < every:
        return False
    # loaders are made when they are first needed, and Lightning silently skips empty ones
    return trainer.val_dataloaders is None or sum(trainer.num_val_batches) > 0


def is_last_step(trainer: pl.Trainer) -> bool:
    """Return whether `max_steps` has been reached; training may end by other limits, too."""
    return trainer.global_step == trainer.max_steps


def is_last_epoch(trainer: pl.Trainer) -> bool:
    """Return, at the end of an epoch, whether it is the last one, also where `max_steps` cuts it short."""
    return is_last_step(trainer) or trainer.current_epoch + 1 == trainer.max_epochs
