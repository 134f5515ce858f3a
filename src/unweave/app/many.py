"""The edits of one picture carried over to many: rows of the data, a folder, or files, as a zip of pictures."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from unweave.app.explorer import Explorer, Picture
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.figures.pixels import rgb_pixels

MOST = 500  # pictures at a time


class EditedPicture(NamedTuple):
    """A picture with the edits, or why there is none."""

    source: int | Path  # a row of the data, or a file
    picture: Picture | None
    error: str = ""

    @property
    def name(self) -> str:
        return self.source.stem if isinstance(self.source, Path) else f"row-{self.source}"


def sources_of(explorer: Explorer, rows: int, folder: str, dropped: Sequence[str | Path]) -> list[int | Path]:
    """What is edited: dropped files, else the pictures of a folder, else so many rows of the data.

    Raises ValueError for a folder without pictures, for more than 500, and where there is nothing.
    """
    if dropped:
        listed: list[int | Path] = [Path(file) for file in dropped]
    elif folder.strip():
        place = Path(folder.strip()).expanduser()
        if not place.is_dir():
            raise ValueError(f"there is no folder {folder.strip()!r} on this machine.")
        listed = [path for path in sorted(place.iterdir()) if path.suffix.lower() in IMAGE_ENDINGS]
    else:
        listed = [source for source, _ in explorer.examples(rows)] if rows > 0 else []
    if not listed:
        raise ValueError("there are no pictures to edit: drop some, name a folder of them, or take rows of the data.")
    if len(listed) > MOST:
        raise ValueError(f"{len(listed):,} pictures are more than the {MOST} that are edited at a time.")
    return listed


def edit_many(
    explorer: Explorer, sources: Sequence[int | Path], moved: Mapping[int, float], seed: int | None
) -> Iterator[EditedPicture]:
    """Each picture with the moved units (by index) at these places, one after the other; those that fail say why."""
    for source in sources:
        try:
            picked = explorer.pick(source, seed)
            positions = [moved.get(index, position) for index, position in enumerate(picked.positions)]
            edited = EditedPicture(source, explorer.edit(picked, positions)[0][0])
        except (ValueError, LookupError, OSError, TypeError, RuntimeError) as error:  # RuntimeError is torch's
            edited = EditedPicture(source, None, str(error) or type(error).__name__)
        yield edited


def write_zip(path: Path, edited: Sequence[EditedPicture], lines: str) -> Path:
    """A zip of the pictures as PNG, with the Python lines that make them again; names that are there twice differ."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("again.py", lines + "\n")
        for number, each in enumerate(edited, 1):
            if each.picture is not None:
                memory, name = io.BytesIO(), re.sub(r"[/\\]", "-", each.name)
                Image.fromarray(rgb_pixels(each.picture[None])[0]).save(memory, "PNG")
                archive.writestr(f"{number:03d}-{name}.png", memory.getvalue())
    return path


def lines_of(explorer: Explorer, edited: Sequence[EditedPicture], moved: Mapping[int, float], seed: int | None) -> str:
    """What makes these edits again in Python, but for those that failed."""
    to = {explorer.units[index].word: round(place, 2) for index, place in moved.items()}
    names = [
        str(source) if isinstance(source, Path) else source for source, picture, _ in edited if picture is not None
    ]
    start = f", seed={seed}" if explorer.has_start and seed is not None else ""
    return (
        f"import unweave\n\nedit = unweave.adjust({str(explorer.run.path)!r}, {names!r}, {to!r}{start})\n"
        "edit.save('edits.png')  # edit.images has them all, in [-1, 1]"
    )
