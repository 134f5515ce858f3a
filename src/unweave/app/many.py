"""The edits of one picture carried over to many: rows of the data, a folder, or files, as a zip of pictures."""

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from unweave.app.argument_words import place_argument
from unweave.app.explorer import Explorer, Picture
from unweave.app.places import SliderPlace
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.figures.pixels import rgb_pixels

MOST = 500  # pictures at a time
SHOWN_SIDE = 256  # pixels of the longer side of a picture in the gallery


class EditedPicture(NamedTuple):
    """A picture with the edits as a PNG, or why there is none."""

    source: int | Path  # a row of the data, or a file
    path: Path | None
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
    explorer: Explorer,
    sources: Sequence[int | Path],
    moved: Mapping[int, SliderPlace],
    seed: int | None,
    folder: Path,
    full: bool = False,
) -> Iterator[EditedPicture]:
    """Each picture with the moved units (by index) at these places, as a file of `folder`, one after the other.

    Those that fail say why. With `full`, at the size of the original where there is one. A full disk raises OSError:
    nothing after it could be written.
    """
    for number, source in enumerate(sources, 1):
        try:
            pixels = edit_one(explorer, source, moved, seed, full)
        except (ValueError, LookupError, OSError, TypeError, RuntimeError) as error:  # RuntimeError is torch's
            yield EditedPicture(source, None, str(error) or type(error).__name__)
            continue
        path = folder / f"{number:03d}.png"
        Image.fromarray(rgb_pixels(pixels[None])[0]).save(path)
        yield EditedPicture(source, path)


def edit_one(
    explorer: Explorer, source: int | Path, moved: Mapping[int, SliderPlace], seed: int | None, full: bool
) -> Picture:
    """The pixels of one picture with the edits. Raises what `Explorer.pick` raises."""
    picked = explorer.pick(source, seed)
    positions = [moved.get(index, position) for index, position in enumerate(picked.positions)]
    if full and explorer.full_size_of(picked) is not None:
        return explorer.at_full_size(picked, positions)[1]
    return explorer.edit(picked, positions)[0][0]


def shown(path: Path) -> Path:
    """A picture that is no larger than a gallery shows it."""
    with Image.open(path) as picture:
        if max(picture.size) <= SHOWN_SIDE:
            return path
        picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        small = path.with_name(f"{path.stem}-small.png")
        picture.save(small)
    return small


def write_zip(path: Path, edited: Sequence[EditedPicture], lines: str) -> Path:
    """A zip of the pictures, with the Python lines that make them again; names that are there twice differ."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("again.py", lines + "\n")
        for number, each in enumerate(edited, 1):
            if each.path is not None:
                name = re.sub(r"[/\\]", "-", each.name)
                archive.write(each.path, f"{number:03d}-{name}.png")
    return path


def lines_of(
    explorer: Explorer,
    edited: Sequence[EditedPicture],
    moved: Mapping[int, SliderPlace],
    seed: int | None,
    full: bool = False,
) -> str:
    """What makes these edits again in Python, but for those that failed."""
    to = {explorer.units[index].word: place_argument(place) for index, place in moved.items()}
    names = [str(source) if isinstance(source, Path) else source for source, path, _ in edited if path is not None]
    start = f", seed={seed}" if explorer.has_start and seed is not None else ""
    run = str(explorer.run.path)
    lines = f"import unweave\n\nimages = {names!r}\nedit = unweave.adjust({run!r}, images, {to!r}{start})\n"
    if full and all(isinstance(name, str) for name in names):
        return lines + f"originals = unweave.full_size({run!r}, images, edit)  # [image][0].on_original has its pixels"
    return lines + "edit.save('edits.png')  # edit.images has them all, in [-1, 1]"
