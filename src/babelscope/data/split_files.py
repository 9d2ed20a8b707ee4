"""Files of which each holds one split, named by a pattern."""

import re
from glob import escape, glob
from pathlib import Path

from babelscope.data.rows import READERS

VALIDATION = ("dev", "validation", "valid", "val")
"""Names of one split."""


def files_of_splits(pattern: Path) -> dict[str, Path]:
    """Find the tables whose names have a split where the pattern has {split}, in the order of training, then by name.

    Raises:
        FileNotFoundError: if there is none.
    """
    whole = re.compile(re.escape(str(pattern)).replace(r"\{split\}", "([^/]+)", 1).replace(r"\{split\}", r"\1"))
    found = {}
    for path in glob(escape(str(pattern)).replace("{split}", "*")):
        match = whole.fullmatch(path)
        if match is not None and Path(path).is_dir() != (pattern.suffix.lower() in READERS):
            found[match[1]] = Path(path)
    if not found:
        raise FileNotFoundError(f"Expected a table for each split, but found none at {pattern}; correct the path")
    usual = ("train", *VALIDATION, "test")
    return {part: found[part] for part in sorted(found, key=lambda part: ([*usual, part].index(part), part))}


def aliases_of(splits: dict[str, Path]) -> dict[str, str]:
    """Let validation, or what it is called there, go by its other names, too."""
    return {other: part for part in VALIDATION if part in splits for other in VALIDATION if other not in splits}
