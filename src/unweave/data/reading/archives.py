"""Zip and tar archives, read where they are or unpacked, of which nothing is trusted.

Zip (stored or deflated), tar, and tar compressed by gzip, bzip2 or xz are told apart by their first bytes. What
escapes, links, hides behind a password or unpacks to far more than its size is refused. tarfile's data filter would
not do: it knows no zip and no bomb, takes damage for the end, and lets links stay.
"""

import bz2
import gzip
import lzma
import re
import stat
import struct
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple

from unweave.foreign import errors_as

TAR_OPENERS: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""What unpacks a tar, by the first bytes of the file."""

MAX_MEMBERS = 4_000_000  # members of one archive
MAX_RATIO = 200  # bytes out of each byte of the archive: JPEG and PNG files give 1 to 8, flat BMP files up to about 100
ALWAYS_ALLOWED = 256 << 20  # bytes that may come out however small the archive is
MAX_DIRECTORY_BYTES = 256 << 20  # bytes of a zip's list of members: two million with names of 60 letters
MAX_HEADER_BYTES = 128 << 10  # bytes of one header of a tar: a long name, or extended attributes
READ_BYTES = 1 << 18  # bytes of a member that are read at once
SEEK_STEP = 4 << 20  # bytes between two looks at how much has come out
DAMAGE_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
    *(EOFError, OSError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError, MemoryError),
    *(AttributeError, SyntaxError),
)
"""What Python's libraries and NumPy raise for damaged archives and arrays."""


class RefusedArchiveError(ValueError):
    """An archive that could be read, but is not."""


class ArchiveMember(NamedTuple):
    name: str
    size: int  # bytes, unpacked, as the archive says
    kind: Literal["file", "folder", "other"]  # other: a link, a device, a file with holes
    position: Any  # where its bytes are: a position in the tar, or what zipfile needs


class Archive(NamedTuple):
    members: list[ArchiveMember]  # sorted by name; in a compressed tar, which has no index, as they lie in it
    blocks: Callable[[ArchiveMember], Iterator[bytes]]  # the bytes of a member. Raises ValueError: what is damaged
    in_order: bool  # reading an earlier member begins again at the start of the file

    def read(self, member: ArchiveMember, limit: int) -> bytes:
        """The bytes of a member, of at most so many. Raises ValueError that says why not."""
        if member.size > limit:
            raise ValueError(f"it has {member.size:,} bytes, more than {limit:,}")
        return b"".join(self.blocks(member))


def open_archive(path: Path, endings: Sequence[str] | None = None) -> Archive:
    """The files in a zip or tar that have one of these endings (lower case); hidden ones are left out.

    Of several with one name the last counts. None takes all files, each of which must be there once.

    Raises ValueError where the archive is damaged, cut short or refused.
    """
    with errors_as(
        DAMAGE_ERRORS,
        lambda error: ValueError(
            f"{path} cannot be read as a zip or tar; it is damaged, cut short or something else: "
            f"{_format_error(error)}. Compare its size with the original's, or get it again."
        ),
        but=(RefusedArchiveError, PermissionError),
    ):
        all_members, blocks, in_order = _open(path)
        members = _select(path, all_members, endings)
        unpacked = sum(member.size for member in members)
        if unpacked > ALWAYS_ALLOWED + MAX_RATIO * path.stat().st_size:
            raise RefusedArchiveError(_bomb_message(path, unpacked))
    ordered = members if in_order else sorted(members, key=lambda member: member.name)
    return Archive(ordered, partial(_checked_blocks, blocks), in_order)


def file_names(path: Path) -> list[str]:
    """The names of all files, images or not, in an archive that `open_archive` has taken."""
    return [member.name for member in _open(path)[0] if member.kind == "file"]


def _open(path: Path) -> tuple[Iterator[ArchiveMember], Callable[[ArchiveMember], Iterator[bytes]], bool]:
    """The members of an archive, told apart by its first bytes; their blocks; and whether they are read in order."""
    with path.open("rb") as file:
        start = file.read(6)
    decompress = next((opener for magic, opener in TAR_OPENERS.items() if start.startswith(magic)), None)
    if start.startswith(b"PK") or (decompress is None and path.suffix.lower() == ".zip"):
        archive = zipfile.ZipFile(BoundedFile(path, None, MAX_DIRECTORY_BYTES))  # type: ignore[arg-type]
        return _zip_members(path, archive), partial(_zip_blocks, archive), False
    bounded = BoundedFile(path, decompress, MAX_HEADER_BYTES)
    return _tar_members(bounded), partial(_tar_blocks, bounded), decompress is not None


