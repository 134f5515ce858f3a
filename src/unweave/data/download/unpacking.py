"""A tar or zip of a published set -> its files in the set's folder, whole or not at all.

    .NAME.unpacking/   an archive while it is unpacked; begun again if a process stopped there
    NAME.unpacked      written last: sha256 of the archive, and path and size of every file that came from it

Only plain files and folders below the set's folder are written; a path that leaves it, a link, a device, a file twice,
or far more bytes than the archive has is refused. Nothing that is there already is changed.
"""

import bz2
import filecmp
import gzip
import json
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from unweave.data.disk_space import FULL_DISK, NoSpaceError, check_download_space
from unweave.files import write_atomically
from unweave.progress import Task

MAX_FILES = 5_000_000  # files in an archive
MAX_RATIO = 200  # bytes that one byte of an archive may become, beyond those that are always allowed
ALWAYS_ALLOWED = 16 << 20  # bytes that may come out however small the archive is
COPY_BYTES = 1 << 20  # bytes that are copied at once
MAX_READ_BYTES = 1 << 26  # bytes that a decoder may ask for at once

DECOMPRESSORS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""How tar files are packed, by their first bytes."""

DAMAGE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
)
"""What the decoders raise for damaged archives, besides OSError and RuntimeError."""


class PackedFile(NamedTuple):
    name: str
    size: int
    open: Callable[[], Any]  # its bytes, as a stream


def is_unpacked(folder: Path, file: str, sha256: str | None) -> bool:
    """Whether everything in this archive lies in the folder. None compares no sha256."""
    try:
        record = json.loads((folder / f"{file}.unpacked").read_text("utf-8"))
        if sha256 not in (None, record["sha256"]):
            return False
        return all((folder / name).stat().st_size == size for name, size in record["files"].items())
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return False


def unpack(archive: Path, folder: Path, sha256: str, task: Task) -> None:
    """Put what is in the archive into the folder, unless it is there.

    Raises ValueError where the archive is damaged or holds what it should not, or where another file is in the way;
    OSError for no space. The folder is as before then.
    """
    if is_unpacked(folder, archive.name, sha256):
        return
    staging = folder / f".{archive.name}.unpacking"
    try:
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir()
        sizes = _extract_all(archive, staging, task)
        for name in sizes:
            _check_not_in_the_way(folder, name, staging / name, archive)
        for name in sizes:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(folder / name)
        record = json.dumps({"sha256": sha256, "files": sizes})
        write_atomically(folder / f"{archive.name}.unpacked", record)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract_all(archive: Path, staging: Path, task: Task) -> dict[str, int]:
    """Write every file of the archive below an empty folder; their sizes by path."""
    sizes: dict[str, int] = {}
    packed_size = archive.stat().st_size
    limit, total = ALWAYS_ALLOWED + MAX_RATIO * packed_size, 0
    try:
        with closing(_packed_files(archive)) as members:
            for member in members:
                name = _safe_path(member.name)
                if name in sizes or len(sizes) >= MAX_FILES:
                    raise ValueError(
                        f"{name} is in it twice" if name in sizes else f"it has more than {MAX_FILES:,} files"
                    )
                sizes[name], total = member.size, total + member.size
                if total > limit:
                    raise ValueError(f"its {packed_size:,} bytes become more than {limit:,}: it is damaged or a trap")
                check_download_space(staging, member.size)
                _extract(member, staging / name)
                task.update(total)
        if not sizes:
            raise ValueError("it holds no file")
        return sizes
    except (NoSpaceError, PermissionError):
        raise
    except (*DAMAGE_ERRORS, RuntimeError, MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        raise ValueError(
            f"{archive} cannot be unpacked: {str(error) or type(error).__name__}. If you trust it, unpack it yourself "
            f"into {archive.parent}; else delete it and get it again."
        ) from error


def _extract(member: PackedFile, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    remaining = member.size
    with member.open() as source, path.open("xb") as target:
        while block := source.read(COPY_BYTES):
            remaining -= len(block)
            if remaining < 0:
                break
            target.write(block)
    if remaining != 0:
        raise ValueError(f"{member.name} is not of the {member.size:,} bytes that are announced")


def _safe_path(name: str) -> str:
    """The path in the folder. Raises ValueError where it leads elsewhere or is no name of a file."""
    parts = PurePosixPath(name).parts
    odd = "\\" in name or re.match(r"/|[A-Za-z]:", name) or any(ord(letter) < 32 for letter in name)
    if odd or not parts or ".." in parts or len(name.encode(errors="replace")) > 1000:
        raise ValueError(f"{name[:200]!r} in it is no path inside a folder")
    return "/".join(parts)


def _check_not_in_the_way(folder: Path, name: str, staged: Path, archive: Path) -> None:
    """Raises ValueError where something else has this name in the folder."""
    path = folder / name
    parents = [folder / parent for parent in path.relative_to(folder).parents]
    in_the_way = [parent for parent in parents if parent.exists() and not parent.is_dir()]
    if not in_the_way and (path.exists() or path.is_symlink()):
        same = path.is_file() and filecmp.cmp(path, staged, shallow=False)
        in_the_way = [] if same else [path]
    if in_the_way:
        raise ValueError(f"{in_the_way[0]} is in the way of {archive}: move it elsewhere first.")


def _packed_files(archive: Path) -> Generator[PackedFile]:
    """The plain files of an archive, in their order; each has to be read before the next."""
    with archive.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _zip_files(file)
            return
        for magic, decompress in DECOMPRESSORS.items():
            if start.startswith(magic):
                with decompress(file) as stream:
                    yield from _tar_files(stream)
                return
        yield from _tar_files(file)


def _zip_files(file: IO[bytes]) -> Iterator[PackedFile]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise ValueError(f"{info.filename} in it is a link or a device")
            yield PackedFile(info.filename, info.file_size, partial(archive.open, info))


def _tar_files(file: Any) -> Iterator[PackedFile]:
    stream = _BoundedStream(file)
    with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
        for info in archive:
            if info.isdir():
                continue
            if not info.isfile():
                raise ValueError(f"{info.name} in it is a link or a device")
            yield PackedFile(info.name, info.size, partial(_open_member, archive, info))
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise ValueError("it is damaged or ends too early")


def _open_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Any:
    file = archive.extractfile(info)
    assert file is not None, "plain files only"
    return file


class _BoundedStream:
    """What tarfile reads: not much at once, and its last piece is known (tarfile takes damage for the end)."""

    def __init__(self, file: Any) -> None:
        self.seek, self.tell, self.last, self._read = file.seek, file.tell, b"", file.read

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= MAX_READ_BYTES:
            raise ValueError("a header in it is far too long")
        self.last = self._read(count)
        return self.last
