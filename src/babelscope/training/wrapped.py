"""The Hugging Face model inside a LightningModule, or another module."""

from operator import attrgetter
from typing import Any

from torch import nn


def model_in(holder: nn.Module, attribute: str) -> nn.Module:
    """Return the model that a module, such as somebody's LightningModule, keeps under this attribute, as `model.hf`.

    Of what `torch.compile` returned it is the model inside, which has the same weights and runs hooks.

    Raises:
        ValueError: if there is none; the message names the attributes that hold one.
    """
    try:
        model: Any = attrgetter(attribute)(holder)
    except AttributeError:
        model = None
    if not isinstance(model, nn.Module):
        held = ", ".join(_with_config(holder)) or "none"
        raise ValueError(
            f"Expected argument `attribute` to name the Hugging Face model of {type(holder).__name__}, but got "
            f"{attribute!r}; its submodules with a config: {held}."
        )
    inside: nn.Module = getattr(model, "_orig_mod", model)
    return inside


def _with_config(module: nn.Module, prefix: str = "") -> list[str]:
    """Name the outermost submodules that have a configuration."""
    paths = []
    for name, child in module.named_children():
        path = prefix + name
        paths += [path] if hasattr(child, "config") else _with_config(child, f"{path}.")
    return paths
