"""The table [data] of a settings file: what every data set takes besides its own settings."""

from typing import Literal

from pydantic import Field

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
