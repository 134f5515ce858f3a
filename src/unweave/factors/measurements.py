"""What can be measured in a picture without knowing what it shows: colour, texture, and the form of the object."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

LONGEST = 96  # pixels of a side that are measured; larger pictures are averaged down to less than twice as many
GREY_BELOW = 0.02  # mean chroma in [0, 1]; below it there is no hue
NOISE_BELOW = 0.02  # of the colour difference to the border, in [0, sqrt 3]; below it all pixels are alike
MOST_OF_BRIGHT = 6  # times the bright part of an object that all of it may have
PLAIN_BELOW = 0.1  # of the largest colour difference to the border, in [0, sqrt 3]; below it there is no object
ROUND_BELOW = 0.1  # elongation; below it there is no orientation
EDGE_FROM = 0.1  # gradient of the grey value, a pixel

PixelValues = Float[np.ndarray, "pixels"]
Region = Bool[np.ndarray, "height width"]
"""Pixels of a picture."""


@dataclass(frozen=True)
class Measurement:
    """A number that is measured in every picture."""

    name: str
    of_object: bool  # of the form of the object, or else of all pixels
    period: float | None = None  # of a circular one


MEASUREMENTS = (
    Measurement("brightness", False),
    Measurement("contrast", False),
    Measurement("edge density", False),
    Measurement("texture scale", False),
    Measurement("hue", False, period=1.0),
    Measurement("saturation", False),
    Measurement("area", True),
    Measurement("horizontal position", True),
    Measurement("vertical position", True),
    Measurement("orientation", True, period=float(np.pi)),
    Measurement("elongation", True),
    Measurement("solidity", True),
    Measurement("circularity", True),
)

MeasurementTable = Float[np.ndarray, "rows measurement"]
"""One column for each of MEASUREMENTS; NaN where one is not defined."""


def measure_pictures(
    pictures: UInt8[np.ndarray, "rows height width channel"], regions: Bool[np.ndarray, "region height width"]
) -> Float[np.ndarray, "region rows measurement"]:
    """Every measurement of every picture, in each region of it: a MeasurementTable for each region.

    Of the pixels: brightness (mean grey value, in [0, 1]) and contrast (its standard deviation); hue (mean over the
    colour circle weighted by chroma, period 1; none in grey) and saturation (of HSV, weighted by value, in [0, 1]);
    edge density (the share of pixels whose grey value has a gradient of 0.1 or more) and texture scale (standard
    deviation of the grey value over the root of its mean squared gradient, in pixels).

    Of the object (see `object_of`): area (its share of the pixels); horizontal and vertical position of its centroid
    (in [0, 1] from the left and from the top); orientation of its longer axis (radians, counter-clockwise from the
    horizontal, period pi; none where it is about as wide as long); elongation (1 - minor / major axis); solidity (its
    share of its convex hull); circularity (4 pi area / perimeter^2).
    """
    from skimage.color import gray2rgb, rgb2gray, rgb2hsv
    from skimage.filters import sobel_h, sobel_v

    step = max(1, max(pictures.shape[1:3]) // LONGEST)
    regions = _averaged(np.moveaxis(regions, 0, -1).astype(float), step) >= 0.5  # (height, width, region)
    table = np.full((regions.shape[2], len(pictures), len(MEASUREMENTS)), np.nan)
    for row, picture in enumerate(pictures):
        colours = _averaged(picture / 255, step)
        rgb = gray2rgb(colours[..., 0]) if colours.shape[2] == 1 else colours
        grey, hsv, thing = rgb2gray(rgb), rgb2hsv(rgb), object_of(rgb)
        gradient = np.hypot(sobel_h(grey), sobel_v(grey))
        for number, inside in enumerate(np.moveaxis(regions, -1, 0)):
            if inside.any():
                pixels = [*_of_grey(grey[inside], gradient[inside]), *_of_colours(*hsv[inside].T)]
                table[number, row] = [*pixels, *_of_object(thing & inside, inside)]
    return table


def object_of(picture: Float[np.ndarray, "height width 3"]) -> Region:
    """Where the object is, colours in [0, 1]: the largest connected part of the pixels that differ from every colour of
    the upper and side borders by more than Otsu's threshold. It is that of the root of the difference, which puts a
    thing's dark part with its bright one and not with the ground, unless the part is then more than six times as large
    as by the difference itself: the ground is unevenly lit. Nowhere in a picture that hardly differs from its border.
    """
    from scipy.spatial import KDTree
    from skimage.filters import threshold_otsu

    border = np.concatenate([picture[0], picture[:, 0], picture[:, -1]])
    difference, _ = KDTree(np.unique(border, axis=0)).query(picture.reshape(-1, 3))
    if difference.max() < PLAIN_BELOW:
        return np.zeros(picture.shape[:2], bool)
    rooted = np.sqrt(np.maximum(difference - NOISE_BELOW, 0))
    bright, whole = (
        _largest_part((each > threshold_otsu(each)).reshape(picture.shape[:2])) for each in (difference, rooted)
    )
    return whole if whole.sum() <= MOST_OF_BRIGHT * bright.sum() else bright


def _largest_part(mask: Region) -> Region:
    """The largest connected part."""
    from skimage.measure import label

    parts = label(mask)
    return parts == np.bincount(parts[parts > 0]).argmax()


def _averaged(picture: Float[np.ndarray, "height width channel"], step: int) -> Float[np.ndarray, "low narrow channel"]:
    """The picture by means over step x step pixels."""
    from skimage.transform import downscale_local_mean

    height, width = (side // step * step for side in picture.shape[:2])
    return picture if step == 1 else downscale_local_mean(picture[:height, :width], (step, step, 1))


def _of_grey(grey: PixelValues, gradient: PixelValues) -> list[float]:
    """Brightness, contrast, edge density and texture scale."""
    spread, steepness = float(grey.std()), float(np.sqrt((gradient**2).mean()))
    scale = spread / steepness if steepness > 1e-6 else np.nan
    return [float(grey.mean()), spread, float((gradient >= EDGE_FROM).mean()), scale]


def _of_colours(hue: PixelValues, saturation: PixelValues, value: PixelValues) -> list[float]:
    """Hue and saturation."""
    chroma = saturation * value
    mean = (chroma * np.exp(2j * np.pi * hue)).mean()
    circle = np.angle(mean) / (2 * np.pi) % 1 if chroma.mean() >= GREY_BELOW and abs(mean) > 1e-6 else np.nan
    return [float(circle), float(chroma.sum() / max(value.sum(), 1e-12))]


def _of_object(thing: Region, inside: Region) -> list[float]:
    """Area, position, orientation, elongation, solidity and circularity."""
    from skimage.measure import regionprops

    area = float(thing.sum() / inside.sum())
    if min(thing.any(0).sum(), thing.any(1).sum()) < 2:  # it has no form
        return [area, *[np.nan] * (len(MEASUREMENTS) - 7)]
    shape = regionprops(thing.astype(np.uint8))[0]
    (y, x), (height, width) = shape.centroid, thing.shape
    elongation = 1 - shape.axis_minor_length / shape.axis_major_length
    turn = (shape.orientation + np.pi / 2) % np.pi if elongation >= ROUND_BELOW else np.nan
    circularity = 4 * np.pi * shape.area / shape.perimeter**2 if shape.perimeter > 0 else np.nan
    return [area, (x + 0.5) / width, (y + 0.5) / height, turn, elongation, shape.solidity, circularity]
