"""Add low-rank adapters to a model of any family, and save them."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from babelscope.models.families import Family
from babelscope.models.parts import parts_of


def lora(
    model: PreTrainedModel,
    *,
    r: int = 8,
    alpha: float = 16,
    dropout: float = 0.0,
    targets: Sequence[str] | None = None,
    family: Family | None = None,
) -> PeftModel:
    """Freeze a model and add trainable low-rank adapters to it (Hu et al. 2022).

    A classifier, with a pooler in front of it, stays trainable and is saved with the adapter; a language-modelling
    head is frozen with the rest.

    Args:
        model: Bare, language model or classifier of any family; it is changed in place.
        r: Rank.
        alpha: Adapters are scaled by alpha / r.
        dropout: Dropout on the adapters' inputs in training.
        targets: Last name components of the linear layers to adapt; by default the family's.
        family: The row to read the model by; by default the one of `config.model_type`.

    Raises:
        ValueError: if the model has adapters already, a target matches no layer, or a number is out of range.
    """
    if isinstance(model, PeftModel):
        raise ValueError(
            "Expected `model` to be without adapters, but it has some; load the base checkpoint to add new ones."
        )
    if r < 1 or not 0 <= dropout < 1:
        raise ValueError(
            f"Expected `adapter.r` >= 1 and 0 <= `adapter.dropout` < 1, but got r={r}, dropout={dropout}; correct it."
        )
    parts = parts_of(model, family)
    names = tuple(parts.family.lora_targets if targets is None else targets)
    matched = _match(model, names)
    trained = (*parts.head, *parts.rest) if parts.head and parts.lm_head is None else ()
    path = {id(module): name for name, module in model.named_modules()}
    config = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(names),
        modules_to_save=[path[id(module)] for module in trained] or None,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in matched),
    )
    with quiet_peft():
        return get_peft_model(model, config)


def _match(model: nn.Module, targets: Sequence[str]) -> list[nn.Module]:
    """Find the layers with these last name components, as PEFT does, but refuse a name that matches no layer."""
    linear = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear | nn.Embedding | Conv1D)}
    found = {target: [m for n, m in linear.items() if f".{n}".endswith(f".{target}")] for target in targets}
    missing = [target for target, modules in found.items() if not modules]
    if missing or not targets:
        known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in linear}))
        raise ValueError(
            f"Expected `adapter.targets` to name linear layers of {type(model).__name__}, "
            f"but got {', '.join(missing) or 'none'}; its layers are {known}."
        )
    return [module for modules in found.values() for module in modules]


def save_adapted(model: PeftModel, folder: str | Path) -> None:
    """Save the adapters, the trained head, and the model's configuration, which holds the labels."""
    # PEFT's "auto" asks the Hub whether the vocabulary has grown, which never happens here
    model.save_pretrained(str(folder), save_embedding_layers=False)
    model.get_base_model().config.save_pretrained(folder)


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Silence a PEFT warning that users can do nothing about."""
    with warnings.catch_warnings():
        # PEFT still reads a transformers property by its old name
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield
