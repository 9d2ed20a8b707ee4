"""Keep freed memory with the process instead of returning it to the system (glibc only)."""

import ctypes
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
LARGE = 64 * 2**20
"""Bytes from which a tensor gets its own pages, which are returned to the system when it is freed."""
KEPT = 256 * 2**20
"""Bytes of freed memory that the process may keep."""


@cache
def keep_freed_memory() -> bool:
    """Let the process keep up to `KEPT` bytes of freed memory, and return whether its allocator can be told so.

    A forward pass frees the tensors of one layer and asks for the same sizes again. Depending on what came before,
    glibc returns some of them to the system each time and gets them back page by page, which takes up to a fifth of the
    time of a pass.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
