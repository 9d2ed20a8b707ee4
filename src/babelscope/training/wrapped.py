"""The Hugging Face model inside a LightningModule."""

import pytorch_lightning as pl
from torch import nn


def model_in(pl_module: pl.LightningModule, attribute: str) -> nn.Module:
    """Return the model that a LightningModule, perhaps somebody else's, keeps under this attribute.

    Raises:
        ValueError: if there is none; the message names the attributes that hold one.
    """
    model = getattr(pl_module, attribute, None)
    if not isinstance(model, nn.Module):
        children = [name for name, child in pl_module.named_children() if hasattr(child, "config")]
        raise ValueError(
            f"Expected argument `attribute` to name the Hugging Face model of {type(pl_module).__name__}, but got "
            f"{attribute!r}; its submodules with a config: {', '.join(children) or 'none'}."
        )
    return model
