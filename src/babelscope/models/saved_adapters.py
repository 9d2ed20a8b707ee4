"""Saved adapters: read their base model and tensor shapes, and attach them."""

import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from peft import PeftConfig, PeftModel
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from babelscope.models.adapters import quiet_peft
from babelscope.models.families import Head

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# the last weight of every classifier of transformers: one row per label
CLASSIFIERS = ("classifier", "classifier.out_proj", "classification_head.out_proj", "score")


@dataclass(frozen=True)
class MadeFor:
    """The model that adapters were made for."""

    base: str
    revision: str | None
    head: Head


def read_adapter(folder: Path) -> MadeFor:
    """Read which model the adapters in a folder were made for.

    Raises:
        ValueError: if it cannot be read, or has no weights in safetensors.
    """
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        base, revision = found["base_model_name_or_path"], found.get("revision")
        # PEFT writes null or "" for a model that was never loaded from a checkpoint
        if not isinstance(base, str) or not base:
            raise ValueError(f"base_model_name_or_path is {json.dumps(base)}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected {CONFIG} in `model.checkpoint` to name its base model, but {folder} does not ({error}); "
            "write the base model's folder or Hub id there as base_model_name_or_path."
        ) from error
    if not (folder / WEIGHTS).is_file():
        raise ValueError(
            f"Expected {WEIGHTS} in `model.checkpoint`, but {folder} has none; "
            "save the adapter again with PEFT's safe serialization."
        )
    made_for = (found.get("auto_mapping") or {}).get("base_model_class", "")
    kind = found.get("task_type") or ""
    if kind == "SEQ_CLS" or "SequenceClassification" in made_for:
        return MadeFor(base, revision, "classification")
    if kind == "TOKEN_CLS" or "TokenClassification" in made_for:
        return MadeFor(base, revision, "token_classification")
    heads = ("MaskedLM", "CausalLM", "LMHead", "ConditionalGeneration")
    if kind in ("CAUSAL_LM", "SEQ_2_SEQ_LM") or any(head in made_for for head in heads):
        return MadeFor(base, revision, "lm")
    return MadeFor(base, revision, "base")


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Read names and shapes of the saved tensors; a head or a table is saved under the model's own parameter names.

    Raises:
        ValueError: if the file cannot be read.
    """
    try:
        with safe_open(folder / WEIGHTS, "pt") as stored:
            names = stored.keys()
            return {name.removeprefix("base_model.model."): tuple(stored.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"Expected {WEIGHTS} in `model.checkpoint` to be a safetensors file, but that of {folder} cannot be read "
            f"({error}); save the adapter again."
        ) from error


def count_labels(folder: Path) -> int | None:
    """Count the labels of the classifier that was saved with adapters; None if there was no classifier."""
    shapes = read_shapes(folder)
    return next((shapes[f"{name}.weight"][0] for name in CLASSIFIERS if f"{name}.weight" in shapes), None)


def attach(model: PreTrainedModel, folder: Path) -> PeftModel:
    """Put saved adapters, and the head saved with them, into their base model, ready to be trained on.

    Raises:
        ValueError: if they are prompts rather than adapters, of a kind unknown to PEFT, or do not fit the model.
    """
    try:
        kind = PeftConfig.from_pretrained(str(folder))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Expected {CONFIG} in `model.checkpoint` to be of adapters that this PEFT knows, but that of {folder} is "
            f"not ({type(error).__name__}: {error}); correct its peft_type, or install the PEFT that saved it."
        ) from error
    if kind.is_prompt_learning:
        raise ValueError(
            f"Expected the adapter in `model.checkpoint` to be injected into the model (LoRA, IA3), but {folder} is "
            f"{kind.peft_type.value}: prompt learning adds positions that no sentence has; train one with adapter=lora."
        )
    with quiet_peft(), warnings.catch_warnings():
        # PEFT would only warn, and continue with random adapters, or replace adapters that came with a Hub id
        warnings.filterwarnings("error", message=".*(missing adapter keys|Already found a `peft_config`).*")
        try:
            return PeftModel.from_pretrained(model, str(folder), is_trainable=True)
        except (RuntimeError, UserWarning, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip()[:300]
            raise ValueError(
                f"Expected the adapter in `model.checkpoint` to fit {type(model).__name__}, but {folder} does not "
                f"({reason}); {_remedy(model, str(error))}."
            ) from error


def _remedy(model: PreTrainedModel, error: str) -> str:
    """Find in PEFT's error what differs in size (token table, head or model), and return the remedy."""
    wrong = re.findall(r"size mismatch for base_model\.model\.(\S+):", error)
    tables = (model.get_input_embeddings(), model.get_output_embeddings())
    paths = tuple(f"{name}." for name, module in model.named_modules() if any(module is table for table in tables))
    if wrong and all(name.startswith(paths) for name in wrong):
        return (
            "its token table has other rows than its base's, so the vocabulary was resized: resize the base model "
            "alike (resize_token_embeddings), put the adapter into it (PeftModel.from_pretrained), merge it "
            "(merge_and_unload), save that with its tokenizer (save_pretrained), and give that folder"
        )
    if wrong and all(".modules_to_save." in name for name in wrong):
        return "give the task and the number of labels that it was trained with"
    return "write the model that it was trained on into its adapter_config.json as base_model_name_or_path"
