"""The table [data] of a settings file: what every data set takes besides its own settings."""

from pathlib import Path
from typing import Annotated, Any, Literal

from PIL import ImageColor
from pydantic import AfterValidator, BeforeValidator, Field

from unweave.config import Frozen, NamedSettings


class Correlation(Frozen):
    factors: tuple[str, str] = Field(description="two factors that rise together")
    sigma: float = Field(default=0.2, gt=0, description="in parts of a factor's range: 0.2 is strong, 1 is weak")
    images: int | None = Field(default=None, ge=1, description="rows to draw, with repeats; as many as there are")
    seed: int = Field(default=0, ge=0, description="of the draws")


class ViewSettings(Frozen):
    """The table [data.view], which every data set takes. It is applied from the top to the bottom."""

    split: Literal["all", "train", "valid", "test"] = Field(
        default="all", description="the publishers' own where there is one, else a random 80, 10 and 10 %"
    )
    split_seed: int = Field(default=0, ge=0, description="of a random split")
    keep: dict[str, tuple[int, ...]] = Field(default={}, description="FACTOR = [classes]: rows that have one of them")
    leave_out: dict[str, tuple[int, ...]] = Field(
        default={}, description="FACTOR = [classes]: rows that have one of them in every listed factor are left out"
    )
    correlate: Correlation | None = Field(default=None, description="two factors whose classes are drawn together")


class DatasetSettings(NamedSettings):
    """The base of the settings of every data set and format."""

    view: ViewSettings | None = Field(default=None, description="the part of it that is used: data.view.split=train")
    aside: str | None = Field(
        default=None,
        description="a known factor that units should not carry, as plate: pictures of each of its classes are "
        "brought to one mean and deviation of each channel, and it is no factor of the set any more",
    )


MAX_CHANNELS = 64

Bounds = tuple[float, float]
"""The number that becomes black, and the one that becomes white."""


def _listed(value: Any) -> Any:
    """A word such as 0,2 or 300,4095 or green,magenta as a tuple, a lone number as a tuple of it."""
    if isinstance(value, str) and "," in value:
        return tuple(part.strip() for part in value.split(","))
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


def _rising(value: Any) -> Any:
    pairs = [] if isinstance(value, str) else [value] if isinstance(value[0], float) else value
    for low, high in pairs:
        if not low < high:
            raise ValueError(f"the lower number must be below the upper one, got {low:g},{high:g}")
    return value


def _colours(value: Any) -> Any:
    for colour in value or ():
        ImageColor.getrgb(colour)  # raises ValueError that names it
    return value


def _one_word(value: Any) -> Any:
    value = _listed(value)
    return (value,) if isinstance(value, str) else value


Numbers = tuple[Annotated[int, Field(ge=0)], ...]
Channels = Annotated[Literal["auto", "grey", "rgb"] | Annotated[Numbers, Field(min_length=1)], BeforeValidator(_listed)]
Pages = Annotated[
    Literal["auto", "images", "channels", "max", "mean"] | Annotated[Numbers, Field(min_length=1)],
    BeforeValidator(_listed),
]
Range = Annotated[
    Literal["auto", "full", "percentile"] | Bounds | tuple[Bounds, ...],
    BeforeValidator(_listed),
    AfterValidator(_rising),
]
Fit = Literal["crop", "pad", "squash"]
Colours = Annotated[tuple[str, ...] | None, BeforeValidator(_one_word), AfterValidator(_colours)]


class Reading(Frozen):
    """How the numbers of pictures became the pixels of a set: with it, a new picture is read as they were."""

    channels: Literal["grey", "rgb"] | Numbers = Field(description="of those that are stored")
    pages: Literal["auto", "images", "channels", "max", "mean"] | Numbers = "auto"
    range: tuple[Bounds, ...] = Field(description="black and white of each channel")
    fit: Fit = "crop"
    side: int | None = Field(default=None, description="pixels: the median of the shorter sides, or of tiles theirs")

    @property
    def bytes_as_stored(self) -> bool:
        """Whether the pixels are those of pictures of 8 bits, as they are."""
        plain = self.channels in ("grey", "rgb") and self.pages == "auto"
        return plain and all(bounds == (0, 255) for bounds in self.range)


class PictureSettings(DatasetSettings):
    """The base of the settings of sets whose pictures may have any depth, any channels, and several pages."""

    channels: Channels = Field(
        default="auto", description="grey, rgb, or those to take, from 0, as channels=0,2; auto: as they are stored"
    )
    range: Range = Field(
        default="auto",
        description="what becomes black and white: full (of the type), percentile (0.01 and 99.99 % of each channel "
        "over the set), LOW,HIGH, or a pair for each channel; auto: full where half of it is used, else percentile",
    )
    colours: Colours = Field(
        default=None, description="in which each channel is shown where there are two or more than three: green,magenta"
    )


class PublishedSettings(DatasetSettings):
    """The base of the settings of published sets of one size, whose rows are a grid of factors."""

    path: Path | None = Field(
        default=None, description="the published file, or the folder that holds it or them; not set: where it is kept"
    )
    size: int | None = Field(default=None, ge=8, le=4096, description="pixels; resized to it. None: as published, 64")


class FileSettings(PictureSettings):
    """The base of the settings of sets whose pictures are files."""

    size: int = Field(default=64, ge=8, le=4096, description="pixels; each image is resized to so many, squared")
    pages: Pages = Field(
        default="auto",
        description="of a file with several: which to take, from 0, or images (each is one), channels (each is one), "
        "max, mean; auto: what the file calls channels, and of other pages the first",
    )
    fit: Fit = Field(
        default="crop", description="of other proportions: crop (the middle is cut), pad (with black), squash"
    )
    patch: int | None = Field(
        default=None, ge=8, description="pixels; large pictures are cut into squares of this side, each an image"
    )
    labels: Path | Literal["folders", "shards"] | None = Field(
        default=None,
        description="a table (.csv, .tsv, .txt: file, then a column per factor; beside an archive too), or 'folders': "
        "their names are classes; of shards 'shards': the labels in them",
    )
    factors: tuple[str, ...] | None = Field(
        default=None, description="the columns of the labels to use; all if not set"
    )
