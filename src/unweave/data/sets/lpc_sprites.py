"""lpc_sprites: 1,296 animated characters of the Liberated Pixel Cup, 93,312 frames of 64 x 64 ("Sprites").

Files as the scripts of Li and Mandt write them, in npy/: ACTION_DIRECTION_frames_SPLIT.npy, floats in [0, 1]
[sequences, 8 frames, 64, 64, 3], and ACTION_DIRECTION_attributes_SPLIT.npy, one-hot [sequences, 8, 4, 6], for walk,
spellcard and slash, each front, left and right, train (1,000 sequences) and test (296). Every frame is a row: first all
of train, action by action and direction by direction, then all of test. Factors: body, bottomwear, topwear and hair (6
classes each), action, direction and frame (0..7); together a complete grid, in the scripts' shuffled order.

The scripts divide bytes by 256: 256 times a float, rounded, is the original byte exactly. 1.0, which they never write,
becomes 255. Another number of sequences is read, too; the card says so.

`build` raises SettingsError where a file is missing, ValueError where one cannot be used.
"""

from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.reading import npy
from unweave.data.reading.archives import DAMAGE_ERRORS
from unweave.data.reading.image_source import ImageBlock, ImageSource, Labels, resize_source
from unweave.data.settings import PublishedSettings
from unweave.foreign import errors_as
from unweave.types import FactorTable

ACTIONS, DIRECTIONS, SPLITS = ("walk", "spellcard", "slash"), ("front", "left", "right"), ("train", "test")
WEAR, CLASSES, FRAMES, SIDE = ("body", "bottomwear", "topwear", "hair"), 6, 8, 64
SEQUENCES = {"train": 1_000, "test": 296}
PAGE = "https://github.com/YingzhenLi/Sprites"
LOGIN = f"there is no archive: clone {PAGE}, run its random_character.py and then frame_to_npy.py, which make npy/"
DOWNLOADS = (RemoteFile("npy", (), PAGE, login=LOGIN),)
CARD = Card(
    title="Sprites: animated characters of the Liberated Pixel Cup",
    source=PAGE,
    licence="CC BY-SA 3.0 and GPL 3.0 (Liberated Pixel Cup)",
    citation="Li, Mandt: Disentangled Sequential Autoencoder. ICML 2018.",
    notes="Frames repeat within an animation, so that their number is not always to be seen: frames 4 and 6 of "
    "spellcard and slash are one picture, and so are 0 and 7 of slash. Wear that is hidden behind a limb or hair, too.",
)


class LPCSpritesSettings(PublishedSettings):
    name: Literal["lpc_sprites"] = "lpc_sprites"


class Sequences(NamedTuple):
    """One pair of files: the sequences of an action in a direction."""

    frames: np.ndarray  # memory-mapped
    labels: FactorTable


def files(settings: LPCSpritesSettings) -> list[Path]:
    first = f"{ACTIONS[0]}_{DIRECTIONS[0]}_frames_{SPLITS[0]}.npy"
    folder = find_file(settings.path, "lpc_sprites", (f"npy/{first}", first), ("Sprites", "sprites")).parent
    paths = [
        folder / f"{action}_{direction}_{kind}_{split}.npy"
        for split, action, direction in product(SPLITS, ACTIONS, DIRECTIONS)
        for kind in ("frames", "attributes")
    ]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise SettingsError(
            f"lpc_sprites needs {len(paths)} files in {folder}, and {len(missing)} are missing, such as {missing[0]}: "
            f"make them with the scripts at {PAGE}."
        )
    return paths


def source(settings: LPCSpritesSettings) -> ImageSource:
    paths = files(settings)
    pairs = list(zip(paths[::2], paths[1::2]))
    classes = list(product(SPLITS, range(len(ACTIONS)), range(len(DIRECTIONS))))  # of each pair of files
    parts = [read_sequences(*pair, action, direction) for pair, (_, action, direction) in zip(pairs, classes)]
    ends = np.cumsum([len(part.labels) for part in parts])
    split_of = np.repeat([split for split, _, _ in classes], [len(part.labels) for part in parts])
    complete = all(len(part.frames) == SEQUENCES[split] for part, (split, _, _) in zip(parts, classes))
    notes = "" if complete else f"{ends[-1]:,} frames, and not the 93,312 of the scripts. "

    def read(start: int, stop: int) -> ImageBlock:
        pixels = np.empty((stop - start, SIDE, SIDE, 3), np.uint8)
        for part, path, end in zip(parts, paths[::2], ends.tolist()):
            first = end - len(part.labels)
            for row in range(max(start, first), min(stop, end)):
                pixels[row - start] = _original_bytes(part.frames[divmod(row - first, FRAMES)], path)
        return ImageBlock(pixels)

    return resize_source(
        ImageSource(
            name="lpc_sprites",
            card=CARD._replace(notes=notes + CARD.notes),
            shape=(3, SIDE, SIDE),
            count=int(ends[-1]),
            read=read,
            labels=Labels(
                (*WEAR, "action", "direction", "frame"),
                (*[CLASSES] * len(WEAR), len(ACTIONS), len(DIRECTIONS), FRAMES),
                np.concatenate([part.labels for part in parts]),
            ),
            splits={split: np.flatnonzero(split_of == split) for split in SPLITS},
        ),
        settings.size,
    )


def read_sequences(frames: Path, attributes: Path, action: int, direction: int) -> Sequences:
    """The frames of one file, memory-mapped, and the factors of each. Raises ValueError where they do not fit."""
    pixels, one_hot = _map_array(frames, (FRAMES, SIDE, SIDE, 3)), _map_array(attributes, (FRAMES, len(WEAR), CLASSES))
    if len(pixels) != len(one_hot):
        raise ValueError(f"{frames} has {len(pixels):,} sequences, and {attributes.name} has {len(one_hot):,}.")
    ones = np.asarray(one_hot)
    if not (np.isin(ones, (0, 1)).all() and (ones.sum(-1) == 1).all()):
        raise ValueError(f"{attributes} must hold one 1 and five 0 for each kind of wear.")
    wear = ones.argmax(-1).reshape(-1, len(WEAR))
    count = len(wear)
    movement = np.tile([action, direction], (count, 1))
    number = np.tile(np.arange(FRAMES), count // FRAMES)[:, None]
    return Sequences(pixels, np.concatenate([wear, movement, number], axis=1).astype(np.int64))


def _map_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Raises ValueError where the file is no array of floats [sequences, *shape], or is cut short."""
    expected = f"floats [sequences, {', '.join(map(str, shape))}]"
    with errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"{path} must be {expected}: {error}.")):
        rows = npy.ArrayRows(path)
        if rows.dtype.kind != "f" or rows.shape[1:] != shape or not len(rows):
            raise ValueError(f"it is {rows.dtype} {list(rows.shape)}")
        return np.load(path, mmap_mode="r", allow_pickle=False)


def _original_bytes(frame: np.ndarray, path: Path) -> np.ndarray:
    """A frame in [0, 1] as the bytes that it was made from."""
    if not (frame.min() >= 0 and frame.max() <= 1):  # also false where there is a NaN
        raise ValueError(f"{path} must hold numbers in [0, 1], got {frame.min():g} to {frame.max():g}. Make it again.")
    return np.minimum(np.round(frame * np.float32(256)), 255).astype(np.uint8)


DATASET = DatasetDefinition(
    settings=LPCSpritesSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
)
