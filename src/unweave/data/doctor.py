"""What is wrong with a data set: corrupt, identical, blank, tiny and odd images, odd files, gaps in the factors.

Every row is looked at, a part at a time; of folders and archives the files themselves too. Bounds are our own choice.
"""

import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from PIL import Image
from rich.markup import escape
from rich.table import Table

from unweave import progress
from unweave.data import views
from unweave.data.cache.cached_dataset import CachedDataset
from unweave.data.dataset import Dataset
from unweave.data.formats import archive, folder
from unweave.data.reading.image_files import IMAGE_ENDINGS, IMAGE_FORMATS, MAX_FILE_BYTES

BLANK_SPREAD = 2.0  # of 255; an image whose brightest spread among its channels is below it is near-blank
ODD_RATIO = 2.0  # times wider or narrower than the median picture
FEW_ROWS = 10  # rows of a class
MAX_COMBINATIONS = 4  # combinations for each row from which factors are no grid, as 40 attributes of faces are none
BLOCK_BYTES = 8 << 20  # bytes of images that are looked at at once
MAX_EXAMPLES = 10  # that a finding names
FORMATS_OF_ENDING = {".jpg": ("JPEG", "MPO"), ".jpeg": ("JPEG", "MPO"), ".tif": ("TIFF",), ".bmp": ("BMP", "DIB")}
"""The formats that fit an ending, where they are not its own name."""

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    kind: str  # one word, for programs
    severity: Literal["problem", "warning", "note"]  # images are lost; results suffer; good to know
    what: str
    count: int
    remedy: str
    examples: tuple[str, ...] = ()


class DoctorReport(NamedTuple):
    """What was found, the worst first."""

    name: str
    images: int
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        found = [asdict(finding) | {"examples": list(finding.examples)} for finding in self.findings]
        return {"data": self.name, "images": self.images, "findings": found}

    def table(self) -> Table:
        bad = sum(finding.severity != "note" for finding in self.findings)
        said = f"{bad} of these should be looked at" if bad else "nothing is wrong"
        table = Table(
            "", "found", "for example", "remedy", caption=f"{escape(self.name)}: {self.images:,} images; {said}"
        )
        for finding in self.findings:
            examples = "\n".join(finding.examples)
            table.add_row(finding.severity, escape(finding.what), escape(examples), escape(finding.remedy))
        return table


def examine(dataset: Dataset, table: Mapping[str, Any]) -> DoctorReport:
    """Look at every row of a data set, at its factors, and at the files that its [data] table names."""
    findings = [*_unreadable(dataset), *_files(dataset, table), *_pixels(dataset), *_factors(dataset)]
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


def _first(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name, _ in zip(names, range(MAX_EXAMPLES)))


def _unreadable(dataset: Dataset) -> Iterator[Finding]:
    below = views.base_dataset(dataset)
    if isinstance(below, CachedDataset) and below.bad:
        what = f"{len(below.bad):,} images cannot be read and are left out"
        yield Finding(
            "corrupt", "problem", what, len(below.bad), "get them again, or delete them", _first(below.bad.values())
        )


def _pixels(dataset: Dataset) -> Iterator[Finding]:
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
    group = group.reshape(-1)
    repeated = np.flatnonzero(counts > 1)
    if len(repeated):
        same = int(counts[repeated].sum())
        order = np.argsort(group, kind="stable")
        starts = np.cumsum(counts) - counts
        groups = sorted(order[starts[i] : starts[i] + counts[i]].tolist() for i in repeated)
        yield Finding(
            "duplicates",
            "warning",
            f"{same:,} images are in {len(repeated):,} groups of identical pixels",
            same - len(repeated),
            "delete all but one of each group: repeats weigh more in training, and may lie in both train and test",
            _first(" = ".join(_named(dataset, rows[:4])) for rows in groups),
        )
    if blank:
        what = f"{len(blank):,} images are near-blank: their pixels spread by less than {BLANK_SPREAD:g} of 255"
        remedy = "delete those that should show something"
        yield Finding("blank", "warning", what, len(blank), remedy, _first(_named(dataset, blank)))


