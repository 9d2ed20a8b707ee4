"""Whole folders: what carries its final name on disk is complete, whatever interrupts the writer."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; it gets the final name, in place of what had it, once the `with` is left.

    Raises:
        OSError: if the folder cannot be written; nothing is left behind then, as after any other failure inside.
    """
    # not mkdtemp, whose folders nobody else may read
    temporary = folder.with_name(f".writing-{folder.name}-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process with this number
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
