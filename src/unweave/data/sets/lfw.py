"""lfw: the 13,143 faces of Labeled Faces in the Wild (funneled) that have scores of 73 attributes.

Files as published, in a folder: lfw_funneled/NAME/NAME_0001.jpg of 250 x 250, lfw_attributes.txt and, for the splits
train and test, peopleDevTrain.txt and peopleDevTest.txt. Rows are in the order of the attribute file; pictures without
scores are no rows.

The scores are signed distances to the boundary of a classifier (Kumar et al.), not labels by people: the factors are
their signs, 1 where the score is above 0. A regression on the scores themselves, as DiTi's, is another protocol than
this: `unweave probe RUN --data lfw --set crop=227 --targets lfw_attributes.txt`.

DiTi's protocol resizes the picture to 1.1 times the size and keeps the middle: crop=227 is that region, to a pixel.

A picture that has scores and is missing or cannot be read is named in a warning and left out.

`build` raises SettingsError where the set is not there, ValueError where its text files cannot be used.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.reading import attribute_table
from unweave.data.reading.image_files import Box
from unweave.data.reading.image_source import ImageSource, Labels
from unweave.data.settings import DatasetSettings
from unweave.types import Rows

COUNT, ATTRIBUTES, SIDE = 13_143, 73, 250
TABLE, FOLDER = "lfw_attributes.txt", "lfw_funneled"
SPLIT_FILES = {"train": "peopleDevTrain.txt", "test": "peopleDevTest.txt"}
PAGE = "http://vis-www.cs.umass.edu/lfw/"
DOWNLOADS = (
    RemoteFile(
        "lfw-funneled.tgz",
        ("https://ndownloader.figshare.com/files/5976015", f"{PAGE}lfw-funneled.tgz"),
        PAGE,
        sha256="b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
        bytes=243_346_528,
        unpack=True,
    ),
    RemoteFile(TABLE, (f"http://www.cs.columbia.edu/CAVE/databases/pubfig/download/{TABLE}",), PAGE),
    *(RemoteFile(file, (f"{PAGE}{file}",), PAGE) for file in SPLIT_FILES.values()),
)
CARD = Card(
    title="Labeled Faces in the Wild, funneled, with attribute scores",
    source=PAGE,
    licence="research use; the photographs belong to their owners",
    citation="Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild. UMass 07-49, 2007. Scores: Kumar, Berg, "
    "Belhumeur, Nayar: Attribute and Simile Classifiers for Face Verification. ICCV 2009.",
    notes="The factors are the signs of scores that a classifier gave, with its errors; nobody has checked them. "
    "13,233 pictures of 5,749 people, of which about 90 have no scores (that number is from memory). Some people have "
    "one picture and one has 530. The pages of the pictures and the scores are often out of reach.",
)


class LFWSettings(DatasetSettings):
    name: Literal["lfw"] = "lfw"
    path: Path | None = Field(default=None, description="the folder of the set; None: where `unweave data get` puts it")
    size: int = Field(default=64, ge=8, le=1024, description="pixels; the crop is resized to size x size")
    crop: int | None = Field(
        default=None, ge=8, le=SIDE, description=f"pixels of the {SIDE}: side of the middle square; None: all"
    )


class AttributeScores(NamedTuple):
    """The attribute file: a score for each picture and attribute."""

    files: tuple[str, ...]  # NAME/NAME_0001.jpg
    names: tuple[str, ...]
    values: Float[np.ndarray, "rows attributes"]


def files(settings: LFWSettings) -> list[Path]:
    images, table, people = _find_files(settings)
    pictures = [path for path in images.glob("*/*.jpg") if path.is_file()]
    return [*sorted(pictures, key=Path.as_posix), table, *people.values()]


def _find_files(settings: LFWSettings) -> tuple[Path, Path, dict[str, Path]]:
    table = find_file(settings.path, "lfw", (TABLE,), ("lfw-py", "lfw_home"))
    images = table.parent / FOLDER
    if not images.is_dir():
        raise SettingsError(f"lfw needs the folder {FOLDER} beside {table}: get it with `unweave data get lfw`.")
    people = {split: table.parent / file for split, file in SPLIT_FILES.items() if (table.parent / file).is_file()}
    return images, table, people


def source(settings: LFWSettings) -> ImageSource:
    images, table, people = _find_files(settings)
    names, attributes, values = read_scores(table)
    present = {path.relative_to(images).as_posix() for path in images.glob("*/*.jpg")}
    unscored = len(present.difference(names))
    complete = len(names) == COUNT
    if complete and len(attributes) != ATTRIBUTES:
        raise ValueError(f"{table} must have {ATTRIBUTES} attributes, got {len(attributes)}.")
    notes = f"{unscored:,} pictures without scores are left out. "
    if not complete:
        notes = f"{len(names):,} images in the layout of LFW, and not its {COUNT:,}. {notes}"
    return ImageSource(
        name="lfw" if complete else images.parent.name,
        card=CARD._replace(notes=notes + CARD.notes),
        shape=(3, settings.size, settings.size),
        count=len(names),
        read=attribute_table.picture_reader(
            [images / name if name in present else None for name in names],
            [str(images / name) for name in names],
            settings.size,
            _crop_box(settings.crop),
        ),
        labels=Labels(attributes, (2,) * len(attributes), (values > 0).astype(np.int64)),
        files=names,
        splits=_read_splits(people, names),
    )


def _crop_box(crop: int | None) -> Box | None:
    if crop is None:
        return None
    low, high = (SIDE - crop) / 2, (SIDE + crop) / 2
    return low, low, high, high


def read_scores(path: Path) -> AttributeScores:
    """The attribute file: a comment, names from the third column on, then a person, a number and scores, by tabs.

    DiTi regresses the scores themselves. Raises ValueError where a line has other columns, or a score is no number.
    """
    lines = attribute_table.text_lines(path)
    header = lines[1].lstrip("#").strip().split("\t") if len(lines) > 1 else []
    if header[:2] != ["person", "imagenum"] or len(header) < 3 or len(set(header)) != len(header):
        raise ValueError(f"the second line of {path} must be: #, person, imagenum and attributes, by tabs.")
    names: dict[str, None] = {}  # in order
    scores = np.zeros((len(lines) - 2, len(header) - 2))
    for number, line in enumerate(lines[2:]):
        person, image, *words = [*line.strip().split("\t"), "", ""]
        try:
            values = np.array(words[:-2], np.float64)
            name = picture_name(person, int(image))
        except ValueError:
            values, name = np.full(1, np.nan), ""
        if len(values) != scores.shape[1] or not np.isfinite(values).all():
            raise ValueError(
                f"a line of {path} must be a person, a number and {scores.shape[1]} scores, by tabs: "
                f"got {line[:200]!r}."
            )
        if name in names:
            raise ValueError(f"{path} has two lines for {name}.")
        names[name] = None
        scores[number] = values
    return AttributeScores(tuple(names), tuple(header[2:]), scores)


def picture_name(person: str, number: int) -> str:
    """The picture of a person: blanks in the name are underscores in the file. Raises ValueError for a path."""
    name = "_".join(person.split())
    if not name or "/" in name or "\\" in name or name.startswith(".") or number < 1:
        raise ValueError(f"{person!r} with number {number} is nobody's picture.")
    return f"{name}/{name}_{number:04d}.jpg"


def _read_splits(people: Mapping[str, Path], names: Sequence[str]) -> dict[str, Rows]:
    """Rows of the people that each list names; theirs without scores are passed over."""
    row_of = {name: row for row, name in enumerate(names)}
    splits = {}
    for split, path in people.items():
        first, *lines = attribute_table.text_lines(path)
        if not first.strip().isdecimal() or len(first) > 12 or int(first) != len(lines):
            raise ValueError(f"{path} must begin with the number of its people, {len(lines):,}: got {first[:80]!r}.")
        rows = []
        for line in lines:
            person, _, count = line.strip().rpartition("\t")
            if not person or not count.isdecimal() or not 0 < int(count) < 10_000:
                raise ValueError(f"a line of {path} must be a person, a tab and a number, got {line[:200]!r}.")
            files = (picture_name(person, number) for number in range(1, int(count) + 1))
            rows += [row_of[file] for file in files if file in row_of]
        if rows:
            splits[split] = np.sort(np.array(rows, np.int64))
    return splits


DATASET = DatasetDefinition(
    settings=LFWSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
)