def _named(dataset: Dataset, rows: Iterable[int]) -> Iterator[str]:
    for row in rows:
        yield dataset.files[row] if dataset.files else f"row {row}"


def _factors(dataset: Dataset) -> Iterator[Finding]:
    """Factors that do not vary, classes with few rows, gaps in the grid."""
    if not dataset.factor_names:
        return
    sizes, parts = dataset.factor_sizes, []
    for rows in _with_progress(_rows(len(dataset)), "looking at factors", len(dataset), "rows", 1 << 16):
        classes = dataset.factors(rows)
        assert classes is not None
        parts.append(classes.astype(np.int32))
    classes = np.concatenate(parts)
    counts = [np.bincount(column, minlength=size) for column, size in zip(classes.T, sizes)]
    constant = [name for name, count in zip(dataset.factor_names, counts) if (count > 0).sum() == 1]
    if constant:
        what = f"{len(constant)} factors have one class in all rows"
        yield Finding("constant", "note", what, len(constant), "they are left out of scores", _first(constant))
    few = [
        f"{name} = {c}: {n} rows"
        for name, count in zip(dataset.factor_names, counts)
        for c, n in enumerate(count)
        if n < FEW_ROWS and (count > 0).sum() > 1
    ]
    if few:
        what = f"{len(few)} classes have fewer than {FEW_ROWS} rows"
        yield Finding(
            "few rows", "warning", what, len(few), "join classes, or add images: scores of them are noise", _first(few)
        )
    total = math.prod(sizes)
    if total > MAX_COMBINATIONS * len(dataset) or len(sizes) == 1:
        return
    seen = np.bincount(np.ravel_multi_index(tuple(classes.T), sizes), minlength=total)
    gaps = np.flatnonzero(seen == 0)
    if len(gaps):
        where = np.stack(np.unravel_index(gaps[:MAX_EXAMPLES], sizes), axis=1)
        named = (", ".join(f"{name} = {c}" for name, c in zip(dataset.factor_names, row)) for row in where)
        what = f"{len(gaps):,} of {total:,} combinations of the factors have no image"
        remedy = "protocols that ask for any combination draw from the rows there are"
        yield Finding("combinations", "note", what, len(gaps), remedy, _first(named))


def _rows(count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, 1 << 16):
        yield np.arange(start, min(start + (1 << 16), count))


class _ImageHeader(NamedTuple):
    """An image file, from its first bytes."""

    name: str
    width: int
    height: int
    kind: str  # grey, colour, alpha, 16-bit, or Pillow's name of another mode
    fits: bool  # the ending is that of the format
    animated: bool


def _files(dataset: Dataset, table: Mapping[str, Any]) -> Iterator[Finding]:
    """What only the files show, of a folder and of an archive."""
    path = Path(str(table.get("path", ""))).expanduser()
    if table.get("name") == "folder" and path.is_dir():
        below = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        images = [file.relative_to(path).as_posix() for file in folder.found(path)]
        yield from _odd(below)
        yield from _shapes(dataset, _looked(images, lambda i: path / images[i]))
    elif table.get("name") == "archive" and path.is_file():
        opened = archive.open_archive(path, IMAGE_ENDINGS)
        names = [member.name for member in opened.members]
        yield from _odd(archive.file_names(path))
        yield from _shapes(
            dataset, _looked(names, lambda i: io.BytesIO(opened.read(opened.members[i], MAX_FILE_BYTES)))
        )


