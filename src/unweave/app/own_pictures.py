"""A person's own pictures: a folder of this machine, or what was dropped on the page, as data to train on."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
PICTURES = Path("pictures")  # where dropped files are kept


def data_of(folder: str, dropped: Sequence[str | Path], keep_in: Path = PICTURES) -> Path:
    """What to train on: the dropped archive, or a folder with the dropped files, or the folder that is named.

    Raises ValueError for neither, for several archives, and for a folder that there is not; OSError where there is no
    room for what was dropped.
    """
    files = [Path(file) for file in dropped]
    archives = [file for file in files if file.name.lower().endswith(ARCHIVE_ENDINGS)]
    if archives:
        if len(files) > 1:
            raise ValueError(f"one archive, or pictures, but not both: got {len(files)} files. Drop one zip alone.")
        return keep_archive(archives[0], keep_in)
    if files:
        return keep_files(files, keep_in)
    if not folder.strip():
        raise ValueError("name a folder of pictures, or drop a zip or pictures.")
    place = Path(folder.strip()).expanduser()
    if not place.exists():
        raise ValueError(f"there is no folder {folder.strip()!r} on this machine.")
    return place


def keep_archive(archive: Path, keep_in: Path) -> Path:
    """The archive under its own name, or the next free one."""
    keep_in.mkdir(parents=True, exist_ok=True)
    stem, dot, ending = archive.name.partition(".")
    names = [archive.name, *(f"{stem}-{number}{dot}{ending}" for number in range(2, 10_000))]
    target = next(keep_in / name for name in names if not (keep_in / name).exists())
    return move_whole(archive, target)


def keep_files(files: Sequence[Path], keep_in: Path) -> Path:
    """A new folder with these files, named by the time; of two files with one name both are kept."""
    folder = keep_in / f"dropped-{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    try:
        for number, file in enumerate(files, 1):
            target = folder / file.name
            move_whole(file, target if not target.exists() else folder / f"{number}-{file.name}")
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def move_whole(file: Path, target: Path) -> Path:
    """The file at another place, whole or not at all."""
    try:
        shutil.move(file, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return target
