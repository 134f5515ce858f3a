"""Every data set on disk as one memory-mapped file of uint8, made once and shared by all runs and processes.

`$UNWEAVE_CACHE`, or unweave/ in `$XDG_CACHE_HOME`, or ~/.cache/unweave:

    sets/NAME-KEY/      a whole set: images.npy, meta.json, splits.npz, and labels.npy where factors are no grid
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
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import track

from unweave import registry
from unweave.config import Frozen
from unweave.data.cache import conversion, file_digests
from unweave.data.cache.cached_dataset import CachedDataset
from unweave.data.cache.worker import Worker, convert_chunks
from unweave.data.memory import digest_of

PARALLEL_FROM = 4_000  # images from which several processes convert
PROGRESS_FROM = 500  # images from which progress is shown
MAX_NAMED = 20  # unreadable files that are named one by one

logger = logging.getLogger("unweave")


def root() -> Path:
    """The folder of the cache."""
    if "UNWEAVE_CACHE" in os.environ:
        return Path(os.environ["UNWEAVE_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "unweave"


def open_cached(name: str, settings: Frozen) -> CachedDataset:
    """The data set `name` with these settings, converted first where the cache does not have it.

    Raises what the module's `files` and `source` raise, ValueError for content that cannot be used, OSError where
    files may not be read or there is no space. An interrupt leaves what is converted; the next call goes on.
    """
    module = registry.module("data", name)
    own = {key: value for key, value in settings.model_dump().items() if key != "path" and not isinstance(value, Path)}
    try:
        files = module.files(settings)
        stamp = file_digests.stamp_of_files(files)
        content = file_digests.digest_of_files(files, _base(settings, files), root() / "contents")
        recipe = json.dumps(
            [conversion.VERSION, vars(module).get("VERSION", 1), name, own, content], sort_keys=True, default=str
        )
        place = root() / "sets" / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
        dataset = read_if_intact(place)
        if dataset is None:
            dataset = _make(name, module, settings, place, stamp)
    except OSError as error:
        told = _explained(error)
        if told is error:
            raise
        raise told from error
    _warn(dataset)
    return dataset


def _base(settings: Frozen, files: list[Path]) -> Path:
    """The folder whose relative paths name the files: the one that holds what was asked for, else that of them all."""
    path = settings.model_dump().get("path")
    if isinstance(path, Path):
        return path.expanduser().resolve().parent
    return Path(os.path.commonpath([os.path.abspath(file.parent) for file in files]))


def _explained(error: OSError) -> OSError:
    """The same error with a remedy, where there is one."""
    below = error.filename is not None and Path(str(error.filename)).is_relative_to(root())
    if isinstance(error, PermissionError) or error.errno == errno.EROFS or (below and not root().is_dir()):
        what = f"{error.filename} may not be read or written" if error.filename else str(error)
        return PermissionError(f"{what}: change its permissions, or set UNWEAVE_CACHE to a folder of yours.")
    return conversion.no_space(str(root())) if error.errno in conversion.FULL else error


def read_if_intact(place: Path) -> CachedDataset | None:
    """The set in this folder, or None where there is none, or its bytes are not those that were written."""
    try:
        meta = json.loads((place / "meta.json").read_bytes())
        if meta.pop("check") != _check(meta):
            return None
        dataset, stamps = CachedDataset(place, meta), _stamps(place)
        if meta["stamps"] == stamps:
            return dataset
        logger.info("files of %s have changed in the cache; checking them", meta["name"])
        if len(dataset._pixels) != meta["count"] or digest_of(dataset) != meta["digest"]:
            return None
        with suppress(OSError):  # a cache that may only be read: it is checked every time
            _write(place, meta | {"stamps": stamps})
        return dataset
    except OSError as error:
        if error.errno in (None, errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
            return None
        raise  # no fault of the files: they must not be thrown away for it
    except MemoryError:
        raise
    except Exception:  # damaged files raise anything
        return None


def _stamps(place: Path) -> dict[str, list[int]]:
    """Size and time of change of every file but meta.json."""
    stats = {file.name: file.stat() for file in sorted(place.iterdir()) if file.suffix in (".npy", ".npz")}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _check(meta: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()[:16]


def _write(place: Path, meta: dict[str, Any]) -> None:
    part = place / f".meta-{os.getpid()}-{threading.get_ident()}"
    meta = json.loads(json.dumps(meta))
    part.write_text(json.dumps(meta | {"check": _check(meta)}))
    part.replace(place / "meta.json")


def _make(name: str, module: ModuleType, settings: Frozen, place: Path, stamp: str) -> CachedDataset:
    """The set, made by this process or by another one that is at it already; `stamp` is that of its source files."""
    locks = root() / "locks"
    for folder in (locks, place.parent):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{place.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("another process is preparing %s; waiting for it", _said(name, settings))
        lock.acquire()
    try:
        dataset = read_if_intact(place)
        if dataset is None:
            if place.exists():
                logger.warning("the cache of %s in %s is damaged and is made again", _said(name, settings), place)
                shutil.rmtree(place)
            part = place.with_name(f"{place.name}.part")
            try:
                _convert(name, module, settings, part)
            except KeyboardInterrupt:
                logger.warning("stopped; what is converted is kept, and the same command goes on with it")
                raise
            except (ValueError, LookupError):
                if not conversion.any_chunk_finished(part):  # else kept: the next try goes on, should the cause be gone
                    shutil.rmtree(part, ignore_errors=True)
                raise
            if file_digests.stamp_of_files(module.files(settings)) != stamp:
                shutil.rmtree(part)
                raise ValueError(f"files of {name} changed while they were read: try again when they are complete.")
            dataset = _finished(part, place)
        return dataset
    finally:
        lock.release()


def _said(name: str, settings: Frozen) -> str:
    """What a person calls the set: the name of its file or folder, or else of the published set."""
    path = settings.model_dump().get("path")
    return path.name if isinstance(path, Path) else str(path or name)


def _convert(name: str, module: ModuleType, settings: Frozen, part: Path) -> None:
    """Fill the folder of a conversion, from where an earlier process left it."""
    table = settings.model_dump(mode="json")
    with ExitStack() as stack:
        if module.CHILD_PROCESS_ONLY:
            first = stack.enter_context(Worker(name, table, part, begin=True))
            first.open()
            plan, converters = conversion.read_plan(part), [first.convert]
        else:
            source = _ours(module.source, name)(settings)
            plan = conversion.prepare(source, part)
            converters = [lambda chunk: _ours(conversion.convert_chunk, name)(source, part, plan, chunk)]
        chunks = conversion.missing_chunks(part, plan)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if plan["count"] >= PARALLEL_FROM and not plan["in_order"] and min(cores, len(chunks)) > 1:
            more = min(cores, len(chunks), 16) - len(converters) * module.CHILD_PROCESS_ONLY
            others = [stack.enter_context(Worker(name, table, part, begin=False)).convert for _ in range(more)]
            converters = [*(converters if module.CHILD_PROCESS_ONLY else []), *others]
        channels, height, width = plan["shape"]
        if plan["count"] > PROGRESS_FROM:
            size = plan["count"] * channels * height * width
            logger.info("preparing %s once: %d images, %.2f GB in %s", plan["name"], plan["count"], size / 1e9, root())
            if there := -(-plan["count"] // plan["chunk"]) - len(chunks):
                logger.info("%d %% of it are there from before", round(100 * there / (there + len(chunks))))
        console = Console(stderr=True)
        shown = track(
            convert_chunks(converters, chunks),
            f"preparing {plan['name']}",
            total=len(chunks),
            console=console,
            disable=plan["count"] <= PROGRESS_FROM or not console.is_terminal,
            transient=True,
        )
        for record in shown:
            conversion.record_chunk(part, record)


def _ours(read: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`read`, whose errors of any other kind than a reader's own are ValueError, as those of a child are."""

    def wrapped(*arguments: Any) -> Any:
        try:
            return read(*arguments)
        except (ValueError, LookupError, OSError, ImportError):
            raise
        except Exception as error:
            raise ValueError(f"{name} cannot be read: {type(error).__name__}: {error}") from error

    return wrapped


