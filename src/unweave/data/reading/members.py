"""The files in a zip or tar, one after the other or one by one: never unpacked to disk, and never trusted.

Zip (stored or deflated), tar, and tar compressed by gzip, bzip2 or xz, told apart by their first bytes. What escapes,
links, hides behind a password or unpacks to far more than its size is refused.
"""

import bz2
import gzip
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple

PACKED: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""What unpacks a tar, by the first bytes of the file."""

MEMBERS = 4_000_000  # members of one archive
RATIO = 200  # bytes out of each byte of the archive: JPEG and PNG files give 1 to 8, flat BMP files up to about 100
ALWAYS = 256 << 20  # bytes that may come out however small the archive is
DIRECTORY = 256 << 20  # bytes of a zip's list of members: two million with names of 60 letters
HEADER = 128 << 10  # bytes of one header of a tar: a long name, or extended attributes
STEP = 4 << 20  # bytes between two looks at how much has come out
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, LookupError, TypeError, OverflowError, MemoryError, AttributeError),
)
"""What the libraries raise for damaged archives."""


class RefusedError(ValueError):
    """An archive that could be read, but is not."""


class Member(NamedTuple):
    name: str
    size: int  # bytes, unpacked, as the archive says
    what: Literal["file", "folder", "other"]  # other: a link, a device, a file with holes
    at: Any  # where its bytes are: a position in the tar, or what zipfile needs


class Archive(NamedTuple):
    members: list[Member]  # sorted by name; in a compressed tar, which has no index, as they lie in it
    read: Callable[[Member, int], bytes]  # the bytes of a member of at most so many. Raises ValueError: why not
    in_order: bool  # reading an earlier member begins again at the start of the file


def opened(path: Path, endings: Sequence[str]) -> Archive:
    """The members whose names have one of these endings (lower case), hidden ones left out; the last of each name.

    Raises ValueError where the archive is damaged, cut short or refused.
    """
    with path.open("rb") as file:
        start = file.read(6)
    unpack = next((opener for magic, opener in PACKED.items() if start.startswith(magic)), None)
    try:
        if start.startswith(b"PK") or (unpack is None and path.suffix.lower() == ".zip"):
            archive = zipfile.ZipFile(Bounded(path, None, DIRECTORY))  # type: ignore[arg-type]
            members, read = _chosen(path, _zip_members(path, archive), endings), _from_zip(archive)
            out = sum(member.size for member in members)
            if out > ALWAYS + RATIO * path.stat().st_size:
                raise RefusedError(_bomb(path, out))
        else:
            bounded = Bounded(path, unpack, HEADER)
            members, read = _chosen(path, _tar_members(bounded), endings), _from_tar(bounded)
    except (RefusedError, PermissionError):
        raise
    except DAMAGED as error:
        raise ValueError(
            f"{path} cannot be read as a zip or tar; it is damaged, cut short or something else: "
            f"{_said(error)}. Compare its size with the original's, or get it again."
        ) from error
    return Archive(members if unpack else sorted(members, key=lambda member: member.name), read, unpack is not None)


class Bounded:
    """A file, unpacked while it is read, in which no bomb goes off."""

    def __init__(self, path: Path, unpack: Callable[[Any], Any] | None, largest: int) -> None:
        """At most `largest` bytes are read at once, and no more comes out than RATIO allows for what has gone in."""
        self.path, self.largest, self.packed = path, largest, unpack is not None
        self.raw: IO[bytes] = path.open("rb")
        self.file: IO[bytes] = unpack(self.raw) if unpack else self.raw

    def read(self, size: int = -1) -> bytes:
        if size > self.largest:
            raise RefusedError(
                f"{self.path} describes its members in {size:,} bytes at once, more than {self.largest:,}: "
                "it is not read. If you trust it, unpack it and give the folder."
            )
        data = self.file.read(size)
        self._look()
        return data

    def seek(self, at: int, whence: int = 0) -> int:
        before = -1
        while self.packed and before < self.file.tell() < at - STEP:
            before = self.file.tell()
            self.file.seek(before + STEP)
            self._look()
        return self.file.seek(at, whence)

    def _look(self) -> None:
        if self.packed and (out := self.file.tell()) > ALWAYS + RATIO * self.raw.tell():
            raise RefusedError(_bomb(self.path, out))

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()
        self.raw.close()


def _bomb(path: Path, out: int) -> str:
    return (
        f"{path} unpacks to {out:,} bytes or more, over {RATIO} times what it takes, as an archive does that is made "
        "to fill a disk: it is not read. If you trust it, unpack it and give the folder."
    )


def _said(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _chosen(path: Path, members: Iterator[Member], endings: Sequence[str]) -> list[Member]:
    """The last member of each name that has one of the endings. Raises RefusedError for what may not be trusted."""
    found: dict[str, Member] = {}
    for number, member in enumerate(members):
        if number == MEMBERS:
            raise RefusedError(f"{path} has more than {MEMBERS:,} members: unpack it and give the folder.")
        parts = member.name.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or re.match("[A-Za-z]:", parts[0]):
            raise RefusedError(f"{path} holds {member.name!r}, a path that escapes the archive: it is not read.")
        if member.what == "other":
            raise RefusedError(
                f"{path} holds {member.name!r}, a link, a device or a file with holes: it is not read. Pack it again "
                "with the files that links point to (tar --dereference --hard-dereference)."
            )
        name = PurePosixPath(member.name)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
        if member.what == "file" and name.suffix.lower() in endings and not hidden:
            found.pop(name.as_posix(), None)  # the last one counts, at its own place
            found[name.as_posix()] = member._replace(name=name.as_posix())
    return list(found.values())


def _zip_members(path: Path, archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Member(info.filename, 0, "other", info)
        elif info.is_dir():
            yield Member(info.filename, 0, "folder", info)
        elif info.flag_bits & 0x1:
            raise RefusedError(
                f"{path} is encrypted ({info.filename!r}): unpack it with its password and give the folder."
            )
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedError(
                f"{path} is compressed in an unusual way ({info.filename!r}, method {info.compress_type}): "
                "pack it again with `zip -r`, or unpack it and give the folder."
            )
        else:
            yield Member(info.filename, info.file_size, "file", info)


def _from_zip(archive: zipfile.ZipFile) -> Callable[[Member, int], bytes]:
    def read(member: Member, most: int) -> bytes:
        with archive.open(member.at) as file:  # gives no more than the size that the list says, and checks the checksum
            return file.read(most)

    return _careful(read)


def _tar_members(file: Bounded) -> Iterator[Member]:
    """The members of a tar, up to its end, which has to be there. Each header is read once, and none is kept."""
    tar = tarfile.TarFile(fileobj=file)  # type: ignore[arg-type]
    found, last = tar.next(), -1
    while found is not None:
        if found.size < 0 or tar.offset <= last:
            raise ValueError(f"the header of {found.name!r} is damaged")
        plain = found.isreg() and not found.issparse()
        yield Member(
            found.name, found.size, "file" if plain else "folder" if found.isdir() else "other", found.offset_data
        )
        last = tar.offset
        file.seek(last)
        try:
            found = tarfile.TarInfo.fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            found = None
    while file.packed and file.read(HEADER):  # the checksum lies at the end
        pass


def _from_tar(file: Bounded) -> Callable[[Member, int], bytes]:
    def read(member: Member, most: int) -> bytes:
        file.seek(member.at)
        return file.file.read(min(member.size, most))

    return _careful(read)


def _careful(read: Callable[[Member, int], bytes]) -> Callable[[Member, int], bytes]:
    """`read` for members of any content: all that goes wrong is a ValueError."""

    def careful(member: Member, most: int) -> bytes:
        if member.size > most:
            raise ValueError(f"it has {member.size:,} bytes, more than {most:,}")
        try:
            data = read(member, most + 1)
        except DAMAGED as error:
            raise ValueError(_said(error)) from error
        if len(data) != member.size:
            raise ValueError(f"it has {len(data):,} bytes where the archive says {member.size:,}")
        return data

    return careful
