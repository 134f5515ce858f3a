"""What files hold, as one name: a digest of their bytes, remembered by size and time of change."""

import hashlib
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

READ_BYTES = 4 << 20  # bytes
PROGRESS_FROM = 1 << 30  # bytes from which progress is shown
BATCH = 256  # files that are handed out at once
SETTLING_SECONDS = 1.0  # seconds; a file that changed so recently may change again without a new time


def stamp_of_files(files: Sequence[Path]) -> str:
    """64 hexadecimal digits of the paths, sizes, times of change and inodes; a file that changes gets another one."""
    seen = hashlib.sha256()
    for file in files:
        stat = file.stat()
        seen.update(os.fsencode(os.path.abspath(file)))
        seen.update(f"\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}\n".encode())
    return seen.hexdigest()


def digest_of_files(files: Sequence[Path], base: Path, memory: Path) -> str:
    """64 hexadecimal digits of the names and bytes of these files, in this order.

    Names are relative to `base`, and the bare name for a file outside it. The answer is kept in the folder `memory`
    under the files' stamp, so that files are read once; where it cannot be kept, they are read every time. Raises
    OSError for a file that cannot be read.
    """
    began, root = time.time(), os.path.abspath(base)
    known = memory / hashlib.sha256(os.fsencode(root) + stamp_of_files(files).encode()).hexdigest()[:32]
    with suppress(OSError, UnicodeDecodeError):
        said = known.read_text()
        if len(said) == 64:
            return said
    total, newest, content = 0, 0.0, hashlib.sha256()
    for file in files:
        stat = file.stat()
        total, newest = total + stat.st_size, max(newest, stat.st_mtime)
    console = Console(stderr=True)
    hidden = total < PROGRESS_FROM or not console.is_terminal
    with Progress(console=console, disable=hidden, transient=True) as shown, ThreadPoolExecutor(2) as pool:
        bar = shown.add_task("looking at files", total=total)

        stop = threading.Event()

        def one(path: Path) -> str:
            seen = hashlib.sha256()
            with path.open("rb") as file:
                while not stop.is_set() and (block := file.read(READ_BYTES)):
                    seen.update(block)
                    shown.advance(bar, len(block))
            return seen.hexdigest()

        try:
            for start in range(0, len(files), BATCH):
                batch = files[start : start + BATCH]
                for file, part in zip(batch, pool.map(one, batch)):
                    content.update(os.fsencode(_name(file, root)) + f"\0{part}\n".encode())
        finally:
            stop.set()  # after an interrupt nobody waits for what is being read
    if began - newest > SETTLING_SECONDS:
        with suppress(OSError):  # a cache that may only be read, or a full disk
            memory.mkdir(parents=True, exist_ok=True)
            new = memory / f".{known.name}-{os.getpid()}"
            new.write_text(content.hexdigest())
            new.replace(known)
    return content.hexdigest()


def _name(file: Path, root: str) -> str:
    """The path of a file relative to a folder, or its bare name where it is outside."""
    path = os.path.abspath(file)
    inside = os.path.commonpath([root, path]) == root and path != root
    return Path(os.path.relpath(path, root)).as_posix() if inside else file.name
