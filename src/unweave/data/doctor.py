"""What is wrong with a data set: corrupt, identical, blank, tiny and odd images, odd files, gaps in the factors.

Every row is looked at, a part at a time; of folders and archives the files themselves too. Bounds are our own choice.
"""

import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from unweave import progress
from unweave.data import sampling, views
from unweave.data.dataset import Dataset
from unweave.data.formats import folder
from unweave.data.reading.archives import file_names, open_archive
from unweave.data.reading.image_files import IMAGE_ENDINGS, IMAGE_FORMATS, MAX_FILE_BYTES

BLANK_SPREAD = 2.0  # of 255; an image whose brightest spread among its channels is below it is near-blank
ODD_RATIO = 2.0  # times wider or narrower than the median picture
FEW_ROWS = 10  # rows of a class
MAX_COMBINATIONS = 4  # combinations for each row from which factors are no grid, as 40 attributes of faces are none
BLOCK_BYTES = 8 << 20  # bytes of images that are looked at at once
MAX_EXAMPLES = 10  # that a finding names
FORMATS_OF_ENDING = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ("JPEG", "MPO")), ".jp2": ("JPEG2000",), ".apng": ("PNG",),
    ".tif": ("TIFF",), ".bmp": ("BMP", "DIB"), ".pgm": ("PPM",),
}  # fmt: skip
"""The formats that fit an ending, where they are not its own name."""

T = TypeVar("T")
Severity = Literal["problem", "warning", "note"]
"""Images are lost; results suffer; good to know."""


@dataclass(frozen=True)
class Finding:
    kind: str  # one word, for programs
    severity: Severity
    message: str
    count: int
    remedy: str
    examples: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        facts = asdict(self)
        return facts | {"what": facts.pop("message"), "examples": list(self.examples)}


class DoctorReport(NamedTuple):
    """What was found, the worst first."""

    name: str
    images: int
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        return {"data": self.name, "images": self.images, "findings": [finding.to_json() for finding in self.findings]}


def examine_dataset(dataset: Dataset, table: Mapping[str, Any]) -> DoctorReport:
    """Look at every row of a data set, at its factors, and at the files that its [data] table names."""
    findings = [
        *_find_unreadable(dataset),
        *_find_in_files(dataset, table),
        *_find_in_pixels(dataset),
        *_find_in_factors(dataset),
    ]
    if dataset.card.notes:
        findings.append(
            Finding(
                "card", "note", f"known of this set: {dataset.card.notes}", 1, "keep it in mind when you read scores"
            )
        )
    severities = ("problem", "warning", "note")
    findings.sort(key=lambda finding: severities.index(finding.severity))
    return DoctorReport(dataset.name, len(dataset), tuple(findings))


def _with_progress(items: Iterable[T], name: str, total: int, unit: str, each: int = 1) -> Iterator[T]:
    """The same items, each of which counts for `each` of the total that is shown."""
    with progress.task(name, total, unit) as task:
        for number, item in enumerate(items, 1):
            yield item
            task.update(min(total, number * each))


def _findings(kind: str, severity: Severity, names: Sequence[str], message: str, remedy: str) -> list[Finding]:
    """A finding on these names, whose number stands for {} in the message; none without names."""
    text, examples = message.format(f"{len(names):,}"), tuple(names[:MAX_EXAMPLES])
    return [Finding(kind, severity, text, len(names), remedy, examples)] if names else []


def _first_few(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name, _ in zip(names, range(MAX_EXAMPLES)))


def _find_unreadable(dataset: Dataset) -> Iterator[Finding]:
    left_out, remedy = views.base_dataset(dataset).left_out, "get them again, or delete them"
    yield from _findings("corrupt", "problem", left_out, "{} images cannot be read and are left out", remedy)


