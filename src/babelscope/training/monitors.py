"""What early stopping decides by: refused before training where it is nothing that is logged."""

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

OURS = ("babelscope.", "pytorch_lightning.")
"""Beginnings of modules whose callbacks log nothing that one could decide by."""


def refuse_unknown_monitors(callbacks: Mapping[str, pl.Callback], logged: Sequence[str]) -> None:
    """Refuse early stopping by what is not logged, which Lightning would do after an epoch.

    A callback of a user's own may log anything, so beside one nothing is refused here.

    Args:
        callbacks: By their keys in the configuration.
        logged: What the training logs.

    Raises:
        ValueError: naming the key, the value and what is logged.
    """
    if not all(type(callback).__module__.startswith(OURS) for callback in callbacks.values()):
        return
    for key, callback in callbacks.items():
        if isinstance(callback, EarlyStopping) and callback.strict and callback.monitor not in logged:
            nothing = "" if any(name.startswith("validation_") for name in logged) else " as nothing is validated"
            raise ValueError(
                f"Expected `callbacks.{key}.monitor` to be one of {', '.join(logged)}{nothing}, but got "
                f"{callback.monitor!r}; correct it, or leave `{key}` out of `callbacks`."
            )
