"""Refuse, before training, monitors of early stopping and checkpoints that nothing logs."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from math import lcm

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from babelscope.training.progress import callbacks_of

OURS = ("babelscope.", "pytorch_lightning.")
"""Packages whose callbacks log nothing to monitor but scores of layers."""
LAYER = "/layer_"
"""In the names of logged scores of layers."""


def refuse_unknown_monitors(callbacks: Mapping[str, pl.Callback], logged: Sequence[str]) -> None:
    """Refuse early stopping by what is not logged, which Lightning would do after an epoch.

    A callback of a user's own may log anything, so beside one nothing is refused here. Scores of layers are known once
    step 0 is measured; `refuse_unmeasured_monitors` looks at these.

    Args:
        callbacks: By their keys in the configuration.
        logged: What the training logs.

    Raises:
        ValueError: if early stopping monitors another name, whose message lists those that are logged, or would stop as
            a score of the task gets better.
    """
    if not all(type(callback).__module__.startswith(OURS) for callback in callbacks.values()):
        return
    for key, callback in callbacks.items():
        if not isinstance(callback, EarlyStopping) or not callback.strict or LAYER in callback.monitor:
            continue
        if callback.monitor not in logged:
            nothing = "" if any(name.startswith("validation_") for name in logged) else " as nothing is validated"
            raise ValueError(
                f"Expected `callbacks.{key}.monitor` to be one of {', '.join(logged)}{nothing}, but got "
                f"{callback.monitor!r}; correct it, or leave `{key}` out of `callbacks`."
            )
        _refuse_wrong_way(key, callback)


def _refuse_wrong_way(key: str, callback: EarlyStopping) -> None:
    """Refuse to stop while a score gets better."""
    score = callback.monitor.partition("/")[0].rpartition("_")[2]
    way = "min" if score == "loss" else "max"
    if score in ("accuracy", "f1", "loss") and callback.mode != way:
        raise ValueError(
            f"Expected `callbacks.{key}.mode` to be {way} for {callback.monitor}, or training would stop as it gets "
            f"better, but got {callback.mode}; write callbacks.{key}.mode={way}."
        )


def refuse_unmeasured_monitors(trainer: pl.Trainer, pl_module: pl.LightningModule, measured: Collection[str]) -> None:
    """Refuse early stopping and checkpoints by a score of a layer that is not measured.

    A module or a callback of a user's own may log anything, so beside one nothing is refused here.

    Raises:
        ValueError: if a monitor is not measured; the message has the nearest names.
    """
    callbacks = callbacks_of(trainer, pl.Callback)
    if not all(type(one).__module__.startswith(OURS) for one in (pl_module, *callbacks)):
        return
    for callback in callbacks:
        monitor = callback.monitor if isinstance(callback, EarlyStopping | ModelCheckpoint) else None
        if monitor is not None and LAYER in monitor and monitor not in measured:
            near = ", ".join(get_close_matches(monitor, measured, n=3, cutoff=0.0))
            raise ValueError(
                f"Expected `monitor` of {type(callback).__name__} to be a score that is measured, but got {monitor!r}; "
                f"nearest: {near}."
            )


def refuse_rare_scores(trainer: pl.Trainer, measured: Mapping[str, int]) -> None:
    """Refuse early stopping and checkpoints that would look at a score of a layer in epochs that do not measure it.

    They would find none at first, which Lightning refuses after an epoch, and later that of an earlier epoch.

    Args:
        trainer: Before the first step.
        measured: After how many epochs each score is measured, by name.

    Raises:
        ValueError: if one of them looks more often.
    """
    validates_every = trainer.check_val_every_n_epoch or 1
    for callback in callbacks_of(trainer, pl.Callback):
        if isinstance(callback, EarlyStopping):
            looks = 1 if callback._check_on_train_epoch_end else validates_every
        elif isinstance(callback, ModelCheckpoint) and callback._every_n_epochs > 0:
            looks = lcm(callback._every_n_epochs, 1 if callback._save_on_train_epoch_end else validates_every)
        else:
            continue
        every = measured.get(callback.monitor or "", 1)
        if looks % every:
            raise ValueError(
                f"Expected {callback.monitor} to be measured whenever {type(callback).__name__} looks at it, after "
                f"every {looks} epochs, but argument `every_n_epochs` of LayerScores is {every}; write "
                "every_n_epochs=1, or let it be monitored as rarely."
            )