def _find_in_pixels(dataset: Dataset) -> Iterator[Finding]:
    """Images that are the same, and images of one colour."""
    step = max(1, BLOCK_BYTES // math.prod(dataset.shape))
    prints, blank = np.zeros((len(dataset), 2), np.uint64), []
    for start in _with_progress(range(0, len(dataset), step), "looking at pixels", len(dataset), "images", step):
        images = dataset.images(np.arange(start, min(start + step, len(dataset))))
        spread = images.reshape(len(images), -1, images.shape[-1]).std(axis=1, dtype=np.float32).max(axis=1)
        blank += (start + np.flatnonzero(spread < BLANK_SPREAD)).tolist()
        for row, image in enumerate(images, start):
            digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
            prints[row] = np.frombuffer(digest, np.uint64)
    _, group, counts = np.unique(prints, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    groups = sorted(rows.tolist() for rows in np.split(order, counts.cumsum()[:-1]) if len(rows) > 1)
    if groups:
        same = sum(map(len, groups))
        yield Finding(
            "duplicates",
            "warning",
            f"{same:,} images are in {len(groups):,} groups of identical pixels",
            same - len(groups),
            "delete all but one of each group: repeats weigh more in training, and may lie in both train and test",
            _first_few(" = ".join(_row_names(dataset, rows[:4])) for rows in groups),
        )
    yield from _findings(
        "blank",
        "warning",
        list(_row_names(dataset, blank)),
        f"{{}} images are near-blank: their pixels spread by less than {BLANK_SPREAD:g} of 255",
        "delete those that should show something",
    )


def _row_names(dataset: Dataset, rows: Iterable[int]) -> Iterator[str]:
    for row in rows:
        yield dataset.files[row] if dataset.files else f"row {row}"


def _find_in_factors(dataset: Dataset) -> Iterator[Finding]:
    """Factors that do not vary, classes with few rows, gaps in the grid."""
    if not dataset.factor_names:
        return
    sizes, chunks = dataset.factor_sizes, sampling.row_chunks(np.arange(len(dataset)))
    parts = _with_progress(chunks, "looking at factors", len(dataset), "rows", sampling.CHUNK_ROWS)
    classes = np.concatenate([sampling.read_factors(dataset, rows).astype(np.int32) for rows in parts])
    counts = [np.bincount(column, minlength=size) for column, size in zip(classes.T, sizes)]
    constant = [name for name, count in zip(dataset.factor_names, counts) if (count > 0).sum() == 1]
    remedy = "they are left out of scores"
    yield from _findings("constant", "note", constant, "{} factors have one class in all rows", remedy)
    few_rows = [
        f"{name} = {c}: {n} rows"
        for name, count in zip(dataset.factor_names, counts)
        for c, n in enumerate(count)
        if n < FEW_ROWS and (count > 0).sum() > 1
    ]
    remedy = "join classes, or add images: scores of them are noise"
    yield from _findings("few rows", "warning", few_rows, f"{{}} classes have fewer than {FEW_ROWS} rows", remedy)
    total = math.prod(sizes)
    if total > MAX_COMBINATIONS * len(dataset) or len(sizes) == 1:
        return
    rows_of_combination = np.bincount(np.ravel_multi_index(tuple(classes.T), sizes), minlength=total)
    gaps = np.flatnonzero(rows_of_combination == 0)
    if len(gaps):
        combinations = np.stack(np.unravel_index(gaps[:MAX_EXAMPLES], sizes), axis=1)
        examples = (", ".join(f"{name} = {c}" for name, c in zip(dataset.factor_names, row)) for row in combinations)
        yield Finding(
            "combinations",
            "note",
            f"{len(gaps):,} of {total:,} combinations of the factors have no image",
            len(gaps),
            "protocols that ask for any combination draw from the rows there are",
            _first_few(examples),
        )


class _ImageHeader(NamedTuple):
    """An image file, from its first bytes."""

    name: str
    width: int
    height: int
    kind: str  # grey, colour, alpha, 16-bit, or Pillow's name of another mode
    fits: bool  # the ending is that of the format
    animated: bool


def _find_in_files(dataset: Dataset, table: Mapping[str, Any]) -> Iterator[Finding]:
    """What only the files show, of a folder and of an archive."""
    path = Path(str(table.get("path", ""))).expanduser()
    if table.get("name") == "folder" and path.is_dir():
        below = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        images = [file.relative_to(path).as_posix() for file in folder.image_paths(path)]
        yield from _find_other_files(below)
        yield from _find_odd_images(dataset, _read_headers(images, lambda i: path / images[i]))
    elif table.get("name") == "archive" and path.is_file():
        opened = open_archive(path, IMAGE_ENDINGS)
        names = [member.name for member in opened.members]
        yield from _find_other_files(file_names(path))

        def content(i: int) -> io.BytesIO:
            return io.BytesIO(opened.read(opened.members[i], MAX_FILE_BYTES))

        yield from _find_odd_images(dataset, _read_headers(names, content))


def _find_other_files(names: Sequence[str]) -> Iterator[Finding]:
    """Files that are no images, by ending."""
    paths = [PurePosixPath(name) for name in names]
    visible = [path for path in paths if not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)]
    suffixes = [path.suffix.lower() for path in visible]
    endings = Counter(suffix or "no ending" for suffix in suffixes if suffix not in IMAGE_ENDINGS)
    if endings:
        yield Finding(
            "other files",
            "note",
            f"{endings.total():,} files are no images and are passed over",
            endings.total(),
            f"images end in {', '.join(IMAGE_ENDINGS)}",
            _first_few(f"{ending}: {count:,}" for ending, count in endings.most_common()),
        )
    hidden = [path.as_posix() for path in paths if path not in set(visible)]
    for each in _findings("hidden", "note", hidden, "{} files are hidden and passed over", "rename them if they count"):
        yield replace(each, examples=())


def _read_headers(names: Sequence[str], open_file: Callable[[int], Path | io.BytesIO]) -> list[_ImageHeader]:
    """What the first bytes of each image say; those that cannot be read are found elsewhere."""
    headers = []
    for i, name in enumerate(_with_progress(names, "looking at files", len(names), "files")):
        try:
            with Image.open(open_file(i), formats=IMAGE_FORMATS) as image:
                ending = PurePosixPath(name).suffix.lower()
                fits = image.format in FORMATS_OF_ENDING.get(ending, (ending[1:].upper(),))
                animated = image.format in ("GIF", "WEBP", "PNG") and image.is_animated  # type: ignore[attr-defined]
                headers.append(_ImageHeader(name, image.width, image.height, _colour_kind(image), fits, animated))
        except Exception:  # damaged files raise anything
            continue
    return headers


def _colour_kind(image: Image.Image) -> str:
    if image.mode.startswith("I"):
        return "16-bit"
    if image.has_transparency_data:
        return "alpha"
    return {"1": "grey", "L": "grey", "RGB": "colour", "P": "colour", "YCbCr": "colour"}.get(image.mode, image.mode)


def _find_odd_images(dataset: Dataset, headers: list[_ImageHeader]) -> Iterator[Finding]:
    """Tiny, odd, misnamed and animated images, and how sizes and kinds are mixed."""
    if not headers:
        return
    _, height, width = dataset.shape
    size_of = {header.name: f"{header.name}: {header.width} x {header.height}" for header in headers}
    tiny = [size_of[header.name] for header in headers if header.width < width or header.height < height]
    message = f"{{}} images are smaller than {width} x {height} and are enlarged"
    yield from _findings("tiny", "warning", tiny, message, "lower data.size, or leave them out")
    ratios = np.array([header.width / header.height for header in headers])
    middle = float(np.median(ratios))
    odd = np.flatnonzero((ratios > ODD_RATIO * middle) | (ratios < middle / ODD_RATIO))
    message = f"{{}} images are over {ODD_RATIO:g} times wider or narrower than the median; only their middle is kept"
    names = [size_of[headers[i].name] for i in odd]
    yield from _findings("odd shapes", "warning", names, message, "cut them yourself, or leave them out")
    misnamed = [header.name for header in headers if not header.fits]
    message, remedy = "{} images are of another format than their ending says", "they are read as what they are"
    yield from _findings("misnamed", "note", misnamed, message, remedy)
    animated = [header.name for header in headers if header.animated]
    yield from _findings("animated", "note", animated, "{} images are animated", "the first picture of each is used")
    sizes = Counter(f"{header.width} x {header.height}" for header in headers)
    kinds = Counter(header.kind for header in headers)
    for word, remedy, counts in (
        ("sizes", "all are cut to their middle and resized", sizes),
        ("kinds", "all become colour of 8 bits, transparency over white", kinds),
    ):
        if len(counts) > 1:
            examples = _first_few(f"{name}: {count:,}" for name, count in counts.most_common())
            yield Finding(f"mixed {word}", "note", f"{word} of images: {len(counts)}", len(counts), remedy, examples)
