"""Every data set on disk as one memory-mapped file of uint8, made once and shared by all runs and processes.

`$UNWEAVE_CACHE`, or unweave/ in `$XDG_CACHE_HOME`, or ~/.cache/unweave:

    sets/NAME-KEY/      a whole set: images.npy, meta.json, splits.npz, labels.npy where factors are no grid,
                        boxes.npy where rows are tiles
    sets/NAME-KEY.part/ one in the making (see conversion.py); the next process that wants it goes on with it
    contents/           digests of source files, by path, size and time of change
    locks/              one process makes a set, others wait for it

KEY names the content of the source files and the settings that change the pixels. A set appears whole or not at all,
by a rename; one whose files have changed since is checked against its digest and, if it differs, made again.
"""

import errno
import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from unweave import progress
from unweave.data.cache import conversion, file_digests, worker
from unweave.data.cache.cached_dataset import CachedDataset
from unweave.data.dataset import Dataset, DatasetDefinition, find_dataset
from unweave.data.digest import dataset_digest
from unweave.data.disk_space import FULL_DISK, no_cache_space
from unweave.data.settings import DatasetSettings, PictureSettings
from unweave.files import user_folder, write_atomically
from unweave.foreign import errors_as
from unweave.threads import usable_cores

PARALLEL_FROM = 4_000  # images from which several processes convert them
MAX_PROCESSES = 16  # that convert images
SAVE_SECONDS = 5.0  # seconds of a conversion that a kill loses, and as many chunks as there are processes
ANNOUNCED_FROM = 500  # images from which a conversion is announced
MAX_NAMED = 20  # unreadable files that are named one by one
ABSENT = (None, errno.ENOENT, errno.ENOTDIR, errno.EINVAL)
"""What the system, or numpy, says of files that are not there or no longer whole."""

logger = logging.getLogger("unweave")


def root() -> Path:
    """The folder of the cache."""
    return user_folder("UNWEAVE_CACHE", "XDG_CACHE_HOME", "~/.cache")


def open_cached(name: str, settings: DatasetSettings) -> CachedDataset:
    """The data set `name` with these settings, converted first where the cache does not have it.

    Raises what its definition's `files` and `source` raise, ValueError for content that cannot be used, OSError where
    files may not be read or there is no space. An interrupt leaves what is converted; the next call goes on.
    """
    definition = find_dataset(name)
    own = settings.model_dump(exclude={"name", "view", "aside", "path", "colours"})
    pixel_settings = {key: value for key, value in own.items() if not isinstance(value, Path)}
    with errors_as(OSError, _with_remedy):
        files = definition.files(settings)
        stamp = file_digests.stamp_of_files(files)
        content = file_digests.digest_of_files(files, _base_folder(settings, files), root() / "contents")
        recipe = json.dumps(
            [conversion.VERSION, definition.version, name, pixel_settings, content],
            sort_keys=True,
            default=str,
        )
        folder = root() / "sets" / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
        dataset = read_if_intact(folder)
        if dataset is None:
            dataset = _make(name, definition, settings, folder, stamp)
    if isinstance(settings, PictureSettings):
        dataset.colours = settings.colours
    _warn_of_unreadable_files(dataset)
    return dataset


def build_cached(settings: DatasetSettings) -> Dataset:
    """What a set on disk has for `build`: the data set that its settings name (see `open_cached`)."""
    return open_cached(settings.name, settings)


def _base_folder(settings: DatasetSettings, files: list[Path]) -> Path:
    """The folder whose relative paths name the files: the one that holds what was asked for, else that of them all."""
    path = settings.model_dump().get("path")
    if isinstance(path, Path):
        return path.expanduser().resolve().parent
    return Path(os.path.commonpath([os.path.abspath(file.parent) for file in files]))


