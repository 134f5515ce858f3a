"""What lies in the cache of data sets: the list of its folders, and how one is deleted."""

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from unweave.data.cache.cache import root


class CacheEntry(NamedTuple):
    """A folder of the cache."""

    folder: Path
    name: str
    images: int
    size: str  # of an image: channels x height x width
    bytes: int
    date: str  # day and minute when it was made, UTC
    whole: bool  # False: in the making, or left by a process that stopped

    def to_json(self) -> dict[str, Any]:
        return {
            "place": str(self.folder),
            "name": self.name,
            "images": self.images,
            "size": self.size,
            "bytes": self.bytes,
            "made": self.date,
            "whole": self.whole,
        }


def list_entries() -> list[CacheEntry]:
    """What the cache holds."""
    entries = []
    for folder in sorted(folder for folder in (root() / "sets").glob("*") if folder.is_dir()):
        size = 0
        for file in folder.glob("*"):
            with suppress(FileNotFoundError):  # another process is at work here
                size += file.stat().st_blocks * 512
        date = datetime.fromtimestamp(folder.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M")
        entry = CacheEntry(folder, folder.name, 0, "", size, date, whole=False)
        for file_name in ("meta.json", "progress.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):  # damaged: listed by the name of its folder
                facts = json.loads((folder / file_name).read_bytes())
                facts = facts.get("facts", facts)
                shape = " x ".join(map(str, facts["shape"]))
                entry = CacheEntry(folder, facts["name"], facts["count"], shape, size, date, file_name == "meta.json")
                break
        entries.append(entry)
    return entries


def delete_entry(entry: CacheEntry) -> None:
    """Delete a folder of the cache, but not one that a process is making. Raises ValueError for that one."""
    lock = FileLock(root() / "locks" / f"{entry.folder.name.removesuffix('.part')}.lock")
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.folder)
    except FileNotFoundError:
        return  # another process was faster
    except Timeout:
        raise ValueError(f"{entry.folder} is being made by another process: stop that first.") from None
