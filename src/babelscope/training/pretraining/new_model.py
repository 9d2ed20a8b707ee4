"""A new language model from a recipe's configuration; one that cannot be built, or does not run, is named in a line."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from babelscope.models.families import family_of
from babelscope.models.load import auto_class, quiet
from babelscope.models.parts import parts_of

SPECIAL = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
"""Of a vocabulary to try a configuration with."""


def new_model(options: Mapping[str, Any], *, size: int, special: Mapping[str, int | None]) -> PreTrainedModel:
    """Build a model with random weights.

    Args:
        options: Hugging Face configuration, with `model_type`.
        size: Of the vocabulary.
        special: Ids of special tokens, as the configuration calls them.

    Raises:
        ValueError: if the library refuses the configuration; the message has its reason.
    """
    if family_of(options["model_type"]).objective == "span":  # mT5's decoder starts from padding
        special = {**special, "decoder_start_token_id": special["pad_token_id"]}
    with _in_one_line(options):
        config = AutoConfig.for_model(**{**special, **options, "vocab_size": size})
    for name in ("num_hidden_layers", "hidden_size"):
        if not getattr(config, name) >= 1:
            key = config.attribute_map.get(name, name)
            raise ValueError(
                f"Expected `model.recipe.config.{key}` to be a whole number from 1, but got {getattr(config, name)}; "
                "correct it."
            )
    with _in_one_line(options):
        model: PreTrainedModel = auto_class("lm", config).from_config(config)
        return model


def refuse_unfit(options: Mapping[str, Any], layers: Sequence[str]) -> None:
    """Build and run a model with a small vocabulary, before text is read or anything slow begins.

    Args:
        options: Hugging Face configuration, with `model_type`.
        layers: Names of layers that the model should have.

    Raises:
        ValueError: if the model cannot be built or run, or lacks one of the layers.
    """
    ids = [value for name, value in options.items() if name.endswith("token_id") and isinstance(value, int)]
    # Transformers warns of ids in the configuration's defaults, beyond a vocabulary of this size; torch, of weights
    # without elements, refused below.
    with quiet(local=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = new_model(options, size=1 + max([1000, *ids]), special=SPECIAL).eval()
    refuse_short(model, 1)
    with _in_one_line(options):
        for name, weight in model.named_parameters():
            if not weight.numel():
                raise ValueError(f"{name} has the shape {tuple(weight.shape)}")
        text = torch.tensor([[3]])
        with torch.no_grad():
            model(input_ids=text, attention_mask=torch.ones_like(text), labels=text)
    known = parts_of(model).layers
    if unknown := [layer for layer in layers if layer not in known]:
        raise ValueError(
            f"Expected `model.recipe.contrast_layers` to be among the layers {', '.join(known)}, but got "
            f"{unknown[0]!r}; choose among them."
        )


def refuse_short(model: PreTrainedModel, longest: int) -> None:
    """Refuse a model with fewer positions than the longest text has tokens.

    Raises:
        ValueError: if it has; the message has the number of positions that it needs.
    """
    length = parts_of(model).max_length
    if length is not None and length < longest:
        name = "max_position_embeddings"
        key, given = model.config.attribute_map.get(name, name), getattr(model.config, name)
        raise ValueError(
            f"Expected `model.recipe.config.{key}` to be at least {given + longest - length}, for texts of {longest} "
            f"tokens, but got {given}; raise it."
        )


@contextmanager
def _in_one_line(options: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    # by which exception a size is refused that does not go with another depends on where a library notices
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(
            f"Expected `model.recipe.config` to describe a model of {options['model_type']} that can be built and "
            f"run, but got: {reason.rstrip('.')}; correct it."
        ) from error
