"""Whole files: what carries its final name on disk is complete, whatever interrupts the writer."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def replace(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Write a file under a temporary name in its own folder, then rename it: readers see the old file or the new one.

    Args:
        path: the final name; missing parent folders are made.
        fill: writes the content into the open binary file it is given.

    Raises:
        OSError: the folder cannot be written or the disk is full; the temporary file is gone by then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # which writing, unlike opening, does not tell
        raise
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a whole UTF-8 text file (run.yaml, report.html)."""
    return replace(path, lambda file: file.write(text.encode()))


def write_json(folder: Path, name: str, value: Any) -> Path:
    """Write `folder/NAME.json` whole; keys keep their order."""
    return write_text(folder / f"{name}.json", json.dumps(value, indent=2, ensure_ascii=False) + "\n")
