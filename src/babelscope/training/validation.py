"""Whether a training validates at all, or its epochs just end, and which one is the last."""

import pytorch_lightning as pl


def validates(trainer: pl.Trainer) -> bool:
    """Tell whether there is a validation that measurements can wait for, as far as is known at the end of an epoch."""
    every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
    if not trainer.enable_validation:
        return False
    if every is not None and epochs is not None and 0 <= epochs < every:
        return False
    # loaders are made when they are first needed, and Lightning passes over empty ones without a word
    return trainer.val_dataloaders is None or sum(trainer.num_val_batches) > 0


def ends_here(trainer: pl.Trainer) -> bool:
    """Tell, at the end of an epoch, whether it is the last one, also where `max_steps` cuts it short."""
    return trainer.global_step == trainer.max_steps or trainer.current_epoch + 1 == trainer.max_epochs
