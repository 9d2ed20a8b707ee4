"""Read the family of a checkpoint before its weights are fetched."""

from pathlib import Path

from babelscope.models.checkpoint import find
from babelscope.models.families import Family
from babelscope.models.written import family_in, read_written


def peek(checkpoint: str | Path, *, revision: str | None = None, trust_remote_code: bool = False) -> Family:
    """Read the family of a checkpoint, or of the model that its adapters were made for, from the configuration alone.

    Raises:
        ValueError: if the configuration cannot be read, or is of an unknown model type.
    """
    return family_in(read_written(find(checkpoint, revision, trust_remote_code)))
