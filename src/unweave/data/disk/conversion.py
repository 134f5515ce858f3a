"""Source -> memory-mapped file, chunk by chunk. What is here runs in this process or in a child (see worker.py).

A conversion in progress is a folder NAME.part:

    plan.json      rows, shape, names of factors, card: written first
    images.npy     uint8 [rows, height, width, channel], filled chunk by chunk
    labels.npy     classes of the factors, where they are no complete grid
    splits.npz     the publishers' own splits
    done.jsonl     the chunks that are in images.npy, each with its checksum and its bad rows
"""

import errno
import json
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.disk.source import Labels, Source

CHUNK = 8 << 20  # bytes of images that are converted at once
VERSION = 1  # counts up when the same source would give other bytes; part of every key


def write_plan(source: Source, part: Path) -> dict[str, Any]:
    """Make the folder of a conversion, its files at their full size. Raises ValueError, OSError for no space."""
    channels, height, width = source.shape
    if source.count < 1:
        raise ValueError(f"{source.name} holds no image.")
    if channels not in (1, 3):
        raise ValueError(f"images of {source.name} must have 1 or 3 channels, got {channels}.")
    size = channels * height * width
    plan = {
        "name": source.name,
        "count": source.count,
        "shape": list(source.shape),
        "chunk": max(1, CHUNK // size),
        "card": source.card._asdict(),
        "factors": {"names": source.labels.names, "sizes": source.labels.sizes} if source.labels else None,
        "files": list(source.files),
        "splits": sorted(source.splits),
        "in_order": source.in_order,
    }
    part.mkdir(parents=True, exist_ok=True)
    room(part, source.count * size)
    np.lib.format.open_memmap(part / "images.npy", "w+", np.uint8, (source.count, height, width, channels))
    if isinstance(source.labels, Labels):
        if len(source.labels.classes) != source.count:
            raise ValueError(
                f"{source.name} has {source.count:,} images but labels of {len(source.labels.classes):,} rows."
            )
        np.save(part / "labels.npy", source.labels.classes)
    np.savez(part / "splits.npz", **{name: np.asarray(rows, np.int64) for name, rows in source.splits.items()})  # type: ignore[arg-type]
    (part / "done.jsonl").write_text("")
    (part / "plan.json").write_text(json.dumps(plan))
    return plan


def room(place: Path, needed: int) -> None:
    """Nothing, where the disk has room. Raises OSError that says how much is missing and what to do."""
    free = shutil.disk_usage(place).free
    if free < needed + (64 << 20):
        raise no_space(f"{needed / 1e9:.2f} GB are needed in {place}, where {free / 1e9:.2f} GB are free")


def no_space(what: str) -> OSError:
    return OSError(f"no space left: {what}. Set UNWEAVE_CACHE to a folder with more room, or see `unweave data cache`.")


def convert(source: Source, part: Path, plan: Mapping[str, Any], chunk: int) -> dict[str, Any]:
    """Read one chunk of the source and write it into images.npy; what done.jsonl says of it.

    Raises ValueError where the source gives other images than it announced.
    """
    start = chunk * plan["chunk"]
    stop = min(start + plan["chunk"], source.count)
    given = source.read(start, stop)
    pixels = given.pixels
    channels, height, width = source.shape
    if pixels.shape != (stop - start, height, width, channels) or pixels.dtype != np.uint8:
        raise ValueError(f"rows {start}..{stop - 1} of {source.name} are {pixels.dtype} {list(pixels.shape)}.")
    data = np.ascontiguousarray(pixels).data.cast("B")
    path = part / "images.npy"
    try:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size - (source.count - start) * channels * height * width)
            file.write(data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise no_space(str(part.parent)) from error
        raise
    return {"chunk": chunk, "crc": zlib.crc32(data), "bad": given.bad}


def missing(part: Path, plan: Mapping[str, Any]) -> list[int]:
    """The chunks that are not in images.npy, or not as they were written; done.jsonl is cut to the others."""
    images = np.load(part / "images.npy", mmap_mode="r")
    good: dict[int, dict[str, Any]] = {}
    for record in done(part):
        start = record["chunk"] * plan["chunk"]
        if zlib.crc32(np.ascontiguousarray(images[start : start + plan["chunk"]]).data.cast("B")) == record["crc"]:
            good[record["chunk"]] = record
    (part / "done.jsonl").write_text("".join(json.dumps(record) + "\n" for record in good.values()))
    chunks = -(-plan["count"] // plan["chunk"])
    return [chunk for chunk in range(chunks) if chunk not in good]


def done(part: Path) -> list[dict[str, Any]]:
    """The records of done.jsonl; a line that was cut off is left out."""
    records = []
    for line in (part / "done.jsonl").read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def note(part: Path, record: Mapping[str, Any]) -> None:
    """Append a record to done.jsonl."""
    with (part / "done.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")


def plan_of(part: Path) -> dict[str, Any]:
    """The plan of a conversion that was begun. Raises ValueError where it was not, or is damaged."""
    try:
        plan = json.loads((part / "plan.json").read_text())
        images = np.load(part / "images.npy", mmap_mode="r")
        channels, height, width = plan["shape"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{part} is no conversion that was begun: {error}") from error
    if images.shape != (plan["count"], height, width, channels) or not (part / "done.jsonl").is_file():
        raise ValueError(f"{part} is no conversion that was begun: images.npy has shape {list(images.shape)}.")
    return plan
