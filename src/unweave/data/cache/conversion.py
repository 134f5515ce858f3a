"""Source -> memory-mapped file, chunk by chunk. What is here runs in this process or in a child (see worker.py).

A conversion in progress is a folder, NAME.part:

    plan.json      rows, shape, names of factors, card, checksums of the next three files: written last of all
    labels.npy     classes of the factors, where they are no complete grid
    boxes.npy      where rows are tiles, their places
    splits.npz     the publishers' own splits
    images.npy     uint8 [rows, height, width, channel], filled chunk by chunk
    done.jsonl     the chunks that are in images.npy, each with its checksum and its bad rows
"""

import json
import math
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.disk_space import FULL_DISK, check_cache_space, no_cache_space
from unweave.data.reading.image_source import ImageSource, Labels
from unweave.data.settings import MAX_CHANNELS

CHUNK_BYTES = 8 << 20  # bytes of images that are converted at once
VERSION = 2  # counts up when the same source would give other bytes; part of every key


def prepare_folder(source: ImageSource, folder: Path) -> dict[str, Any]:
    """The plan of the conversion in this folder, which is made, or made anew where it is damaged or of other images.

    Raises ValueError for a source that contradicts itself, OSError for no space.
    """
    plan = _plan(source)
    try:
        earlier = read_plan(folder)
    except ValueError:
        earlier = None
    if earlier is not None and {key: earlier[key] for key in earlier if key != "checks"} == plan:
        return earlier
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    check_cache_space(folder, math.prod(source.shape) * source.count)
    try:
        return _create_files(source, plan, folder)
    except OSError as error:
        if error.errno in FULL_DISK:
            raise no_cache_space(str(folder.parent)) from error
        raise


