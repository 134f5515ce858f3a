"""celeba: 202,599 aligned faces of 178 x 218 with 40 attributes, each a factor of two classes: 0 no, 1 yes.

Files as published, in a folder: img_align_celeba/*.jpg (or .png of the same names), list_attr_celeba.txt and, for the
splits train, valid and test, list_eval_partition.txt. They may also lie in Img/, Anno/ and Eval/. Rows are in the order
of the attribute file. A set of another size in the same layout is read, too; its card says so.

Crops, all resized at once with Pillow's Lanczos filter, antialiased; at its border it sees a little beyond the crop:

    d2c     128 x 128 from row 57 and column 25 on, as D2C, Diff-AE, DisDiff and EncDiff do. They resize with
            torchvision's bilinear filter, whose antialiasing changed between its versions: pixels differ slightly
    tad     what the scripts that compute TAD show their encoders: the shorter side becomes 96 (178 x 218 -> 96 x 117)
            and the middle 64 x 64 is kept. Exactly that region, resized once and not twice; how torchvision rounds (117
            and row 26) is from memory
    centre  the middle square, for pictures of any size

The LMDB of Diff-AE ("None-{index:07d}", the same pictures in the same order) is read by `lmdb`, without attributes.

A picture that is missing or cannot be read is named in a warning and left out.

`build` raises SettingsError where the set is not there, ValueError where its text files do not agree with each other or
with the pictures, or the crop is not for pictures of this size.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.reading import attribute_table
from unweave.data.reading.image_files import Box
from unweave.data.reading.image_source import ImageSource
from unweave.data.reading.picture_files import picture_size
from unweave.data.settings import DatasetSettings

COUNT, ATTRIBUTES = 202_599, 40
SPLITS = {"train": 162_770, "valid": 19_867, "test": 19_962}
WIDTH, HEIGHT = 178, 218
BOXES: dict[str, Box | None] = {
    "d2c": (25.0, 57.0, 153.0, 185.0),
    "tad": (16 * WIDTH / 96, 26 * HEIGHT / 117, 80 * WIDTH / 96, 90 * HEIGHT / 117),
    "centre": None,
}
TABLE, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
FOLDERS = ("img_align_celeba/img_align_celeba", "img_align_celeba", "Img/img_align_celeba", "img_align_celeba_png")
PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
LOGIN = f"the publishers share it on drives that want a browser: open {PAGE}, agree to its terms and save it from there"
DOWNLOADS = (
    RemoteFile("img_align_celeba.zip", (), PAGE, unpack=True, login=LOGIN),
    RemoteFile(TABLE, (), PAGE, login=LOGIN),
    RemoteFile(PARTITION, (), PAGE, login=LOGIN),
)
CARD = Card(
    title="CelebA (CelebFaces Attributes), aligned and cropped",
    source=PAGE,
    licence="non-commercial research only (see the page)",
    citation="Liu, Luo, Wang, Tang: Deep Learning Face Attributes in the Wild. ICCV 2015.",
    notes="Attributes are the annotators' impressions, some (Attractive, Big_Nose, Oval_Face) without a definition, "
    "and many hang together (No_Beard, Male, Heavy_Makeup). Papers differ in the crop: scores at crop=d2c and crop=tad "
    "are not comparable.",
)


class CelebASettings(DatasetSettings):
    name: Literal["celeba"] = "celeba"
    path: Path | None = Field(default=None, description="the folder of the set; None: where `unweave data get` puts it")
    size: int = Field(default=64, ge=8, le=1024, description="pixels; the crop is resized to size x size")
    crop: Literal["d2c", "tad", "centre"] = Field(
        default="d2c", description="d2c: 128 x 128 around the face; tad: that of the TAD scripts; centre: middle square"
    )


class CelebAFiles(NamedTuple):
    """Where the set lies."""

    images: Path  # the folder
    names: dict[str, str]  # of the pictures, by name without ending
    table: Path
    partition: Path | None


def find_files(settings: CelebASettings) -> CelebAFiles:
    table = find_file(settings.path, "celeba", (TABLE, f"Anno/{TABLE}"), ("CelebA", "celeba_anno"))
    root = table.parent.parent if table.parent.name == "Anno" else table.parent
    folders = [root / folder for folder in (*FOLDERS, ".")]
    names_in = ((folder, attribute_table.image_names_by_stem(folder)) for folder in folders if folder.is_dir())
    images, names = next(((folder, names) for folder, names in names_in if names), (root, {}))
    if not names:
        raise SettingsError(f"celeba needs the folder img_align_celeba of pictures beside {table}. Get it from {PAGE}.")
    partitions = [root / PARTITION, root / "Eval" / PARTITION, table.parent / PARTITION]
    return CelebAFiles(images, names, table, next((file for file in partitions if file.is_file()), None))


def files(settings: CelebASettings) -> list[Path]:
    images, names, table, partition = find_files(settings)
    pictures = [images / name for name in names.values()]
    return [*pictures, table, *([partition] if partition else [])]


def source(settings: CelebASettings) -> ImageSource:
    images, names, table, partition = find_files(settings)
    attributes = attribute_table.read_attributes(table)
    count = len(attributes.files)
    extra = attribute_table.images_without_row(names, attributes.files)
    if extra:
        raise ValueError(
            f"{len(extra):,} pictures in {images} have no row in {table}, such as {', '.join(extra[:3])}: "
            "take them out, or get the table again."
        )
    splits = attribute_table.read_splits(partition, attributes.files) if partition else {}
    complete = count == COUNT
    sizes = {name: len(rows) for name, rows in splits.items()}
    if complete and (len(attributes.names) != ATTRIBUTES or (partition and sizes != SPLITS)):
        raise ValueError(
            f"CelebA has {ATTRIBUTES} attributes and splits of {SPLITS}; "
            f"{table.parent} has {len(attributes.names)} and {sizes}."
        )
    name_of_row = [names.get(attribute_table.stem(file)) for file in attributes.files]
    paths = [images / name if name else None for name in name_of_row]
    _check_crop(settings.crop, paths)
    return ImageSource(
        name="celeba" if complete else images.parent.name,
        card=CARD if complete else _card_of_layout(count, images.parent.name),
        shape=(3, settings.size, settings.size),
        count=count,
        read=attribute_table.picture_reader(
            paths, [str(images / file) for file in attributes.files], settings.size, BOXES[settings.crop]
        ),
        labels=attributes.labels(),
        files=attributes.files,
        splits=splits,
    )


def _card_of_layout(count: int, name: str) -> Card:
    """The card of a set in CelebA's layout that is not CelebA, or not all of it."""
    notes = f"{count:,} images in the layout of CelebA, and not its {COUNT:,}: results are not those of CelebA. "
    return CARD._replace(title=f"{name}, in the layout of CelebA", notes=notes + CARD.notes)


def _check_crop(crop: str, paths: list[Path | None]) -> None:
    """Raise ValueError unless the crop is for pictures like the first that can be read."""
    if BOXES[crop] is None:
        return
    for path in filter(None, paths[:100]):
        try:
            height, width = picture_size(path)
        except ValueError:
            continue
        if (width, height) != (WIDTH, HEIGHT):
            raise ValueError(
                f"data.crop={crop} is for aligned pictures of {WIDTH} x {HEIGHT}, and {path} has {width} x {height}: "
                "set data.crop=centre."
            )
        return


DATASET = DatasetDefinition(
    settings=CelebASettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
)
