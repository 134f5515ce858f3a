"""A tar or zip of a published set -> its files in the set's folder, whole or not at all.

    .NAME.unpacking/   an archive while it is unpacked; begun again if a process stopped there
    NAME.unpacked      written last: sha256 of the archive, and path and size of every file that came from it

Only plain files and folders below the set's folder are written; a path that leaves it, a link, a device, a file twice,
or far more bytes than the archive has is refused (see reading/archives.py). Nothing that is there already is changed.
"""

import filecmp
import json
import shutil
from pathlib import Path

from unweave.data.disk_space import FULL_DISK, NoSpaceError, check_download_space
from unweave.data.reading.archives import Archive, ArchiveMember, open_archive
from unweave.files import write_atomically
from unweave.foreign import errors_as
from unweave.progress import Task

MAX_NAME = 1000  # letters of a path


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

    def explain(error: ValueError | OSError) -> BaseException:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            return error
        return ValueError(
            f"{archive} cannot be unpacked: {error}. If you trust it, unpack it yourself into {archive.parent}; else "
            "delete it and get it again."
        )

    done = 0
    with errors_as((ValueError, OSError), explain, but=(NoSpaceError, PermissionError)):
        opened = open_archive(archive)
        if not opened.members or max(len(member.name) for member in opened.members) > MAX_NAME:
            raise ValueError("it holds no file, or one with far too long a name")
        check_download_space(staging, sum(member.size for member in opened.members))
        for member in opened.members:
            _extract(opened, member, staging / member.name)
            task.update(done := done + member.size)
        return {member.name: member.size for member in opened.members}


def _extract(archive: Archive, member: ArchiveMember, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as target:
        target.writelines(archive.blocks(member))


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
