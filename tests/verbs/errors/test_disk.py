"""What the disk refuses: exit code 2, one line that names argument, value and remedy, and nothing left behind."""

import errno
import os
import subprocess

import pytest

from babelscope.files import write_text
from babelscope.verbs.errors import one_line
from tests.verbs.command import SHORT_TRAINING, babelscope, refused, says, written

pytestmark = pytest.mark.usefixtures("somewhere")


def test_output_below_a_file(small, somewhere):
    (somewhere / "file").write_text("")
    says(refused("probe", *small, "output=file/run"), "file/run", "Not a directory", "output=FOLDER")
    says(refused("probe", *small, "output=file"), "file", "output=FOLDER")
    says(refused("probe", *small, "output=/proc/nothing/run"), "/proc/nothing", "output=FOLDER")


def test_a_temporary_name_is_not_the_users():
    line = one_line(IsADirectoryError(errno.EISDIR, "Is a directory", "runs/.rows.parquet.4711.tmp", None, "x"))
    says(line, "Expected runs/rows.parquet to be", "Is a directory")


def test_a_file_that_is_too_large_has_a_name(tmp_path, monkeypatch):
    def too_large(*args):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(os, "fsync", too_large)
    with pytest.raises(OSError, match="File too large") as told:
        write_text(tmp_path / "run.yaml", "x")
    says(
        one_line(told.value),
        f"Expected {tmp_path / 'run.yaml'} to stay within the file-size limit",
        "File too large",
        "ulimit -f",
    )


@pytest.mark.parametrize("place", ["files", "store"])
def test_full_disk(small, monkeypatch, place):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync" if place == "files" else "posix_fallocate", full)
    says(refused("probe", *small), "disk", "full", "output=FOLDER", "cache=FOLDER")


@pytest.mark.parametrize("size", ["8k", "500k"])
def test_a_disk_that_is_really_full(small, somewhere, size):
    disk = somewhere / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a file system")
    try:
        for verb, more in (("probe", ()), ("train", SHORT_TRAINING)):
            ended = babelscope(verb, *small, *more, f"output=disk/{verb}/run")
            assert (ended.code, len(ended.lines)) == (2, 1), ended.err
            says(ended.err, "disk", "full", "output=FOLDER")
            assert not [path for path in written(disk) if ".tmp" in path or ".writing" in path]
            assert size != "8k" or written(disk) == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
