"""A file that is being downloaded: what has arrived of it, kept for a later try.

NAME.part       the bytes so far
NAME.part.json  what they are a part of: address, validators (ETag, Last-Modified) and length of the file
"""

import hashlib
import json
import os
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from unweave.data.digest import sha256_of
from unweave.files import write_atomically
from unweave.progress import Task


class PartialFile:
    """What is there of a file, and the sha256 of that. Close it, or use it in a `with`: it stays for a later try."""

    def __init__(self, target: Path, task: Task) -> None:
        self.path, self.origin_path = (target.with_name(target.name + ending) for ending in (".part", ".part.json"))
        self.origin = _read_origin(self.origin_path)
        self.file = self.path.open("a+b" if self.origin else "w+b", buffering=0)  # what is written is there
        self.size = self.file.seek(0, os.SEEK_END)
        self.file.seek(0)
        self.sha256 = sha256_of(self.file, partial(task.update, total=self.size))
        self.joined = self.size > 0  # put together from more than one answer

    def restart(self, origin: dict[str, Any]) -> None:
        """Throw away what is there; what follows is a part of what `origin` describes."""
        self.file.truncate(0)
        self.file.seek(0)
        self.origin, self.size, self.sha256, self.joined = origin, 0, hashlib.sha256(), False
        write_atomically(self.origin_path, json.dumps(origin))

    def write(self, data: bytes) -> None:
        """Append."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]
        self.sha256.update(data)
        self.size += len(data)

    def finish(self, target: Path) -> None:
        """Give the bytes this name, at once, and forget where they came from."""
        os.fsync(self.file.fileno())
        self.file.close()
        self.path.replace(target)
        self.origin_path.unlink(missing_ok=True)

    def __enter__(self) -> "PartialFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        if self.path.exists() and self.path.stat().st_size == 0:
            self.path.unlink()
            self.origin_path.unlink(missing_ok=True)


def _read_origin(path: Path) -> dict[str, Any]:
    """What NAME.part.json says; {} where there is none, or it is damaged."""
    try:
        origin = json.loads(path.read_text("utf-8"))
        return origin if set(origin) == {"url", "etag", "modified", "length"} else {}
    except (FileNotFoundError, ValueError, TypeError):
        return {}
