"""Room on the disk: what the cache and the downloads ask before they write much, and say where there is none."""

import errno
import shutil
from pathlib import Path

from unweave.progress import amount

RESERVED_BYTES = 64 << 20  # that are left free
PICTURE_BYTES = 8 << 20  # that are free where pictures are written for a page
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when the disk is full."""


class NoSpaceError(OSError):
    """The disk is full; the message says what to do."""


def check_cache_space(folder: Path, needed: int) -> None:
    """Raise NoSpaceError unless the disk of the cache has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVED_BYTES:
        raise no_cache_space(f"{needed / 1e9:.2f} GB are needed in {folder}, where {free / 1e9:.2f} GB are free")


def no_cache_space(reason: str) -> NoSpaceError:
    remedy = "Set UNWEAVE_CACHE to a folder with more room, or see `unweave data cache`."
    return NoSpaceError(f"no space left: {reason}. {remedy}")


def check_download_space(folder: Path, needed: int) -> None:
    """Raise NoSpaceError, which says how many are missing, unless the disk has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVED_BYTES:
        missing = amount(needed + RESERVED_BYTES - free, "B")
        amounts = f"{amount(needed, 'B')} and some to spare, {amount(free, 'B')} are free"
        raise no_download_space(f"{missing} more are needed in {folder}: {amounts}")


def check_picture_space(folder: Path, needed: int = 0) -> None:
    """Raise NoSpaceError unless the disk has room for so many bytes, and for pictures that a page shows."""
    free = shutil.disk_usage(folder).free
    if free < needed + PICTURE_BYTES:
        raise NoSpaceError(f"no space left: {amount(free, 'B')} are free in {folder}. Free some, or set TMPDIR.")


def no_download_space(reason: str) -> NoSpaceError:
    return NoSpaceError(f"no space left: {reason}. Free some, or set UNWEAVE_DATA to a folder with more room.")
