"""A file that is on its way: what has arrived of it, and where it stops when the disk is full.

NAME.part       the bytes so far
NAME.part.json  what they are a part of: address, validators (ETag, Last-Modified) and length of the file
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from unweave.data.cache.conversion import SPARE
from unweave.data.download.progress import ReportBytes, format_bytes

READ_BYTES = 1 << 18  # bytes that are read at once


class NoSpaceError(OSError):
    """The disk is full; the message says what to do."""


class PartialFile:
    """What is there of a file, and the sha256 of that. Close it, or use it in a `with`: it stays for a later try."""

    def __init__(self, target: Path, told: ReportBytes) -> None:
        self.path, self.note = (target.with_name(target.name + ending) for ending in (".part", ".part.json"))
        self.said, self.size, self.sha256 = _noted(self.note), 0, hashlib.sha256()
        self.file = self.path.open("a+b" if self.said else "w+b", buffering=0)  # what is written is there
        self.file.seek(0)
        total = self.path.stat().st_size
        while block := self.file.read(READ_BYTES):
            self.sha256.update(block)
            self.size += len(block)
            told(self.size, total)
        self.joined = self.size > 0  # put together from more than one answer

    def begin(self, said: dict[str, Any]) -> None:
        """Throw away what is there; what follows is a part of what `said` describes."""
        self.file.truncate(0)
        self.file.seek(0)
        self.said, self.size, self.sha256, self.joined = said, 0, hashlib.sha256(), False
        fresh = self.note.with_name(f".{self.note.name}-{os.getpid()}")
        fresh.write_text(json.dumps(said))
        fresh.replace(self.note)

    def write(self, data: bytes) -> None:
        """Append."""
        left = memoryview(data)
        while left:
            left = left[self.file.write(left) :]
        self.sha256.update(data)
        self.size += len(data)

    def finish(self, target: Path) -> None:
        """Give the bytes this name, at once, and forget the note."""
        os.fsync(self.file.fileno())
        self.file.close()
        self.path.replace(target)
        self.note.unlink(missing_ok=True)

    def __enter__(self) -> "PartialFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.file.close()
        if self.path.exists() and self.path.stat().st_size == 0:
            self.path.unlink()
            self.note.unlink(missing_ok=True)


def _noted(note: Path) -> dict[str, Any]:
    """What NAME.part.json says; {} where there is none, or it is damaged."""
    try:
        said = json.loads(note.read_text())
        return said if set(said) == {"url", "etag", "modified", "length"} else {}
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def room(folder: Path, needed: int) -> None:
    """Nothing, where the disk has room for so many bytes. Raises NoSpaceError that says how much is missing."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        more = format_bytes(needed + SPARE - free)
        amounts = f"{format_bytes(needed)} and some to spare, {format_bytes(free)} are free"
        raise no_space(f"{more} more are needed in {folder}: {amounts}")


def no_space(what: str) -> NoSpaceError:
    return NoSpaceError(f"no space left: {what}. Free some, or set UNWEAVE_DATA to a folder with more room.")