def _with_remedy(error: OSError) -> OSError:
    """The same error with a remedy, where there is one."""
    in_cache = error.filename is not None and Path(str(error.filename)).is_relative_to(root())
    if isinstance(error, PermissionError) or error.errno == errno.EROFS or (in_cache and not root().is_dir()):
        reason = f"{error.filename} may not be read or written" if error.filename else str(error)
        return PermissionError(f"{reason}: change its permissions, or set UNWEAVE_CACHE to a folder of yours.")
    return no_cache_space(str(root())) if error.errno in FULL_DISK else error


def read_if_intact(folder: Path) -> CachedDataset | None:
    """The set in this folder, or None where there is none, or its bytes are not those that were written."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        if meta.pop("check") != _meta_checksum(meta):
            return None
        dataset, stamps = CachedDataset(folder, meta), _file_stamps(folder)
        if meta["stamps"] == stamps:
            return dataset
        logger.info("files of %s have changed in the cache; checking them", meta["name"])
        if len(dataset._pixels) != meta["count"] or dataset_digest(dataset) != meta["digest"]:
            return None
        with suppress(OSError):  # a cache that may only be read: it is checked every time
            _write_meta(folder, meta | {"stamps": stamps})
        return dataset
    except Exception as error:  # damaged files raise anything
        no_fault_of_files = isinstance(error, OSError) and error.errno not in ABSENT
        if no_fault_of_files or isinstance(error, MemoryError):  # they must not be thrown away for it
            raise
        return None


def _file_stamps(folder: Path) -> dict[str, list[int]]:
    """Size and time of change of every file but meta.json."""
    stats = {file.name: file.stat() for file in sorted(folder.iterdir()) if file.suffix in (".npy", ".npz")}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _meta_checksum(meta: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()[:16]


def _write_meta(folder: Path, meta: dict[str, Any]) -> None:
    meta = json.loads(json.dumps(meta))
    write_atomically(folder / "meta.json", json.dumps(meta | {"check": _meta_checksum(meta)}))


def _make(
    name: str, definition: DatasetDefinition, settings: DatasetSettings, folder: Path, stamp: str
) -> CachedDataset:
    """The set, made by this process or by another one that is at it already; `stamp` is that of its source files."""
    locks = root() / "locks"
    for parent in (locks, folder.parent):
        parent.mkdir(parents=True, exist_ok=True)
    title = _title(name, settings)
    with one_process(locks / f"{folder.name}.lock", f"another process is preparing {title}; waiting for it"):
        dataset = read_if_intact(folder)
        if dataset is None:
            if folder.exists():
                logger.warning("the cache of %s in %s is damaged and is made again", title, folder)
                shutil.rmtree(folder)
            part = folder.with_name(f"{folder.name}.part")
            try:
                state = _convert(name, definition, settings, part)
            except KeyboardInterrupt:
                logger.warning("stopped; what is converted is kept, and the same command goes on with it")
                raise
            except (ValueError, LookupError):
                if not (part / "progress.json").exists():  # else kept: the next try goes on, should the cause be gone
                    shutil.rmtree(part, ignore_errors=True)
                raise
            if file_digests.stamp_of_files(definition.files(settings)) != stamp:
                shutil.rmtree(part)
                raise ValueError(f"files of {name} changed while they were read: try again when they are complete.")
            dataset = _finish(state, part, folder)
        return dataset


@contextmanager
def one_process(lock_file: Path, waiting: str) -> Iterator[None]:
    """Inside the `with` this is the only process that holds the lock; one that has to wait for it says so."""
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info(waiting)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _title(name: str, settings: DatasetSettings) -> str:
    """What a person calls the set: the name of its file or folder, or else of the published set."""
    path = settings.model_dump().get("path")
    return path.name if isinstance(path, Path) else str(path or name)


def _convert(name: str, definition: DatasetDefinition, settings: DatasetSettings, part: Path) -> dict[str, Any]:
    """Fill the folder of a conversion, from where an earlier process left it; what progress.json says in the end."""
    arguments = (name, settings.model_dump_json(), part)
    cores = usable_cores()
    as_of_a_child = errors_as(
        Exception,
        lambda error: ValueError(f"{name} cannot be read: {type(error).__name__}: {error}"),
        but=(ValueError, LookupError, OSError, ImportError),
    )
    with ExitStack() as stack:
        source, pool = None, None
        if definition.child_process_only:
            pool = stack.enter_context(worker.children(1))
            state = worker.answer(pool.submit(worker.prepare, *arguments), name, "when it opened the files")
        else:
            source = as_of_a_child(definition.source)(settings)
            state = conversion.prepare_folder(source, part)
        facts = state["facts"]
        total, step = facts["count"], conversion.chunk_rows(facts["shape"])
        starts = range(state["rows"], total, step)
        if total >= PARALLEL_FROM and not facts["in_order"] and min(cores, len(starts)) > 1:
            pool = stack.enter_context(worker.children(min(cores, len(starts), MAX_PROCESSES)))
        if total > ANNOUNCED_FROM:
            size = total * math.prod(facts["shape"])
            logger.info("preparing %s once: %d images, %.2f GB in %s", facts["name"], total, size / 1e9, root())
            if starts.start:
                logger.info("%d %% of it are there from before", round(100 * starts.start / total))
        if pool is None:
            assert source is not None, "what is not read in a child was opened here"
            convert = as_of_a_child(conversion.convert_rows)
            results = (convert(source, part, start) for start in starts)
        else:
            futures = {start: pool.submit(worker.convert, *arguments, start) for start in starts}
            results = (worker.answer(future, name, f"chunk {row // step}") for row, future in futures.items())
        saved = time.monotonic()
        with progress.task(f"preparing {facts['name']}", total, "images", starts.start) as task:
            try:
                for start, bad in zip(starts, results):
                    state["rows"] = min(total, start + step)
                    state["bad"] |= bad
                    task.update(state["rows"])
                    if time.monotonic() - saved > SAVE_SECONDS:
                        conversion.save_progress(part, state)
                        saved = time.monotonic()
            finally:
                if 0 < state["rows"] < total:
                    with suppress(OSError):  # a full disk, as that of the error that ends the conversion
                        conversion.save_progress(part, state)
    return state


def _finish(state: dict[str, Any], part: Path, folder: Path) -> CachedDataset:
    """Turn the folder of a full conversion into that of a set. Raises ValueError where nothing in it can be used."""
    bad = {int(row): reason for row, reason in state["bad"].items()}
    if len(bad) == state["rows"]:
        shutil.rmtree(part)
        raise ValueError(f"none of {len(bad)} files could be read; the first: {bad[min(bad)]}")
    meta = state["facts"] | {"bad": bad}
    dataset = CachedDataset(part, meta)
    step = conversion.chunk_rows(dataset.shape)
    chunks = (dataset._pixels[start : start + step] for start in range(0, len(dataset._pixels), step))
    if not any((chunk > 1).any() for chunk in chunks) and dataset._pixels.any():
        shutil.rmtree(part)
        raise ValueError(f"images in {dataset.card.source} hold only 0 and 1 and would look black; store images * 255.")
    for file in part.glob("*.np?"):
        with file.open("r+b") as opened:
            os.fsync(opened.fileno())
    _write_meta(part, meta | {"digest": dataset_digest(dataset), "stamps": _file_stamps(part)})
    part.replace(folder)
    (folder / "progress.json").unlink(missing_ok=True)
    finished = read_if_intact(folder)
    if finished is None:
        raise OSError(f"{folder} is not as it was written: another process changes it, or the disk is failing.")
    return finished


def _warn_of_unreadable_files(dataset: CachedDataset) -> None:
    for reason in list(dataset.bad.values())[:MAX_NAMED]:
        logger.warning("%s", reason)
    if len(dataset.bad) > MAX_NAMED:
        logger.warning("... and %d more", len(dataset.bad) - MAX_NAMED)
    if dataset.bad:
        total = len(dataset.bad) + len(dataset)
        logger.warning("%d of %d files could not be read and are left out", len(dataset.bad), total)
