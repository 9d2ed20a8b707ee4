"""Finished studies of token tables in the cache, so that a command that failed at a later model repeats none."""

import json
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from babelscope.files import write_text

FORMAT = 2
"""Raised when the meaning of a stored study changes: it is part of the key."""


def table_folder(cache: str, weights: str) -> Path:
    """Return the folder of the cache that belongs to one table, by the hash of its weights."""
    return Path(cache).expanduser() / "tokens" / weights[:32]


def study_once(folder: Path, key: dict[str, Any], study: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """Read a finished study from the folder of its table, or make and keep it.

    Args:
        folder: Of this table alone.
        key: All else that the study depends on.
        study: Makes it.

    Returns:
        The study as JSON gives it back, and whether it was there.
    """
    whole = json.dumps({**key, "version": version("babelscope"), "format": FORMAT}, sort_keys=True, default=sorted)
    file = folder / f"study-{sha256(whole.encode()).hexdigest()[:32]}.json"
    if there := file.exists():
        made = json.loads(file.read_text(encoding="utf-8"))
    else:
        made = study()
        write_text(file, json.dumps(made, separators=(",", ":"), ensure_ascii=False))
    return made, there
