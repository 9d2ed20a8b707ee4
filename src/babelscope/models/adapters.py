"""Low-rank adapters for every family: added, saved and loaded back."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from babelscope.models.families import Family, Task
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
        dropout: Of the adapters' inputs, while training.
        targets: Last names of the linear layers to adapt; by default the family's.
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
    with _quiet():
        return get_peft_model(model, config)


def _match(model: nn.Module, targets: Sequence[str]) -> list[nn.Module]:
    """Find the layers with these last names, as PEFT does, but refuse a name without any."""
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
    """Save the adapters, the trained head, and the configuration of their model, which knows the labels."""
    # PEFT's "auto" asks the Hub whether the vocabulary has grown; it never does here
    model.save_pretrained(str(folder), save_embedding_layers=False)
    model.get_base_model().config.save_pretrained(folder)


@dataclass(frozen=True)
class MadeFor:
    """The model that adapters were made for."""

    base: str
    revision: str | None
    task: Task


def read_adapter(folder: Path) -> MadeFor:
    """Read from a folder of adapters which model they were made for.

    Raises:
        ValueError: if it cannot be read, or has no weights in safetensors.
    """
    try:
        found = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base, revision = found["base_model_name_or_path"], found.get("revision")
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"Expected adapter_config.json in `model.checkpoint` to name its base model, but {folder} does not "
            f"({error}); save the adapter again."
        ) from error
    if not (folder / "adapter_model.safetensors").is_file():
        raise ValueError(
            f"Expected adapter_model.safetensors in `model.checkpoint`, but {folder} has none; "
            "save the adapter again with PEFT's safe serialization."
        )
    made_for = (found.get("auto_mapping") or {}).get("base_model_class", "")
    kind = found.get("task_type") or ""
    if kind == "SEQ_CLS" or "SequenceClassification" in made_for:
        return MadeFor(base, revision, "topic")
    heads = ("MaskedLM", "CausalLM", "LMHead", "ConditionalGeneration")
    if kind in ("CAUSAL_LM", "SEQ_2_SEQ_LM") or any(head in made_for for head in heads):
        return MadeFor(base, revision, "lm")
    return MadeFor(base, revision, "base")


def attach(model: PreTrainedModel, folder: Path) -> PeftModel:
    """Put saved adapters, and the head saved with them, into their base model, ready to be trained on.

    Raises:
        ValueError: if the weights do not fit the model.
    """
    with _quiet(), warnings.catch_warnings():
        # PEFT would only warn, and go on with random adapters
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        try:
            return PeftModel.from_pretrained(model, str(folder), is_trainable=True)
        except (RuntimeError, UserWarning, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip()[:200]
            raise ValueError(
                f"Expected the adapter in `model.checkpoint` to fit {type(model).__name__}, but {folder} does not "
                f"({reason}); give the task and the number of labels that it was trained with."
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # PEFT still asks transformers for a property under its old name
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield
