"""Memory that a network freed is kept for its next step: glibc gives it back, and each step then asks page by page.

A training step frees all it made. Blocks that glibc mapped for themselves go back to the kernel, and so does the end
of the heap; the next step gets them again as pages that are not there, and each is a fault that the kernel serves while
the other threads wait. Measured on two cores, that was a tenth of a step of EncDiff at 32 px (`laptop-3` of
benchmarks/records/fast_recipe.md), and nearly half a step of its release's network at 64 px.
"""

import ctypes
import os
import platform
from functools import lru_cache

TRIM, MAPPED, MOST_MAPPED = -1, -3, -4
"""glibc's M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_MMAP_MAX (malloc.h)."""
KEPT, BLOCK = 2**31 - 1, 2**30
"""The heap's end goes back where more bytes than this are free there; a block of at least so many is mapped."""


@lru_cache(maxsize=1)
def keep() -> bool:
    """From now on this process keeps freed memory, until 2 GiB at the end of its heap are free; whether it does.

    Nothing is changed where the C library is not glibc, or where MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ or
    GLIBC_TUNABLES, be it empty, is in the environment.
    """
    chosen = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"} & set(os.environ)
    library = _glibc()
    if library is None or chosen:
        return False
    blocks = library.mallopt(MAPPED, BLOCK) or library.mallopt(MOST_MAPPED, 0)  # an old glibc takes at most 32 MiB
    return bool(blocks and library.mallopt(TRIM, KEPT))


def give_back() -> None:
    """What is free goes back to the system, before one asks how much the system has."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