def _finished(part: Path, place: Path) -> CachedDataset:
    """Turn a full conversion into a set. Raises ValueError where nothing in it can be used."""
    plan = conversion.read_plan(part)
    bad = {row: why for record in conversion.finished_chunks(part) for row, why in record["bad"].items()}
    if len(bad) == plan["count"]:
        shutil.rmtree(part)
        raise ValueError(f"none of {plan['count']} files could be read; the first: {bad[min(bad)]}")
    meta = {key: plan[key] for key in ("name", "count", "shape", "card", "factors", "files")} | {"bad": bad}
    dataset = CachedDataset(part, meta)
    brightest = 0
    for start in range(0, len(dataset._pixels), plan["chunk"]):
        brightest = max(brightest, int(dataset._pixels[start : start + plan["chunk"]].max()))
        if brightest > 1:
            break
    if brightest == 1:
        shutil.rmtree(part)
        raise ValueError(
            f"images in {plan['card']['source']} hold only 0 and 1 and would look black; store images * 255."
        )
    for name in ("images.npy", *plan["checks"]):
        with (part / name).open("r+b") as file:
            os.fsync(file.fileno())
    _write(part, meta | {"digest": digest_of(dataset), "stamps": _stamps(part)})
    part.replace(place)
    for name in ("plan.json", "done.jsonl"):
        (place / name).unlink(missing_ok=True)
    made = read_if_intact(place)
    if made is None:
        raise OSError(f"{place} is not as it was written: another process changes it, or the disk is failing.")
    return made


