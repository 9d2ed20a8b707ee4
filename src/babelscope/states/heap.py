"""Memory that is freed and wanted again at once stays with the process, where it is glibc that would give it back."""

import ctypes
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
LARGE = 64 * 2**20
"""Bytes from which a tensor has pages of its own, which go when it is freed."""
KEPT = 256 * 2**20
"""Bytes of freed memory that the process may keep."""


@cache
def keep_freed_memory() -> bool:
    """Let the process keep what it frees, up to `KEPT` bytes, and say whether that can be told to its allocator.

    A forward pass frees the tensors of one layer and asks for the same again. glibc returns some of them to the system
    each time, depending on what came before, and gets them back page by page: up to a fifth of the time of a pass.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