def _odd(names: Sequence[str]) -> Iterator[Finding]:
    """Files that are no images, by ending."""
    paths = [PurePosixPath(name) for name in names]
    shown = [path for path in paths if not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)]
    endings = Counter(path.suffix.lower() or "no ending" for path in shown if path.suffix.lower() not in IMAGE_ENDINGS)
    if endings:
        what = f"{endings.total():,} files are no images and are passed over"
        examples = _first(f"{ending}: {count:,}" for ending, count in endings.most_common())
        yield Finding(
            "other files", "note", what, endings.total(), f"images end in {', '.join(IMAGE_ENDINGS)}", examples
        )
    if len(shown) < len(paths):
        hidden = len(paths) - len(shown)
        yield Finding(
            "hidden", "note", f"{hidden:,} files are hidden and passed over", hidden, "rename them if they count"
        )


def _looked(names: Sequence[str], opened: Callable[[int], Path | io.BytesIO]) -> list[_ImageHeader]:
    """What the first bytes of each image say; those that cannot be read are found elsewhere."""
    seen = []
    for i, name in enumerate(_with_progress(names, "looking at files", len(names), "files")):
        try:
            with Image.open(opened(i), formats=IMAGE_FORMATS) as image:
                ending = PurePosixPath(name).suffix.lower()
                fits = image.format in FORMATS_OF_ENDING.get(ending, (ending[1:].upper(),))
                animated = image.format in ("GIF", "WEBP", "PNG") and image.is_animated  # type: ignore[attr-defined]
                seen.append(_ImageHeader(name, image.width, image.height, _kind(image), fits, animated))
        except Exception:  # damaged files raise anything
            continue
    return seen


def _kind(image: Image.Image) -> str:
    if image.mode.startswith("I"):
        return "16-bit"
    if image.has_transparency_data:
        return "alpha"
    return {"1": "grey", "L": "grey", "RGB": "colour", "P": "colour", "YCbCr": "colour"}.get(image.mode, image.mode)


def _shapes(dataset: Dataset, seen: list[_ImageHeader]) -> Iterator[Finding]:
    """Tiny, odd, misnamed and animated images, and how sizes and kinds are mixed."""
    if not seen:
        return
    _, height, width = dataset.shape
    tiny = [f"{one.name}: {one.width} x {one.height}" for one in seen if one.width < width or one.height < height]
    if tiny:
        what = f"{len(tiny):,} images are smaller than {width} x {height} and are enlarged"
        yield Finding("tiny", "warning", what, len(tiny), "lower data.size, or leave them out", _first(tiny))
    ratios = np.array([one.width / one.height for one in seen])
    middle = float(np.median(ratios))
    odd = np.flatnonzero((ratios > ODD_RATIO * middle) | (ratios < middle / ODD_RATIO))
    if len(odd):
        bound = f"over {ODD_RATIO:g} times wider or narrower than the median"
        what = f"{len(odd):,} images are {bound}; only their middle is kept"
        named = _first(f"{seen[i].name}: {seen[i].width} x {seen[i].height}" for i in odd)
        yield Finding("odd shapes", "warning", what, len(odd), "cut them yourself, or leave them out", named)
    misnamed = [one.name for one in seen if not one.fits]
    if misnamed:
        what = f"{len(misnamed):,} images are of another format than their ending says"
        yield Finding("misnamed", "note", what, len(misnamed), "they are read as what they are", _first(misnamed))
    animated = [one.name for one in seen if one.animated]
    if animated:
        what = f"{len(animated):,} images are animated"
        yield Finding("animated", "note", what, len(animated), "the first picture of each is used", _first(animated))
    for word, remedy, counts in (
        ("sizes", "all are cut to their middle and resized", Counter(f"{one.width} x {one.height}" for one in seen)),
        ("kinds", "all become colour of 8 bits, transparency over white", Counter(one.kind for one in seen)),
    ):
        if len(counts) > 1:
            examples = _first(f"{name}: {count:,}" for name, count in counts.most_common())
            yield Finding(f"mixed {word}", "note", f"{word} of images: {len(counts)}", len(counts), remedy, examples)