def _warn(dataset: CachedDataset) -> None:
    for why in list(dataset.bad.values())[:MAX_NAMED]:
        logger.warning("%s", why)
    if len(dataset.bad) > MAX_NAMED:
        logger.warning("... and %d more", len(dataset.bad) - MAX_NAMED)
    if dataset.bad:
        total = len(dataset.bad) + len(dataset)
        logger.warning("%d of %d files could not be read and are left out", len(dataset.bad), total)


class CacheEntry(NamedTuple):
    """A folder of the cache."""

    place: Path
    name: str
    images: int
    size: str  # of an image: channels x height x width
    bytes: int
    made: str  # day and minute, UTC
    whole: bool  # False: in the making, or left by a process that stopped


def entries() -> list[CacheEntry]:
    """What the cache holds."""
    found = []
    for place in sorted(folder for folder in (root() / "sets").glob("*") if folder.is_dir()):
        size = 0
        for file in place.glob("*"):
            with suppress(FileNotFoundError):  # another process is at work here
                size += file.stat().st_blocks * 512
        made = datetime.fromtimestamp(place.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M")
        found.append(CacheEntry(place, place.name, 0, "", size, made, False))
        for said in ("meta.json", "plan.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):  # damaged: shown by the name of its folder
                meta = json.loads((place / said).read_bytes())
                pixels = " x ".join(map(str, meta["shape"]))
                found[-1] = CacheEntry(place, meta["name"], meta["count"], pixels, size, made, said == "meta.json")
                break
    return found


def clear(entry: CacheEntry) -> None:
    """Delete a folder of the cache, but not one that a process is making. Raises ValueError for that one."""
    lock = FileLock(root() / "locks" / f"{entry.place.name.removesuffix('.part')}.lock")
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.place)
    except FileNotFoundError:
        return  # another process was faster
    except Timeout:
        raise ValueError(f"{entry.place} is being made by another process: stop that first.") from None
