"""Whole files and folders: what carries its final name on disk is complete, whatever interrupts the writer."""

import json
import os
import platform
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write; it gets the final name once the `with` is left: readers see the old or the new.

    Args:
        path: Final name; missing parent folders are made.

    Raises:
        OSError: if the folder cannot be written or the disk is full; the temporary file is gone by then, as after any
            other failure inside.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # which writing, unlike opening, does not tell
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a whole UTF-8 text file (run.yaml, report.html)."""
    with whole_file(path) as temporary:
        temporary.write_bytes(text.encode())
    return path


def write_json(folder: Path, name: str, value: Any) -> Path:
    """Write `folder/NAME.json` whole; keys keep their order."""
    return write_text(folder / f"{name}.json", json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def whole_folder(folder: Path, *, keep: str | None = None) -> Iterator[Path]:
    """Yield a temporary folder to fill; it gets the final name, in place of what had it, once the `with` is left.

    Args:
        folder: Final name.
        keep: A file. If by then a folder of the final name holds it, somebody else has made the same meanwhile, and may
            be reading: that one stays.

    Raises:
        OSError: if the folder cannot be written; nothing is left behind then, as after any other failure inside.
    """
    # not mkdtemp, whose folders nobody else may read
    temporary = folder.with_name(f".writing-{folder.name}-{platform.node()}-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process with this number
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if keep is not None and (folder / keep).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            temporary.replace(folder)
        except OSError:  # the other one was a moment faster
            if keep is None or not (folder / keep).exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def leave_terminal() -> None:
    """Print to nowhere from now on, because the terminal is gone and each write to it would fail."""
    for stream in (1, 2):
        if stat.S_ISCHR(os.fstat(stream).st_mode):  # it is no longer a terminal by what the system says
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
