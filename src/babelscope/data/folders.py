"""Whole folders: what carries its final name on disk is complete, whatever interrupts the writer."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