class BoundedFile:
    """A file, unpacked while it is read, in which no bomb goes off."""

    def __init__(self, path: Path, decompress: Callable[[Any], Any] | None, largest: int) -> None:
        """At most `largest` bytes are read at once, and no more comes out than MAX_RATIO allows for what went in."""
        self.path, self.largest, self.compressed = path, largest, decompress is not None
        self.raw: IO[bytes] = path.open("rb")
        self.file: IO[bytes] = decompress(self.raw) if decompress else self.raw

    def read(self, size: int = -1) -> bytes:
        if size > self.largest:
            raise RefusedArchiveError(
                f"{self.path} describes its members in {size:,} bytes at once, more than {self.largest:,}: "
                "it is not read. If you trust it, unpack it and give the folder."
            )
        data = self.file.read(size)
        self._check_ratio()
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        before = -1
        while self.compressed and before < self.file.tell() < position - SEEK_STEP:
            before = self.file.tell()
            self.file.seek(before + SEEK_STEP)
            self._check_ratio()
        return self.file.seek(position, whence)

    def _check_ratio(self) -> None:
        if self.compressed and (unpacked := self.file.tell()) > ALWAYS_ALLOWED + MAX_RATIO * self.raw.tell():
            raise RefusedArchiveError(_bomb_message(self.path, unpacked))

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()
        self.raw.close()


def _bomb_message(path: Path, unpacked: int) -> str:
    return (
        f"{path} unpacks to {unpacked:,} bytes or more, over {MAX_RATIO} times what it takes, as an archive does that "
        "is made to fill a disk: it is not read. If you trust it, unpack it and give the folder."
    )


def _format_error(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _select(path: Path, members: Iterator[ArchiveMember], endings: Sequence[str] | None) -> list[ArchiveMember]:
    """The last member of each name that has one of the endings.

    Raises RefusedArchiveError for what may not be trusted.
    """
    selected: dict[str, ArchiveMember] = {}
    for number, member in enumerate(members):
        if number == MAX_MEMBERS:
            raise RefusedArchiveError(f"{path} has more than {MAX_MEMBERS:,} members: unpack it and give the folder.")
        parts = member.name.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or re.match("[A-Za-z]:", parts[0]) or re.search("[\0-\x1f]", member.name):
            raise RefusedArchiveError(f"{path} holds {member.name!r}, a path that escapes the archive: it is not read.")
        if member.kind == "other":
            raise RefusedArchiveError(
                f"{path} holds {member.name!r}, a link, a device or a file with holes: it is not read. Pack it again "
                "with the files that links point to (tar --dereference --hard-dereference)."
            )
        name = PurePosixPath(member.name)
        if endings is None and member.kind == "file" and name.as_posix() in selected:
            raise RefusedArchiveError(f"{path} holds {name.as_posix()!r} twice: it is not read.")
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
        if member.kind == "file" and (endings is None or (name.suffix.lower() in endings and not hidden)):
            selected.pop(name.as_posix(), None)  # the last one counts, at its own place
            selected[name.as_posix()] = member._replace(name=name.as_posix())
    return list(selected.values())


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name of a member; some programs of Windows separate its folders by backslashes."""
    return info.filename if "/" in info.filename else info.filename.replace("\\", "/")


def _zip_members(path: Path, archive: zipfile.ZipFile) -> Iterator[ArchiveMember]:
    for info in archive.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield ArchiveMember(_zip_name(info), 0, "other", info)
        elif info.is_dir():
            yield ArchiveMember(_zip_name(info), 0, "folder", info)
        elif info.flag_bits & 0x1:
            raise RefusedArchiveError(
                f"{path} is encrypted ({info.filename!r}): unpack it with its password and give the folder."
            )
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedArchiveError(
                f"{path} is compressed in an unusual way ({info.filename!r}, method {info.compress_type}): "
                "pack it again with `zip -r`, or unpack it and give the folder."
            )
        else:
            yield ArchiveMember(_zip_name(info), info.file_size, "file", info)


def _zip_blocks(archive: zipfile.ZipFile, member: ArchiveMember) -> Iterator[bytes]:
    with archive.open(member.position) as file:  # gives no more than the list says, and checks the checksum
        yield from iter(partial(file.read, READ_BYTES), b"")


def _tar_members(file: BoundedFile) -> Iterator[ArchiveMember]:
    """The members of a tar, up to its end, which has to be there. Each header is read once, and none is kept."""
    tar = tarfile.TarFile(fileobj=file)  # type: ignore[arg-type]
    info, last = tar.next(), -1
    while info is not None:
        if info.size < 0 or tar.offset <= last:
            raise ValueError(f"the header of {info.name!r} is damaged")
        is_file = info.isreg() and not info.issparse()
        kind: Literal["file", "folder", "other"] = "file" if is_file else "folder" if info.isdir() else "other"
        yield ArchiveMember(info.name, info.size, kind, info.offset_data)
        last = tar.offset
        file.seek(last)
        try:
            info = tarfile.TarInfo.fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            info = None
    while file.compressed and file.read(MAX_HEADER_BYTES):  # the checksum lies at the end
        pass


def _tar_blocks(file: BoundedFile, member: ArchiveMember) -> Iterator[bytes]:
    file.seek(member.position)
    for start in range(0, member.size, READ_BYTES):
        yield file.file.read(min(member.size - start, READ_BYTES))


def _checked_blocks(blocks: Callable[[ArchiveMember], Iterator[bytes]], member: ArchiveMember) -> Iterator[bytes]:
    """The blocks of a member of any content: all that goes wrong is a ValueError."""
    size = 0
    with errors_as(DAMAGE_ERRORS, lambda error: ValueError(_format_error(error))):
        for block in blocks(member):
            size += len(block)
            yield block
    if size != member.size:
        raise ValueError(f"it has {size:,} bytes where the archive says {member.size:,}")
