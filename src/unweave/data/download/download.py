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

By hand and not by pooch, which fetches over a file that differs, forgets what had come, knows one address of a file,
and reads it once more for its digest.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unweave import progress, registry
from unweave.config import nearest
from unweave.data.cache.cache import one_process
from unweave.data.dataset import find_dataset
from unweave.data.digest import sha256_of
from unweave.data.disk_space import FULL_DISK, check_download_space, no_download_space
from unweave.data.download import unpacking
from unweave.data.download.partial_file import PartialFile
from unweave.data.download.published_files import RemoteFile, data_home
from unweave.data.download.transfer import DEFAULT_PATIENCE, AddressRefusedError, Patience, transfer_with_retries
from unweave.files import read_json, write_atomically
from unweave.foreign import errors_as

logger = logging.getLogger("unweave")


class NotFetchedError(OSError):
    """A file that could not be had; the message says why, and how to get it by hand."""


def download_set(name: str, patience: Patience = DEFAULT_PATIENCE, kind: str | None = None) -> list[Path]:
    """Every file of the published set `name`, fetched where it is not there: the files, or folders of archives.

    Of a set that comes in several kinds only `kind` is fetched, the first one if it is not named. The licence is
    logged before anything is fetched. Raises LookupError for a set that has nothing to fetch or is not known,
    NotFetchedError that names every file that could not be had (after the others were), OSError where the disk is full
    or may not be written.
    """
    definition = find_dataset(name)
    remotes = definition.downloads
    if not remotes:
        others = [other for other in registry.names("data") if find_dataset(other).downloads]
        raise LookupError(
            f"{name} has nothing to download.{nearest(name, others)} These sets have: {', '.join(others) or 'none'}."
        )
    remotes = _of_kind(remotes, name, kind)
    folder = data_home() / name
    absent = [remote for remote in remotes if not _is_present(remote, folder)]
    if absent:
        card = definition.card
        assert card is not None, f"{name} is downloaded and says nothing of its licence"
        logger.info("%s. Licence: %s. Source: %s", card.title, card.licence, card.source)
        with _errors_with_remedy(folder):
            folder.mkdir(parents=True, exist_ok=True)
        parts = {path.name: path.stat().st_size for path in folder.glob("*.part")}
        needed = [(remote.bytes or 0) - parts.get(f"{remote.file}.part", 0) for remote in absent if remote.urls]
        check_download_space(folder, sum(max(0, size) for size in needed))
    paths, failures = [], []
    for remote in remotes:
        try:
            paths.append(download_file(remote, folder, patience))
        except NotFetchedError as error:
            failures.append(str(error))
    if failures:
        raise NotFetchedError("\n".join(failures))
    return paths


def _of_kind(remotes: Sequence[RemoteFile], name: str, kind: str | None) -> tuple[RemoteFile, ...]:
    kinds = list(dict.fromkeys(remote.kind for remote in remotes if remote.kind))
    if kind is not None and kind not in kinds:
        raise LookupError(
            f"{name} has no kind {kind!r}.{nearest(kind, kinds)} It has: {', '.join(kinds) or 'one only'}."
        )
    return tuple(remote for remote in remotes if remote.kind in ("", kind or next(iter(kinds), "")))


def _is_present(remote: RemoteFile, folder: Path) -> bool:
    return (folder / remote.file).exists() or (
        remote.unpack and unpacking.is_unpacked(folder, remote.file, remote.sha256)
    )


def download_file(remote: RemoteFile, folder: Path, patience: Patience = DEFAULT_PATIENCE) -> Path:
    """The file in this folder, fetched if it is not there; the folder, if the file is an archive to unpack.

    What has arrived stays after an interrupt or an error, and the next call goes on with it. Raises NotFetchedError
    that names every address with its reason, ValueError for an archive that cannot be unpacked, OSError where the disk
    is full or may not be written.
    """
    path = folder / remote.file
    with _errors_with_remedy(folder):
        if not _is_done(remote, folder):
            if not remote.urls and not path.exists():
                raise NotFetchedError(_instructions(remote, path, []))
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting = f"another process is fetching into {folder}; {path.name} waits for it"
            with one_process(folder / ".downloading.lock", waiting):
                if not _is_done(remote, folder):  # another process may have done it
                    sha256 = _adopt(remote, folder) if path.exists() else _fetch(remote, folder, patience)
                    if remote.unpack:
                        with progress.task(f"unpacking {remote.file}", unit="B") as task:
                            unpacking.unpack(path, folder, sha256, task)
    return folder if remote.unpack else path


def _is_done(remote: RemoteFile, folder: Path) -> bool:
    """Whether nothing is left to do; the folder may be read-only then. Raises NotFetchedError for a wrong file."""
    path, expected = folder / remote.file, _expected_sha256(remote, folder)
    if path.is_dir():  # some sets are folders of files; there is nothing to compare them with
        return True
    if not path.exists():
        return remote.unpack and unpacking.is_unpacked(folder, remote.file, expected)
    if expected is None:
        return False
    _check_file(remote, path, expected)
    return not remote.unpack or unpacking.is_unpacked(folder, remote.file, expected)


def _expected_sha256(remote: RemoteFile, folder: Path) -> str | None:
    """The sha256 that the file must have: the published one, else that of the first download."""
    return remote.sha256 or _read_record(folder).get(remote.file, {}).get("sha256")


