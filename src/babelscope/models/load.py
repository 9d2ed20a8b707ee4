"""Load a checkpoint with a head: its model, adapted and frozen, its tokenizer and its parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTextEncoding,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from babelscope.models.checkpoint import Checkpoint, name_base, resolve_checkpoint, unreadable
from babelscope.models.families import Family, Head, family_of
from babelscope.models.freeze import freeze as freeze_parts
from babelscope.models.old_head import CLASSIFIER_MODULES, begin_classifier, has_other_classifier
from babelscope.models.parts import Parts, parts_of
from babelscope.models.policies import Policy
from babelscope.models.raw_config import (
    TEXT_WEIGHTS,
    RawConfig,
    family_of_config,
    read_raw_config,
    text_config,
    wraps_text,
)
from babelscope.models.saved_adapters import attach
from babelscope.models.tokenizer import load_tokenizer, share_length, share_padding, share_start
from babelscope.models.trainable import TrainableMap, trainable_map

DType = Literal["float32", "bfloat16", "float16"]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_CLASSIFIERS = {
    "classification": AutoModelForSequenceClassification,
    "token_classification": AutoModelForTokenClassification,
}
_LANGUAGE_MODELS = {
    "masked": AutoModelForMaskedLM,
    "span": AutoModelForSeq2SeqLM,
    "causal": AutoModelForCausalLM,
    "translation": AutoModelForSeq2SeqLM,
}
# keeps transformers from loading adapters beside the model, which `attach` does: it looks for them inside this file
_NO_ADAPTERS = {"subfolder": "config.json"}


class MissingWeightsError(ValueError):
    """Raised for a checkpoint that lacks weights that its head needs."""


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to be trained or probed."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    parts: Parts
    trainable: TrainableMap


def load(
    checkpoint: str | Path,
    *,
    head: Head = "base",
    revision: str | None = None,
    dtype: DType = "float32",
    labels: int | Sequence[str] | None = None,
    adapter: Callable[[Any], nn.Module] | None = None,
    freeze: Policy | None = None,
    trust_remote_code: bool = False,
    family: Family | None = None,
    tokenizer: str | None = None,
    new_head: bool = True,
) -> Loaded:
    """Load a checkpoint, add adapters, freeze, and find the parts; in that order.

    Args:
        checkpoint: A folder or a Hub id. A folder of saved adapters also loads the model that they were made for.
        head: None ("base"; of an encoder-decoder, only the encoder), a classifier of texts or of tokens, or a
            language-modelling head.
        revision: Revision of a Hub id; in a folder, a subfolder such as "step=100".
        dtype: Type of all weights, whatever type the checkpoint stores.
        labels: Of a classifier, the number of classes or their names in order; by default those of the checkpoint.
        adapter: Adds adapters to the model, as `adapters.lora` does.
        freeze: What to freeze, applied after the adapters.
        trust_remote_code: Run code that comes with the checkpoint.
        family: The row to read the model by; by default the one of its model type.
        tokenizer: Folder or Hub id of the tokenizer; by default the checkpoint's own.
        new_head: Whether a classifier that the checkpoint lacks may be initialised at random, to be trained.

    Raises:
        MissingWeightsError: if the checkpoint lacks weights that nobody will train.
        ValueError: if an argument is not one of those above, or the checkpoint cannot be read, lacks weights that the
            head needs, or is of an unknown model type.
    """
    if head not in get_args(Head):
        raise ValueError(f"Expected `head` to be one of {', '.join(get_args(Head))}, but got {head!r}; choose one.")
    found = resolve_checkpoint(checkpoint, revision, trust_remote_code)
    if found.adapter is not None and head not in ("base", found.adapter_head):
        beside = found.local and found.adapter.samefile(found.name_or_path)
        alone = "move its adapter_config.json away" if beside else f"load the base checkpoint {found.name_or_path}"
        possible = " or ".join(dict.fromkeys((found.adapter_head, "base")))
        only = ", or, to find regions of neurons only, ablation=null" if head == "lm" else ""
        raise ValueError(
            f"Expected `head` (chosen by `task`) to be {possible} for the adapter in {found.adapter}, which was "
            f"trained with it, but got {head}; choose one of these, or {alone}{only}."
        )
    own = head if found.adapter is None else found.adapter_head
    with quiet(found.local):
        raw = read_raw_config(found)
    config, family = _configure(found, raw, labels if own in _CLASSIFIERS else None, family)
    _refuse_headless(found, config, own, family)
    names = TEXT_WEIGHTS if wraps_text(raw) else None
    to_train = own in _CLASSIFIERS and new_head and found.adapter is None
    afresh = to_train and has_other_classifier(raw, own, labels, str(found))
    model = _load_weights(
        found, config, own, _choose_dtype(dtype, family), family, new_head=new_head, names=names, afresh=afresh
    )
    if own == "base" and family.decoder is not None and hasattr(model, family.decoder):
        delattr(model, family.decoder)  # transformers has no class for only the encoder of a translation model
    text = load_tokenizer(found, tokenizer)
    share_padding(text, model)
    share_start(model, family.objective)
    share_length(text, parts_of(model, family))
    whole: nn.Module = model
    if found.adapter is not None:
        whole = attach(model, found.adapter)
        if head != own:  # adapters stay active in the backbone where they were injected; T5's keeps its decoder
            whole = model.base_model
    if adapter is not None:
        whole = adapter(whole)
    name_base(whole, found)
    parts = parts_of(whole, family)
    return Loaded(whole, text, parts, trainable_map(parts) if freeze is None else freeze_parts(parts, freeze))


def auto_class(head: Head, config: PreTrainedConfig, family: Family | None = None) -> Any:
    """Choose the Hugging Face class that has this head for a family."""
    objective = (family or family_of(config.model_type)).objective
    if head in _CLASSIFIERS:
        return _CLASSIFIERS[head]
    if head == "lm":
        return _LANGUAGE_MODELS[objective]
    return AutoModelForTextEncoding if objective == "span" else AutoModel


def _refuse_headless(found: Checkpoint, config: PreTrainedConfig, head: Head, family: Family) -> None:
    if head == "lm" and family.objective == "translation":
        classifies = type(config) in auto_class("classification", config, family)._model_mapping
        raise ValueError(
            f"Expected `head` (chosen by `task`) to be base{' or classification' if classifies else ''} for a "
            f"{family.model_type} model, which was trained to translate and predicts nothing of one language alone, "
            "but got lm; choose a model of another family, or, to find regions of neurons only, ablation=null."
        )
    # remote code may define any head
    if not found.trust_remote_code and type(config) not in auto_class(head, config, family)._model_mapping:
        other = "lm" if head in _CLASSIFIERS else "another"
        other = f"{other}, or a model of another family"
        remedy = "a model of another family; this one can be probed" if family.objective == "translation" else other
        raise ValueError(
            f"Expected `head` (chosen by `task`) to be one that transformers has a {family.model_type} model for, but "
            f"got {head}; choose {remedy}."
        )


def _choose_dtype(dtype: str, family: Family) -> torch.dtype:
    if dtype not in _DTYPES:
        raise ValueError(f"Expected `model.dtype` to be one of {', '.join(_DTYPES)}, but got {dtype!r}; choose one.")
    if dtype == "float16" and not family.float16:
        raise ValueError(
            f"Expected `model.dtype` of a {family.model_type} model to be float32 or bfloat16, but got float16, in "
            "which its activations overflow; use model.dtype=bfloat16."
        )
    return _DTYPES[dtype]


def _configure(
    found: Checkpoint, raw: RawConfig, labels: int | Sequence[str] | None, family: Family | None
) -> tuple[PreTrainedConfig, Family]:
    changes: Mapping[str, Any] = found.labels()
    if isinstance(labels, int):
        changes = {"num_labels": labels}
    elif labels is not None:
        changes = {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}
    family = family_of_config(raw) if family is None else family
    try:
        config = AutoConfig.from_pretrained(
            found.name_or_path, revision=found.revision, trust_remote_code=found.trust_remote_code, **changes
        )
        return text_config(config, raw), family
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable("a configuration that can be read", found, error) from error


def _load_weights(
    found: Checkpoint,
    config: PreTrainedConfig,
    head: Head,
    dtype: torch.dtype,
    family: Family,
    *,
    new_head: bool,
    names: dict[str, str] | None,
    afresh: bool,
) -> PreTrainedModel:
    try:
        with quiet(found.local):
            model, report = auto_class(head, config, family).from_pretrained(
                found.name_or_path,
                config=config,
                revision=found.revision,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=found.trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named in the error below
                adapter_kwargs=_NO_ADAPTERS if found.local else None,
                key_mapping=names,
            )
    # a truncated file raises SafetensorError, a direct subclass of Exception
    except Exception as error:
        raise unreadable("weights that can be read", found, error) from error
    if names is not None:
        # otherwise the model would be saved under the wrapper's weight names, which do not fit its configuration
        vars(model).pop("_weight_conversions", None)
    if afresh:
        begin_classifier(model)
    saved = found.adapter_tensors()
    drawn = CLASSIFIER_MODULES if afresh else ()
    mismatched = [key for key in report["mismatched_keys"] if key[0] not in saved and key[0].split(".")[0] not in drawn]
    if mismatched:
        name, stored, wanted = min(mismatched)
        raise ValueError(
            f"Expected the weights in `model.checkpoint` to have the shapes of {type(model).__name__}, but in {found} "
            f"{name} is {tuple(stored)} and not {tuple(wanted)}; correct its config.json, or give the number of labels "
            "that it was trained with."
        )
    missing = set(report["missing_keys"]) - saved
    _refuse_random(found, model, missing, head, parts_of(model, family), new_head=new_head)
    return model


def _refuse_random(
    found: Checkpoint, model: PreTrainedModel, missing: set[str], head: Head, parts: Parts, *, new_head: bool
) -> None:
    """Refuse a checkpoint that lacks weights which nobody will train; a classifier and BERT's pooler may be new."""
    new = [*parts.rest, *(parts.head if head in _CLASSIFIERS and new_head else ())]
    may_miss = {id(p) for module in new for p in module.parameters()}
    bad = sorted(n for n, p in model.named_parameters() if n in missing and id(p) not in may_miss)
    if bad:
        raise MissingWeightsError(
            f"Expected `model.checkpoint` to hold all weights of {type(model).__name__}, but {found} lacks {len(bad)}, "
            f"among them {bad[0]}; give a checkpoint saved with this architecture, or another `head` (chosen by "
            f"`task`) than {head}."
        )


@contextmanager
def quiet(local: bool) -> Iterator[None]:
    """Silence transformers' loading report and, for files that need no download, its progress bars."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if local and bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if local and bars:
            logging.enable_progress_bar()