def _create_files(source: ImageSource, plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the files of a new conversion, images.npy still empty; the plan with their checksums."""
    channels, height, width = source.shape
    if isinstance(source.labels, Labels):
        np.save(folder / "labels.npy", source.labels.classes)
    if source.boxes is not None:
        np.save(folder / "boxes.npy", source.boxes)
    np.savez(folder / "splits.npz", **{name: np.asarray(rows, np.int64) for name, rows in source.splits.items()})  # type: ignore[arg-type]
    np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (source.count, height, width, channels))
    (folder / "done.jsonl").write_text("", "utf-8")
    plan["checks"] = checksums(folder)
    (folder / "plan.json").write_text(json.dumps(plan), "utf-8")
    return plan


def _plan(source: ImageSource) -> dict[str, Any]:
    """What plan.json says of a source, but for the checksums. Raises ValueError for one that contradicts itself."""
    channels, height, width = source.shape
    if source.count < 1:
        raise ValueError(f"{source.name} holds no image.")
    if not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"images of {source.name} must have 1 to {MAX_CHANNELS} channels, got {channels}.")
    if min(height, width) < 1:
        raise ValueError(f"images of {source.name} are {height} x {width} pixels; expected one or more.")
    _check_labels(source)
    plan = {
        "name": source.name,
        "count": source.count,
        "shape": list(source.shape),
        "chunk": max(1, CHUNK_BYTES // (channels * height * width)),
        "card": source.card._asdict(),
        "factors": {"names": source.labels.names, "sizes": source.labels.sizes} if source.labels else None,
        "files": list(source.files),
        "splits": sorted(source.splits),
        "in_order": source.in_order,
        "reading": source.reading.model_dump(mode="json") if source.reading else None,
    }
    return json.loads(json.dumps(plan))


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


def checksums(folder: Path) -> dict[str, int]:
    """Checksums of the files that no chunk of done.jsonl covers."""
    files = [folder / name for name in ("labels.npy", "boxes.npy", "splits.npz")]
    return {file.name: zlib.crc32(file.read_bytes()) for file in files if file.exists()}


def convert_chunk(source: ImageSource, folder: Path, plan: Mapping[str, Any], chunk: int) -> dict[str, Any]:
    """Read one chunk of the source and write it into images.npy; what done.jsonl says of it.

    Raises ValueError where the source gives other images than it announced, OSError for no space.
    """
    channels, height, width = plan["shape"]
    start, size = chunk * plan["chunk"], channels * height * width
    stop = min(start + plan["chunk"], plan["count"])
    block = source.read(start, stop)
    pixels = block.pixels
    if pixels.shape != (stop - start, height, width, channels) or pixels.dtype != np.uint8:
        raise ValueError(f"rows {start}..{stop - 1} of {source.name} are {pixels.dtype} {list(pixels.shape)}.")
    wrong = [row for row in block.bad if not start <= row < stop]
    if wrong:
        raise ValueError(f"rows {start}..{stop - 1} of {source.name} were read, but row {wrong[0]} is called bad.")
    data = np.ascontiguousarray(pixels).data.cast("B")
    path = folder / "images.npy"
    try:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size - (plan["count"] - start) * size)
            file.write(data)
    except OSError as error:
        if error.errno in FULL_DISK:
            raise no_cache_space(str(folder.parent)) from error
        raise
    return {"chunk": chunk, "crc": zlib.crc32(data), "bad": block.bad}


def missing_chunks(folder: Path, plan: Mapping[str, Any]) -> list[int]:
    """The chunks that are not in images.npy, or not as they were written; done.jsonl is cut to the others."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    chunks = range(-(-plan["count"] // plan["chunk"]))
    intact: dict[int, dict[str, Any]] = {}
    for record in finished_chunks(folder):
        start = record["chunk"] * plan["chunk"]
        rows = images[start : start + plan["chunk"]] if record["chunk"] in chunks else images[:0]
        if len(rows) and zlib.crc32(np.ascontiguousarray(rows).data.cast("B")) == record["crc"]:
            intact[record["chunk"]] = record
    (folder / "done.jsonl").write_text("".join(json.dumps(record) + "\n" for record in intact.values()), "utf-8")
    return [chunk for chunk in chunks if chunk not in intact]


def finished_chunks(folder: Path) -> list[dict[str, Any]]:
    """The records of done.jsonl; a line that was cut off, or is damaged, is left out."""
    records = []
    for line in (folder / "done.jsonl").read_bytes().splitlines():
        try:
            record = json.loads(line)
            bad = {int(row): str(reason) for row, reason in record["bad"].items()}
            records.append({"chunk": int(record["chunk"]), "crc": int(record["crc"]), "bad": bad})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return records


def any_chunk_finished(folder: Path) -> bool:
    """Whether a chunk of a conversion is done."""
    return (folder / "done.jsonl").is_file() and bool(finished_chunks(folder))


def check_unchanged(source: ImageSource, plan: Mapping[str, Any]) -> None:
    """Raise ValueError unless this source is what the plan was made of: it may have changed since."""
    if _plan(source) != {key: plan[key] for key in plan if key != "checks"}:
        raise ValueError(f"files of {source.name} changed while they were read: try again when they are complete.")


def record_chunk(folder: Path, record: Mapping[str, Any]) -> None:
    """Append a record to done.jsonl."""
    with (folder / "done.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of a conversion that was begun. Raises ValueError where it was not, or is damaged."""
    try:
        plan = json.loads((folder / "plan.json").read_bytes())
        images = np.load(folder / "images.npy", mmap_mode="r")
        channels, height, width = plan["shape"]
        fits = images.shape == (plan["count"], height, width, channels) and images.dtype == np.uint8
        fits = fits and plan["checks"] == checksums(folder) and (folder / "done.jsonl").is_file()
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, SyntaxError) as error:
        raise ValueError(f"{folder} is no conversion that was begun: {error}") from error
    if not fits:
        raise ValueError(f"{folder} is no conversion that was begun: its files do not fit its plan.")
    return plan