def _adopt(remote: RemoteFile, folder: Path) -> str:
    """The sha256 of a file that somebody put there."""
    expected = _expected_sha256(remote, folder)
    if expected is not None:  # has been compared
        return expected
    sha256 = _check_file(remote, folder / remote.file, None)
    _record(remote, folder, "", sha256)
    _warn_unverified(remote, folder / remote.file)
    return sha256


def _warn_unverified(remote: RemoteFile, path: Path) -> None:
    logger.warning(
        "no sha256 of %s was published: this one is recorded and compared from now on, but whether %s is the published "
        "file is not verified", remote.file, path,
    )  # fmt: skip


def _errors_with_remedy(folder: Path) -> AbstractContextManager[None]:
    """Says what to do where the disk is full, or a folder may not be written."""

    def explain(error: OSError | KeyboardInterrupt) -> BaseException:
        if isinstance(error, KeyboardInterrupt):
            logger.warning("stopped; what has arrived stays in %s, and the next call goes on with it", folder)
        elif isinstance(error, PermissionError | FileExistsError | NotADirectoryError):
            return type(error)(
                f"{error.filename or folder} may not be read or written ({error.strerror}): change its permissions, or "
                "set UNWEAVE_DATA to a folder of yours."
            )
        elif error.errno in FULL_DISK:
            return no_download_space(f"the disk of {folder} is full; what has arrived stays")
        return error

    return errors_as((OSError, KeyboardInterrupt), explain)


def _read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """What digests.json says. Raises ValueError where it is damaged."""
    path = folder / "digests.json"
    damaged = ValueError(f"{path} is damaged: delete it, and the sha256 of each file is recorded anew.")
    with suppress(FileNotFoundError), errors_as(ValueError, lambda _: damaged):
        record = read_json(path)
        if all(isinstance(entry, dict) for entry in record.values()):
            return record
        raise damaged
    return {}


def _record(remote: RemoteFile, folder: Path, url: str, sha256: str) -> None:
    """Write into digests.json what the file is."""
    size, date = (folder / remote.file).stat().st_size, datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"url": url, "sha256": sha256, "bytes": size, "date": date}
    record = _read_record(folder) | {remote.file: entry}
    write_atomically(folder / "digests.json", json.dumps(record, indent=1) + "\n")


def _check_file(remote: RemoteFile, path: Path, expected: str | None) -> str:
    """The sha256 of a file that is there. Raises NotFetchedError where it is another file."""
    size = path.stat().st_size
    with progress.task(f"checking {remote.file}", size, "B") as task, path.open("rb") as file:
        sha256 = sha256_of(file, task.update).hexdigest()
    difference = _difference(remote, expected, size, sha256)
    if difference:
        raise NotFetchedError(f"{path} is there, but {difference}. Move it elsewhere or delete it, and get it again.")
    return sha256


def _difference(remote: RemoteFile, expected: str | None, size: int, sha256: str) -> str:
    """How a file of this size and sha256 differs from the published one; "" if it does not."""
    if remote.bytes not in (None, size):
        return f"it has {size:,} bytes, expected {remote.bytes:,}"
    if expected not in (None, sha256):
        origin = "" if remote.sha256 else ", that of the first download (digests.json)"
        return f"its sha256 is {sha256}, expected {expected}{origin}"
    return ""


def _fetch(remote: RemoteFile, folder: Path, patience: Patience) -> str:
    """Fetch from the first address that has the file; its sha256. Raises NotFetchedError that names them all."""
    path, expected, reasons = folder / remote.file, _expected_sha256(remote, folder), []
    wanted, wrong_path = remote._replace(sha256=expected), path.with_name(f"{path.name}.wrong")
    for url in remote.urls:
        try:
            with progress.task(f"checking what is there of {remote.file}", unit="B") as task:
                part = PartialFile(path, task)
            with part, progress.task(f"fetching {remote.file}", remote.bytes, "B", part.size) as task:
                transfer_with_retries(url, part, wanted, task, patience)
                if part.joined and _difference(remote, expected, part.size, part.sha256.hexdigest()):
                    logger.warning("%s: its pieces do not fit together; it is fetched from the beginning", remote.file)
                    part.restart({})
                    transfer_with_retries(url, part, wanted, task, patience)
                sha256 = part.sha256.hexdigest()
                difference = _difference(remote, expected, part.size, sha256)
                part.finish(wrong_path if difference else path)
                if difference:
                    raise AddressRefusedError(f"{difference}; what came is in {wrong_path}")
        except AddressRefusedError as error:
            logger.warning("%s from %s: %s", remote.file, url, error)
            reasons.append(f"  {url}: {error}")
            continue
        _record(remote, folder, url, sha256)
        logger.info("%s: %s, sha256 %s", path, progress.amount(path.stat().st_size, "B"), sha256)
        if expected is None:
            _warn_unverified(remote, path)
        return sha256
    raise NotFetchedError(_instructions(remote, path, reasons))


def _instructions(remote: RemoteFile, path: Path, reasons: list[str]) -> str:
    """What to do about a file that cannot be fetched."""
    failure = "from any address:" if reasons else "without a person."
    lines = [f"{remote.file} cannot be fetched {failure}", *reasons]
    login = f" ({remote.login})" if remote.login else ""
    return "\n".join([*lines, f"  Get it from {remote.page}{login}", f"  and put it here: {path.absolute()}"])
