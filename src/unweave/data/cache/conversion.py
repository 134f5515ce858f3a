"""Source -> memory-mapped file, some rows at a time. What is here runs in this process or in a child (see worker.py).

A conversion in progress is a folder, NAME.part:

    labels.npy     classes of the factors, where they are no complete grid
    boxes.npy      where rows are tiles, their places
    splits.npz     the publishers' own splits
    images.npy     uint8 [rows, height, width, channel], filled from the first row on
    progress.json  what the set will be called, its shape and card, how many rows are there, and the bad ones of them
"""

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.disk_space import FULL_DISK, check_cache_space, no_cache_space
from unweave.data.reading.image_source import ImageSource, Labels
from unweave.data.settings import MAX_CHANNELS
from unweave.files import write_atomically
from unweave.foreign import errors_as

CHUNK_BYTES = 8 << 20  # bytes of images that are converted at once
VERSION = 2  # counts up when the same source would give other bytes; part of every key


def prepare_folder(source: ImageSource, folder: Path) -> dict[str, Any]:
    """What progress.json says of the conversion in this folder, which is made anew where it is of other images.

    Raises ValueError for a source that contradicts itself, OSError for no space.
    """
    facts, (channels, height, width) = _facts(source), source.shape
    state = {"facts": facts, "rows": 0, "bad": {}}
    try:
        earlier = json.loads((folder / "progress.json").read_bytes())
        images = np.load(folder / "images.npy", mmap_mode="r")
        if earlier["facts"] == facts and images.shape == (source.count, height, width, channels):
            state = earlier
    except Exception:  # there is none, or it is damaged, which raises anything
        pass
    if not state["rows"]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        check_cache_space(folder, math.prod(source.shape) * source.count)
    with _full_disk_named(folder):
        if not state["rows"]:
            np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (source.count, height, width, channels))
        if isinstance(source.labels, Labels):
            np.save(folder / "labels.npy", source.labels.classes)
        if source.boxes is not None:
            np.save(folder / "boxes.npy", source.boxes)
        np.savez(folder / "splits.npz", **{name: np.asarray(rows, np.int64) for name, rows in source.splits.items()})  # type: ignore[arg-type]
    return state


def _full_disk_named(folder: Path) -> AbstractContextManager[None]:
    """A disk that is full while something is written into the folder is a NoSpaceError with a remedy."""

    def explain(error: OSError) -> OSError:
        full = error.errno in FULL_DISK or "requested and" in str(error)  # of a short write numpy tells no errno
        return no_cache_space(str(folder.parent)) if full else error

    return errors_as(OSError, explain)


def _facts(source: ImageSource) -> dict[str, Any]:
    """What progress.json says of a source. Raises ValueError for one that contradicts itself."""
    channels, height, width = source.shape
    if source.count < 1:
        raise ValueError(f"{source.name} holds no image.")
    if not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"images of {source.name} must have 1 to {MAX_CHANNELS} channels, got {channels}.")
    if min(height, width) < 1:
        raise ValueError(f"images of {source.name} are {height} x {width} pixels; expected one or more.")
    _check_labels(source)
    facts = {
        "name": source.name,
        "count": source.count,
        "shape": list(source.shape),
        "card": source.card._asdict(),
        "factors": {"names": source.labels.names, "sizes": source.labels.sizes} if source.labels else None,
        "files": list(source.files),
        "in_order": source.in_order,
        "reading": source.reading.model_dump(mode="json") if source.reading else None,
    }
    return json.loads(json.dumps(facts))


def _check_labels(source: ImageSource) -> None:
    labels = source.labels
    if labels is None:
        return
    rows = len(labels.classes) if isinstance(labels, Labels) else len(labels)
    if rows != source.count:
        raise ValueError(f"{source.name} has {source.count:,} images but labels of {rows:,} rows.")
    if isinstance(labels, Labels):
        sizes = np.array(labels.sizes)
        same_length = len(labels.names) == len(sizes) == labels.classes.shape[1]
        if not same_length or (labels.classes < 0).any() or (labels.classes >= sizes).any():
            raise ValueError(f"classes of {source.name} are not in 0 .. size - 1 of {labels.names} {labels.sizes}.")


def chunk_rows(shape: Sequence[int]) -> int:
    """How many images are converted at once."""
    return max(1, CHUNK_BYTES // math.prod(shape))


def convert_rows(source: ImageSource, folder: Path, start: int) -> dict[int, str]:
    """Read the chunk that begins at this row and write it into images.npy; the bad rows in it, with the reasons.

    Raises ValueError where the source gives other images than it announced, OSError for no space.
    """
    channels, height, width = source.shape
    stop = min(start + chunk_rows(source.shape), source.count)
    block = source.read(start, stop)
    pixels = block.pixels
    if pixels.shape != (stop - start, height, width, channels) or pixels.dtype != np.uint8:
        raise ValueError(f"rows {start}..{stop - 1} of {source.name} are {pixels.dtype} {list(pixels.shape)}.")
    wrong = [row for row in block.bad if not start <= row < stop]
    if wrong:
        raise ValueError(f"rows {start}..{stop - 1} of {source.name} were read, but row {wrong[0]} is called bad.")
    path = folder / "images.npy"
    with _full_disk_named(folder), path.open("r+b") as file:
        file.seek(path.stat().st_size - (source.count - start) * math.prod(source.shape))
        file.write(np.ascontiguousarray(pixels).data.cast("B"))
    return block.bad


def save_progress(folder: Path, state: Mapping[str, Any]) -> None:
    """Write progress.json, after what it says is there."""
    with (folder / "images.npy").open("r+b") as file:
        os.fsync(file.fileno())
    write_atomically(folder / "progress.json", json.dumps(state))
