"""A checkpoint's config.json as written, and the text model inside a multimodal checkpoint such as Gemma 3."""

from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig

from babelscope.models.checkpoint import Checkpoint, in_one_line
from babelscope.models.families import FAMILIES, Family, family_of

TEXT_WEIGHTS = {
    r"^(?:model\.)?language_model\.(?:model\.)?(?!lm_head)": "model.",
    r"^language_model\.lm_head": "lm_head",
}
"""Maps weight names in multimodal checkpoints, older and newer ones, to the names in their text model."""
Written = Mapping[str, Any]


def read_written(found: Checkpoint) -> Written:
    """Read config.json before transformers parses it, because the errors of transformers name no remedy.

    Raises:
        ValueError: if it cannot be read.
    """
    try:
        written, _ = PreTrainedConfig.get_config_dict(found.place, revision=found.revision)
    except (OSError, ValueError) as error:
        raise ValueError(in_one_line("a configuration that can be read", found, error)) from error
    return written


def wraps_text(written: Written) -> bool:
    """Tell whether this model wraps a text model of a known family, which is then read in its place."""
    text = written.get("text_config")
    row = FAMILIES.get(text.get("model_type", "")) if isinstance(text, Mapping) else None
    # other objectives store their weights under other names
    known = row is not None and row.objective == "causal"
    return known and written.get("model_type") not in FAMILIES


def text_part(written: Written) -> Written:
    """Return the part of config.json about the text model: all of it if there is no wrapper."""
    return {**written["text_config"], **_ties(written)} if wraps_text(written) else written


def family_in(written: Written) -> Family:
    """Look up the row of the text model.

    Raises:
        ValueError: if the family is unknown.
    """
    return family_of(str(text_part(written).get("model_type")))


def text_config(config: PreTrainedConfig, written: Written) -> PreTrainedConfig:
    """Return the text model's configuration, with the wrapper's ties and labels; `config` itself without a wrapper."""
    if not wraps_text(written):
        return config
    text = config.get_text_config()
    for name, value in {**_ties(written), "id2label": config.id2label, "label2id": config.label2id}.items():
        setattr(text, name, value)
    return text


def _ties(written: Written) -> Written:
    return {key: written[key] for key in ("tie_word_embeddings",) if key in written}
