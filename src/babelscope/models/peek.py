"""Read of which family a checkpoint is, before its weights are fetched."""

from pathlib import Path

from transformers import PreTrainedConfig

from babelscope.models.checkpoint import find, in_one_line
from babelscope.models.families import Family, family_of


def peek(checkpoint: str | Path, *, revision: str | None = None, trust_remote_code: bool = False) -> Family:
    """Read the family of a checkpoint, or of the model that its adapters were made for, from the configuration alone.

    Raises:
        ValueError: if the configuration cannot be read, or is of an unknown model type.
    """
    found = find(checkpoint, revision, trust_remote_code)
    try:
        written, _ = PreTrainedConfig.get_config_dict(found.place, revision=found.revision)
    except (OSError, ValueError) as error:
        raise ValueError(in_one_line("a configuration that can be read", found, error)) from error
    return family_of(str(written.get("model_type")))
