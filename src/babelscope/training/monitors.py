"""What callbacks of Lightning decide by: refused before training where it is nothing that is logged."""

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping


def refuse_unknown_monitors(callbacks: Mapping[str, pl.Callback], logged: Sequence[str]) -> None:
    """Refuse early stopping by what is not logged, which Lightning would do after an epoch.

    Args:
        callbacks: By their keys in the configuration.
        logged: What the training logs.

    Raises:
        ValueError: naming the key, the value and what is logged.
    """
    for key, callback in callbacks.items():
        if isinstance(callback, EarlyStopping) and callback.strict and callback.monitor not in logged:
            nothing = "" if any(name.startswith("validation_") for name in logged) else " as nothing is validated"
            raise ValueError(
                f"Expected `callbacks.{key}.monitor` to be one of {', '.join(logged)}{nothing}, but got "
                f"{callback.monitor!r}; correct it, or, where a callback of your own logs it, add "
                f"+callbacks.{key}.strict=false."
            )
