"""Files of the published sets, from wherever they can still be had: what `unweave data get` does.

In the folder of a set, `home()/NAME`:

    FILE                         a file as it was published, whole: it gets this name last, by a rename
    FILE.part, FILE.part.json    one on its way (see partial_file.py); the next call goes on with it
    FILE.wrong                   the last thing that came in place of the file, to look at; it may be deleted
    FILE.unpacked                what came from the archive FILE (see unpacking.py); the archive stays
    digests.json                 address, sha256, bytes and date of every file that was fetched or found here
    .downloading.lock            one process fetches into the folder, others wait for it

A file that is there is compared with its sha256 and never fetched over. Where nobody published a sha256, that of the
first download is recorded, and later ones are compared with it.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from unweave import registry
from unweave.config import nearest
from unweave.data.cache.conversion import FULL
from unweave.data.dataset import Card
from unweave.data.download import unpacking
from unweave.data.download.partial_file import READ_BYTES, PartialFile, no_space, room
from unweave.data.download.progress import ProgressMeter, ReportBytes, format_bytes, progress_bar
from unweave.data.download.published_files import RemoteFile, data_home
from unweave.data.download.transfer import AddressRefusedError, DroppedConnectionError, NoAnswerError, transfer

GOOD_PROGRESS = 16 << 20  # bytes; a try that brought as many is no failure, and the pauses begin again

logger = logging.getLogger("unweave")


class NotFetchedError(OSError):
    """A file that could not be had; the message says why, and how to get it by hand."""


class Patience(NamedTuple):
    """How long an address is given. One that never answers is left at once for the next."""

    timeout: float = 30.0  # seconds without a byte, after which a try has failed
    pauses: tuple[float, ...] = (1.0, 3.0, 9.0, 27.0)  # seconds before each further try of a file that had begun


DEFAULT_PATIENCE = Patience()


def download_set(
    name: str,
    progress: ProgressMeter = progress_bar,
    accept: Callable[[Card], bool] | None = None,
    patience: Patience = DEFAULT_PATIENCE,
    kind: str | None = None,
) -> list[Path]:
    """Every file of the published set `name`, fetched where it is not there: the files, or folders of archives.

    Of a set that comes in several kinds only `kind` is fetched, the first one if it is not named.

    The licence is logged before anything is fetched; `accept` is asked for an answer to it, and False ends here with
    ValueError. Raises LookupError for a set that has nothing to fetch or is not known, NotFetchedError that names every
    file that could not be had (after the others were), OSError where the disk is full or may not be written.
    """
    module = registry.module("data", name)
    remotes = _downloads(module)
    if not remotes:
        known = [other for other in registry.names("data") if _downloads(registry.module("data", other))]
        raise LookupError(
            f"{name} has nothing to download.{nearest(name, known)} These sets have: {', '.join(known) or 'none'}."
        )
    remotes = _of_kind(remotes, name, kind)
    folder = data_home() / name
    absent = [remote for remote in remotes if not _present(remote, folder)]
    if absent:
        card: Card = module.CARD
        logger.info("%s. Licence: %s. Source: %s", card.title, card.licence, card.source)
        if accept is not None and not accept(card):
            raise ValueError(f"{name} is not fetched: its licence was not accepted.")
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        room(folder, sum(max(0, (remote.bytes or 0) - _begun(remote, folder)) for remote in absent if remote.urls))
    paths, failures = [], []
    for remote in remotes:
        try:
            paths.append(download_file(remote, folder, progress, patience))
        except NotFetchedError as error:
            failures.append(str(error))
    if failures:
        raise NotFetchedError("\n".join(failures))
    return paths


def _downloads(module: ModuleType) -> tuple[RemoteFile, ...]:
    return vars(module).get("DOWNLOADS", ())


def _of_kind(remotes: Sequence[RemoteFile], name: str, kind: str | None) -> tuple[RemoteFile, ...]:
    kinds = list(dict.fromkeys(remote.kind for remote in remotes if remote.kind))
    if kind is not None and kind not in kinds:
        raise LookupError(
            f"{name} has no kind {kind!r}.{nearest(kind, kinds)} It has: {', '.join(kinds) or 'one only'}."
        )
    return tuple(remote for remote in remotes if remote.kind in ("", kind or next(iter(kinds), "")))


def _present(remote: RemoteFile, folder: Path) -> bool:
    return (folder / remote.file).exists() or (
        remote.unpack and unpacking.is_unpacked(folder, remote.file, remote.sha256)
    )


def _begun(remote: RemoteFile, folder: Path) -> int:
    part = folder / f"{remote.file}.part"
    return part.stat().st_size if part.exists() else 0


def download_file(
    remote: RemoteFile, folder: Path, progress: ProgressMeter = progress_bar, patience: Patience = DEFAULT_PATIENCE
) -> Path:
    """The file in this folder, fetched if it is not there; the folder, if the file is an archive to unpack.

    What has arrived stays after an interrupt or an error, and the next call goes on with it. Raises NotFetchedError
    that names every address with its reason, ValueError for an archive that cannot be unpacked, OSError where the disk
    is full or may not be written.
    """
    path = folder / remote.file
    with _explained(folder):
        if not _done(remote, folder, progress):
            if not remote.urls and not path.exists():
                raise NotFetchedError(_by_hand(remote, path, []))
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(folder, path):
                if not _done(remote, folder, progress):  # another process may have done it
                    sha256 = (_kept if path.exists() else _fetched)(remote, folder, progress, patience)
                    if remote.unpack:
                        with progress(f"unpacking {remote.file}") as told:
                            unpacking.unpack(path, folder, sha256, told)
    return folder if remote.unpack else path


def _done(remote: RemoteFile, folder: Path, progress: ProgressMeter) -> bool:
    """Whether nothing is left to do; the folder may be read-only then. Raises NotFetchedError for a wrong file."""
    path, expected = folder / remote.file, _expected(remote, folder)
    if path.is_dir():  # some sets are folders of files; there is nothing to compare them with
        return True
    if not path.exists():
        return remote.unpack and unpacking.is_unpacked(folder, remote.file, expected)
    if expected is None:
        return False
    _compared(remote, path, expected, progress)
    return not remote.unpack or unpacking.is_unpacked(folder, remote.file, expected)


def _expected(remote: RemoteFile, folder: Path) -> str | None:
    """The sha256 that the file must have: the published one, else that of the first download."""
    return remote.sha256 or _recorded(folder).get(remote.file, {}).get("sha256")


def _kept(remote: RemoteFile, folder: Path, progress: ProgressMeter, patience: Patience) -> str:
    """The sha256 of a file that somebody put there."""
    expected = _expected(remote, folder)
    if expected is not None:  # has been compared
        return expected
    sha256 = _compared(remote, folder / remote.file, None, progress)
    _record(remote, folder, "", sha256)
    return sha256


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Says what to do where the disk is full, or a folder may not be written."""
    try:
        yield
    except KeyboardInterrupt:
        logger.warning("stopped; what has arrived stays in %s, and the next call goes on with it", folder)
        raise
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        where = error.filename or folder
        raise type(error)(
            f"{where} may not be read or written ({error.strerror}): change its permissions, or set UNWEAVE_DATA to a "
            "folder of yours."
        ) from error
    except OSError as error:
        if error.errno in FULL:
            raise no_space(f"the disk of {folder} is full; what has arrived stays") from error
        raise


