"""Find the file of each split by a pattern."""

from collections.abc import Collection
from pathlib import Path

from babelscope.data.patterns import names_in, only_path
from babelscope.data.table_files import READERS

VALIDATION = ("dev", "validation", "valid", "val")
"""Names of one split."""


def files_of_splits(pattern: Path, endings: Collection[str] | None = tuple(READERS)) -> dict[str, Path]:
    """Find the file of each split, where the pattern has {split}: train, validation and test first, others by name.

    Args:
        pattern: a path with {split} in it.
        endings: of files; a pattern without any of them is one of folders that `datasets` saved. None takes both.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = {name: Path(str(pattern).replace("{split}", name)) for name in names_in(pattern, "split")}
    if endings is not None:
        is_file = pattern.suffix.lower() in endings
        found = {name: path for name, path in found.items() if only_path(path).is_dir() != is_file}
    if not found:
        raise FileNotFoundError(f"Expected a table for each split, but found none at {pattern}; correct the path")
    usual = ("train", *VALIDATION, "test")
    return {part: found[part] for part in sorted(found, key=lambda part: ([*usual, part].index(part), part))}


def aliases_of(splits: dict[str, Path]) -> dict[str, str]:
    """Map every other name of the validation split (dev, validation, valid, val) to the one that exists."""
    return {other: part for part in VALIDATION if part in splits for other in VALIDATION if other not in splits}
