"""A checkpoint's config.json as written, and the text model inside a multimodal checkpoint such as Gemma 3."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from babelscope.models.checkpoint import Checkpoint, resolve_checkpoint, unreadable
from babelscope.models.families import FAMILIES, Family, family_of

TEXT_WEIGHTS = {
    r"^(?:model\.)?language_model\.(?:model\.)?(?!lm_head)": "model.",
    r"^language_model\.lm_head": "lm_head",
}
"""Maps weight names in multimodal checkpoints, older and newer ones, to the names in their text model."""
RawConfig = Mapping[str, Any]


def read_raw_config(found: Checkpoint) -> RawConfig:
    """Read config.json before transformers parses it, because the errors of transformers name no remedy.

    Raises:
        ValueError: if it cannot be read.
    """
    try:
        raw, _ = PreTrainedConfig.get_config_dict(found.name_or_path, revision=found.revision)
    except (OSError, ValueError) as error:
        raise unreadable("a configuration that can be read", found, error) from error
    return raw


def wraps_text(raw: RawConfig) -> bool:
    """Return whether this model wraps a text model of a known family, which is then read in its place."""
    text = raw.get("text_config")
    row = FAMILIES.get(text.get("model_type", "")) if isinstance(text, Mapping) else None
    # other objectives store their weights under other names
    known = row is not None and row.objective == "causal"
    return known and raw.get("model_type") not in FAMILIES


def text_part(raw: RawConfig) -> RawConfig:
    """Return the part of config.json about the text model: all of it if there is no wrapper."""
    return {**raw["text_config"], **_ties(raw)} if wraps_text(raw) else raw


def family_of_config(raw: RawConfig) -> Family:
    """Look up the row of the text model.

    Raises:
        ValueError: if the family is unknown.
    """
    return family_of(str(text_part(raw).get("model_type")))


def read_family_of_checkpoint(
    checkpoint: str | Path, *, revision: str | None = None, trust_remote_code: bool = False
) -> Family:
    """Read the family of a checkpoint, or of the model that its adapters were made for, from the configuration alone.

    Raises:
        ValueError: if the configuration cannot be read, or is of an unknown model type.
    """
    return family_of_config(read_raw_config(resolve_checkpoint(checkpoint, revision, trust_remote_code)))


def text_config(config: PreTrainedConfig, raw: RawConfig) -> PreTrainedConfig:
    """Return the text model's configuration, with the wrapper's ties and labels; `config` itself without a wrapper."""
    if not wraps_text(raw):
        return config
    text = config.get_text_config()
    for name, value in {**_ties(raw), "id2label": config.id2label, "label2id": config.label2id}.items():
        setattr(text, name, value)
    return text


def _ties(raw: RawConfig) -> RawConfig:
    return {key: raw[key] for key in ("tie_word_embeddings",) if key in raw}
