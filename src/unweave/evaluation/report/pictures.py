"""The pictures of a report, and how they get into a page: every one inside it, as bytes."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from markupsafe import Markup
from PIL import Image, features

from unweave.data.reading.image_files import resize_pixels
from unweave.figures.html import picture_address
from unweave.figures.overlay import blend
from unweave.figures.pixels import rgb_pixels

GAP = 2  # white pixels between images of a strip
MIN_HEIGHT = 72  # pixels on the screen that an image of a strip is high, at least
MAX_STORED = 96  # pixels of a side that are kept of larger images, so that the page stays small
MAX_LOSSLESS = 48  # pixels of a side up to which images are stored without loss


Strip = UInt8[np.ndarray, "_ height width channel"]
"""Images that stand side by side."""


class ExtremeImages(NamedTuple):
    """Real images with the lowest and with the highest values of a unit."""

    lowest: Strip
    highest: Strip


@dataclass(frozen=True)
class FactorImages:
    """What the card of a factor shows."""

    strips: list[Strip]  # of each image, steps along the coordinate
    states: Strip | None  # one image in each state
    change: Float[np.ndarray, "height width"] | None  # where it acts; None without a decoder


class MapPictures(NamedTuple):
    """What the page shows of all images."""

    drawn: UInt8[np.ndarray, "tall wide 3"]
    outliers: list[Strip]  # each alone
    pairs: list[Strip]  # two by two


@dataclass(frozen=True)
class ReportPictures:
    """What the page shows, by the word that asks for a unit or a factor."""

    factors: dict[str, FactorImages] = field(default_factory=dict)
    strips: dict[str, list[Strip]] = field(default_factory=dict)  # of each image of the traversal, its steps
    maps: dict[str, Float[np.ndarray, "height width"]] = field(default_factory=dict)
    background: UInt8[np.ndarray, "height width channel"] | None = None  # what the maps are laid over
    ends: dict[str, ExtremeImages] = field(default_factory=dict)
    rebuilt: dict[str, Strip] = field(default_factory=dict)  # by caption
    map: MapPictures | None = None


def join_images(images: Strip) -> UInt8[np.ndarray, "tall wide 3"]:
    """Images side by side, with white between them."""
    rgb = rgb_pixels(images)
    height, width = images.shape[1:3]
    if height > MAX_STORED:
        rgb = resize_pixels(rgb, (MAX_STORED, max(1, round(MAX_STORED * width / height))))
    padded = np.pad(rgb, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=255)  # (image, height, width + gap, 3)
    return np.concatenate(list(padded), 1)[:, :-GAP]


def strip_tag(images: Strip, alt: str, side: int = MIN_HEIGHT) -> Markup:
    """Images side by side as an <img>."""
    return image_tag(join_images(images), alt, side)


def image_tag(pixels: UInt8[np.ndarray, "tall wide 3"], alt: str, side: int = MIN_HEIGHT) -> Markup:
    """An <img> with its bytes inside, a whole multiple of its size and at least `side` high."""
    kind, options = ("webp", {"quality": 85, "method": 4}) if features.check("webp") else ("png", {})
    lossless = pixels.shape[0] <= MAX_LOSSLESS
    address = picture_address(Image.fromarray(pixels), kind, lossless=lossless, **options)
    scale = max(1, -(-side // pixels.shape[0]))
    return Markup('<img src="{}" alt="{}" width="{}" height="{}">').format(
        address, alt, scale * pixels.shape[1], scale * pixels.shape[0]
    )


def map_tag(pictures: ReportPictures, values: Float[np.ndarray, "height width"] | None, name: str) -> str:
    """Where something that is called `name` acts, as a <figure> over a grey picture; "" where that is not known."""
    if pictures.background is None or values is None:
        return ""
    grey = np.repeat(pictures.background.mean(2, keepdims=True), 3, axis=2)
    heat = blend(values / max(float(values.max()), 1e-12), 0.6 * grey + 80)
    caption = f"where it acts: mean change, up to {values.max():.3f}"
    image = image_tag(heat, f"where {name} acts", 2 * MIN_HEIGHT)
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(image, caption)
