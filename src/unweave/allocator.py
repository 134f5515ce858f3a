"""Memory that a network freed is kept for its next step: glibc gives it back, and each step then asks page by page.

A training step frees all it made. Blocks that glibc mapped for themselves go back to the kernel, and so does the end
of the heap; the next step gets them again as pages that are not there, and each is a fault that the kernel serves alone
while all threads wait. On two cores that was a tenth of a step of EncDiff's laptop preset, and half a step of the
release's network (docs/fast_recipe.md).
"""

import ctypes
import os
import platform
from functools import lru_cache

TRIM, MAPPED = -1, -3
"""glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD (malloc.h)."""
KEPT, BLOCK = 2**31 - 1, 2**30
"""Bytes at the end of the heap that are kept (the most mallopt takes), and the size from which a block is mapped."""


@lru_cache(maxsize=1)
def keep() -> bool:
    """From now on this process keeps freed memory, up to 2 GiB at the end of its heap; whether it does.

    Nothing is changed where the C library is not glibc, or where MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ or
    GLIBC_TUNABLES in the environment say what glibc is to do.
    """
    chosen = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"} & set(os.environ)
    library = _glibc()
    if library is None or chosen:
        return False
    return bool(library.mallopt(MAPPED, BLOCK) and library.mallopt(TRIM, KEPT))


def give_back() -> None:
    """What is free goes back to the system, before one asks how much the system has."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
