"""Read of which family a checkpoint is, before its weights are fetched."""

from pathlib import Path

from babelscope.models.checkpoint import find
from babelscope.models.families import Family, family_of
from babelscope.models.written import read_written, text_part


def peek(checkpoint: str | Path, *, revision: str | None = None, trust_remote_code: bool = False) -> Family:
    """Read the family of a checkpoint, or of the model that its adapters were made for, from the configuration alone.

    Raises:
        ValueError: if the configuration cannot be read, or is of an unknown model type.
    """
    written = read_written(find(checkpoint, revision, trust_remote_code))
    return family_of(str(text_part(written).get("model_type")))
