"""A digest of the bytes of many files, remembered by their sizes and times of change."""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from unweave import progress
from unweave.data.digest import sha256_of
from unweave.files import write_atomically

SETTLING_SECONDS = 1.0  # seconds; a file that changed so recently may change again without a new time


def stamp_of_files(files: Sequence[Path]) -> str:
    """64 hexadecimal digits of the paths, sizes, times of change and inodes; a file that changes gets another one.

    Two times count: that of the content, which anybody may set back, and that of the inode, which nobody can.
    """
    content = hashlib.sha256()
    for file in files:
        stat = file.stat()
        content.update(os.fsencode(os.path.abspath(file)))
        content.update(f"\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0{stat.st_ino}\n".encode())
    return content.hexdigest()


def digest_of_files(files: Sequence[Path], base: Path, digests: Path) -> str:
    """64 hexadecimal digits of the names and bytes of these files, in this order.

    Names are relative to `base`, and the bare name for a file outside it. The answer is kept in the folder `digests`
    under the files' stamp, so that files are read once; where it cannot be kept, they are read every time. Raises
    OSError for a file that cannot be read.
    """
    start_time, root = time.time(), os.path.abspath(base)
    digest_file = digests / hashlib.sha256(os.fsencode(root) + stamp_of_files(files).encode()).hexdigest()[:32]
    with suppress(OSError, UnicodeDecodeError):
        digest = digest_file.read_text("utf-8")
        if len(digest) == 64:
            return digest
    stats, content, done = [file.stat() for file in files], hashlib.sha256(), 0
    with progress.task("looking at files", sum(stat.st_size for stat in stats), "B") as task:
        for file, stat in zip(files, stats):
            with file.open("rb") as opened:
                digest = sha256_of(opened, lambda read, before=done: task.update(before + read)).hexdigest()  # type: ignore[misc]
            content.update(os.fsencode(_relative_name(file, root)) + f"\0{digest}\n".encode())
            done += stat.st_size
    if start_time - max((stat.st_mtime for stat in stats), default=0.0) > SETTLING_SECONDS:
        with suppress(OSError):  # a cache that may only be read, or a full disk
            write_atomically(digest_file, content.hexdigest())
    return content.hexdigest()


def _relative_name(file: Path, root: str) -> str:
    """The path of a file relative to a folder, or its bare name where it is outside."""
    path = os.path.abspath(file)
    inside = os.path.commonpath([root, path]) == root and path != root
    return Path(os.path.relpath(path, root)).as_posix() if inside else file.name
