"""Whole files and folders: what carries its final name on disk is complete, whatever interrupts the writer."""

import json
import os
import platform
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
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
    temporary = _temporary(path, f".{path.name}.", ".tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        temporary.replace(path)
    except OSError as error:
        if error.filename is None or Path(error.filename) == temporary:  # writing, unlike opening, tells no name
            error.filename = str(path)
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
    temporary = _temporary(folder, f".writing-{folder.name}-")
    temporary.mkdir(parents=True)  # not mkdtemp, whose folders nobody else may read
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


def _temporary(path: Path, begins: str, ends: str = "") -> Path:
    """Return a name beside a path that no other write has, and remove what killed processes left under such names.

    The name tells who writes, for only there can be asked whether a process still runs; and none has ever had it
    before, so that what is found under the name of a dead process is no longer anybody's.
    """
    ends = f"@{_here()}{ends}"
    for left in path.parent.glob(f"{escape(begins)}*{escape(ends)}"):
        writer = re.fullmatch("[0-9a-f]{8}-([0-9]{1,9})", left.name.removeprefix(begins).removesuffix(ends))
        if writer is None or born(int(writer[1])) is not None:  # another name that begins alike, or still written
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):  # another user's may be ours to see, but not to remove
                left.unlink()
    return path.with_name(f"{begins}{secrets.token_hex(4)}-{os.getpid()}{ends}")


def _here() -> str:
    """Name the machine and the container on it: where a number means the same process."""
    try:
        return f"{platform.node()}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return platform.node()


def born(pid: int) -> str | None:
    """Tell when a process of this host began, in clock ticks since the machine's start.

    It is here because sweeps ask, too, and this file is below them.

    Returns:
        None where there is no such process, or only its exit code waits to be read; empty where the system does not
        tell: without /proc, or of another user's process.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # another user's, which /proc may hide
        pass
    try:
        # the name stands in brackets and may hold any character
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return None if state in "ZX" else fields[18]


def leave_terminal() -> None:
    """Print to nowhere from now on, because the terminal is gone and each write to it would fail."""
    for stream in (1, 2):
        if stat.S_ISCHR(os.fstat(stream).st_mode):  # it is no longer a terminal by what the system says
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