@contextmanager
def _alone(folder: Path, path: Path) -> Iterator[None]:
    """While this process is the only one that fetches into the folder."""
    lock = FileLock(folder / ".downloading.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("another process is fetching into %s; %s waits for it", folder, path.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _recorded(folder: Path) -> dict[str, dict[str, Any]]:
    """What digests.json says. Raises ValueError where it is damaged."""
    path = folder / "digests.json"
    try:
        said = json.loads(path.read_text())
        if isinstance(said, dict) and all(isinstance(entry, dict) for entry in said.values()):
            return said
    except FileNotFoundError:
        return {}
    except ValueError:
        pass
    raise ValueError(f"{path} is damaged: delete it, and the sha256 of each file is recorded anew.")


def _record(remote: RemoteFile, folder: Path, url: str, sha256: str) -> None:
    """Note what the file is in digests.json."""
    place = folder / "digests.json"
    entry = {"url": url, "sha256": sha256, "bytes": (folder / remote.file).stat().st_size}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = place.with_name(f".{place.name}-{os.getpid()}")
    fresh.write_text(json.dumps(_recorded(folder) | {remote.file: entry | {"date": date}}, indent=1) + "\n")
    fresh.replace(place)


def _compared(remote: RemoteFile, path: Path, expected: str | None, progress: ProgressMeter) -> str:
    """The sha256 of a file that is there. Raises NotFetchedError where it is another file."""
    content, done, size = hashlib.sha256(), 0, path.stat().st_size
    with progress(f"checking {remote.file}") as told, path.open("rb") as file:
        while block := file.read(READ_BYTES):
            content.update(block)
            told(done := done + len(block), size)
    sha256 = content.hexdigest()
    wrong = _wrong(remote, expected, size, sha256)
    if wrong:
        raise NotFetchedError(f"{path} is there, but {wrong}. Move it elsewhere or delete it, and get it again.")
    return sha256


def _wrong(remote: RemoteFile, expected: str | None, size: int, sha256: str) -> str:
    """What is wrong with a file of this size and sha256; "" if nothing."""
    if remote.bytes not in (None, size):
        return f"it has {size:,} bytes, expected {remote.bytes:,}"
    if expected not in (None, sha256):
        whose = "" if remote.sha256 else ", that of the first download (digests.json)"
        return f"its sha256 is {sha256}, expected {expected}{whose}"
    return ""


def _fetched(remote: RemoteFile, folder: Path, progress: ProgressMeter, patience: Patience) -> str:
    """Fetch from the first address that has the file; its sha256. Raises NotFetchedError that names them all."""
    path, expected, reasons = folder / remote.file, _expected(remote, folder), []
    known = remote._replace(sha256=expected)
    for url in remote.urls:
        try:
            with progress(f"checking what is there of {remote.file}") as told:
                part = PartialFile(path, told)
            with part, progress(f"fetching {remote.file}") as told:
                _patiently(url, part, known, told, patience)
                if part.joined and _wrong(remote, known.sha256, part.size, part.sha256.hexdigest()):
                    logger.warning("%s: its pieces do not fit together; it is fetched from the beginning", remote.file)
                    part.begin({})
                    _patiently(url, part, known, told, patience)
                sha256 = part.sha256.hexdigest()
                wrong, aside = _wrong(remote, known.sha256, part.size, sha256), path.with_name(f"{path.name}.wrong")
                part.finish(aside if wrong else path)
                if wrong:
                    raise AddressRefusedError(f"{wrong}; what came is in {aside}")
        except AddressRefusedError as error:
            logger.warning("%s from %s: %s", remote.file, url, error)
            reasons.append(f"  {url}: {error}")
            continue
        _record(remote, folder, url, sha256)
        logger.info("%s: %s, sha256 %s", path, format_bytes(path.stat().st_size), sha256)
        if expected is None:
            logger.info("no sha256 of %s was published: this one is recorded and compared from now on", remote.file)
        return sha256
    raise NotFetchedError(_by_hand(remote, path, reasons))


def _patiently(url: str, part: PartialFile, remote: RemoteFile, told: ReportBytes, patience: Patience) -> None:
    """Try this address until the file is whole. Raises RefusedError with the last reason."""
    pauses, tries, most, begun = iter(patience.pauses), 0, part.size, False
    while True:
        try:
            tries += 1
            return transfer(url, part, remote, told, patience.timeout)
        except (NoAnswerError, DroppedConnectionError) as error:
            begun = begun or isinstance(error, DroppedConnectionError)
            if part.size > most + GOOD_PROGRESS:
                pauses, most = iter(patience.pauses), part.size
            pause = next(pauses, None) if begun else None
            if pause is None:
                raise AddressRefusedError(
                    f"{error}, in the last of {tries} tries" if tries > 1 else str(error)
                ) from error
            logger.warning("%s: %s; it goes on in %g s", remote.file, error, pause)
            time.sleep(pause)


def _by_hand(remote: RemoteFile, path: Path, reasons: list[str]) -> str:
    """What to do about a file that cannot be fetched."""
    why = "from any address:" if reasons else "without a person."
    lines = [f"{remote.file} cannot be fetched {why}", *reasons]
    login = f" ({remote.login})" if remote.login else ""
    return "\n".join([*lines, f"  Get it from {remote.page}{login}", f"  and put it here: {path.absolute()}"])
