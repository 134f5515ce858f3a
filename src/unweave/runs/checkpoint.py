"""Checkpoints: a folder of safetensors and JSON, written under a temporary name and renamed.

    checkpoints/000064000/
        weights.safetensors     parameters and buffers of the method, not averaged
        average.safetensors     the averaged parameters
        optimiser.safetensors   every optimiser tensor, named player/parameter/state
        generators.safetensors  the state of every random generator, of every process
        state.json              images seen, steps, sha256 of each file and of itself

Nothing is pickled. The newest two are kept; the newest whole one is the model. A kill leaves what was renamed before
it. Files are not forced to the disk: a power cut may tear the newest folder, which its digests then tell, and the one
before it is used.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unweave.data.disk_space import FULL_DISK
from unweave.files import check_safetensors, read_json
from unweave.runs.records import StateRecord, check_kind

if TYPE_CHECKING:
    import torch

KEEP = 2
RECORD = "state.json"


class DamagedError(ValueError):
    """A checkpoint that is not as it was written."""


def save(
    folder: Path, tensors: Mapping[str, Mapping[str, "torch.Tensor"]], seen: int, steps: int, note: Mapping[str, Any]
) -> Path:
    """Write the checkpoint of `seen` images into `folder`, a file for each table of tensors; complete or not at all.

    `note` goes into the record. Raises OSError where it cannot be written (a full disk); what was there before stays.
    """
    from safetensors.torch import save_file

    final = folder / f"{seen:012d}"
    if (final / RECORD).is_file():
        return final
    if final.exists():  # torn: it has no record
        _rename(final)
    for stale in folder.glob(".*.partial"):
        shutil.rmtree(stale)
    temporary = folder / f".{final.name}.partial"
    temporary.mkdir(parents=True)

    def write(name: str) -> tuple[str, str]:
        path = temporary / f"{name}.safetensors"
        save_file({key: value.detach().contiguous().cpu() for key, value in tensors[name].items()}, path)
        return path.name, digest(path)

    try:
        with ThreadPoolExecutor() as pool:
            digests = dict(pool.map(write, tensors))
        record = {"seen": seen, "steps": steps, "sha256": digests, **note}
        write_record(temporary, record)
        os.replace(temporary, final)
    except Exception as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = [path.name for path in complete(folder)]
        number = _error_number(error)
        remedy = "Make room there" if number in (*FULL_DISK, None) else f"See that {folder} can be written"
        failure = OSError(
            f"the checkpoint of {seen:,} images cannot be written to {folder} ({error}); "
            f"kept: {', '.join(kept) or 'none yet'}. {remedy}, then go on with --resume."
        )
        failure.errno = number
        raise failure from error
    for old in complete(folder)[:-KEEP]:
        hidden = folder / f".{old.name}.old.partial"  # a kill while it is deleted leaves nothing that looks whole
        old.rename(hidden)
        shutil.rmtree(hidden)
    return final


def _error_number(error: Exception) -> int | None:
    """The system's number of an error; safetensors says it in words alone."""
    if isinstance(error, OSError):
        return error.errno
    said = re.search(r"\(os error (\d+)\)", str(error))
    return int(said[1]) if said else None


def load(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, "torch.Tensor"]]]:
    """The record and the tables of tensors of a checkpoint. Raises DamagedError where it is not as it was written."""
    from safetensors.torch import load_file

    record = verified(path)
    return record, {Path(name).stem: load_file(check_safetensors(path / name)) for name in record["sha256"]}


def complete(folder: Path) -> list[Path]:
    """The finished checkpoints of a folder, oldest first; whether they are whole is not looked at."""
    return [path for path in _named(folder) if (path / RECORD).is_file()]


def _named(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[0-9]*") if path.name.isdigit() and path.is_dir())


def _rename(path: Path) -> None:
    target, count = path.with_name(f"damaged-{path.name}"), 1
    while target.exists():
        target, count = path.with_name(f"damaged-{path.name}-{count}"), count + 1
    path.rename(target)


def newest(folder: Path, warn: Callable[[str], None]) -> Path | None:
    """The newest whole checkpoint; damaged ones are passed over, with a word to `warn`."""
    for path in reversed(_named(folder)):
        stamps = tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(path.iterdir()))
        try:
            _verified_once(path, stamps)
        except DamagedError as error:
            warn(str(error))
        else:
            return path
    return None


def set_aside(folder: Path, later_than: Path | None) -> None:
    """Rename (not delete) checkpoints that `newest` passed over, so that their names are free again."""
    for path in _named(folder):
        if later_than is None or path.name > later_than.name:
            _rename(path)


def verified(path: Path) -> dict[str, Any]:
    """The record of a checkpoint whose files are all as they were written. Raises DamagedError, naming the file."""
    record = read(path)
    for name, expected in record["sha256"].items():
        file = path / name
        if not file.is_file():
            raise DamagedError(f"{path} is damaged: {name} is missing.")
        if digest(file) != expected:
            raise DamagedError(f"{path} is damaged: the digest of {name} is not the one it was saved with.")
    return record


@lru_cache(maxsize=16)
def _verified_once(path: Path, stamps: tuple[tuple[str, int, int], ...]) -> None:
    """`verified`, not repeated for files that nobody has touched since."""
    verified(path)


def read(path: Path) -> dict[str, Any]:
    """The record of a checkpoint. Raises DamagedError where it is torn or changed."""
    try:
        record = read_json(path / RECORD)
        fingerprint = record.pop("self")
        check_kind(record, StateRecord)
    except (OSError, ValueError, KeyError) as error:
        raise DamagedError(f"{path} is damaged: {RECORD} cannot be read ({type(error).__name__}).") from None
    if fingerprint != _fingerprint(record):
        raise DamagedError(f"{path} is damaged: the digest of {RECORD} is not the one it was saved with.")
    return record


def write_record(path: Path, record: dict[str, Any]) -> None:
    """state.json with the digest of itself, for a folder that is being made."""
    (path / RECORD).write_text(json.dumps({**record, "self": _fingerprint(record)}), "utf-8")


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
