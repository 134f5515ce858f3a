"""What every part agrees on and needs no torch for: the shapes of arrays, which weights, groups of units by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int, UInt8

UnitTable = Float[np.ndarray, "rows units"]
"""One number per row (image) and unit."""

WideTable = Float[np.ndarray, "rows numbers"]
"""Every number of every unit of a row (image), for codes whose units are vectors."""

FactorTable = Int[np.ndarray, "rows factors"]
"""Class index of every factor for every row, 0 .. size - 1."""

TableLike = Any
"""A table as people have it: an array of any type, lists of rows, a pandas DataFrame, a tensor."""

Pixels = UInt8[np.ndarray, "rows height width channel"]
"""Images as they are stored: 0 .. 255, channels last."""

Rows = Int[np.ndarray, "rows"]
"""Row numbers of a data set."""

Boxes = Int[np.ndarray, "rows 4"]
"""Left, top, right and bottom of each row in the picture that it is a tile of, in pixels."""


Weights = Literal["averaged", "raw"]
"""The averaged weights (EMA), which edits use, or those that were trained."""


def check_weights(weights: str) -> None:
    """Raise ValueError for other words than those of `Weights`."""
    if weights not in get_args(Weights):
        raise ValueError(f"weights must be 'averaged' or 'raw', got {weights!r}.")


def list_times(times: int | Sequence[int]) -> list[int]:
    """One time-step or several as a list. Raises ValueError for a word, whose letters are no time-steps."""
    if isinstance(times, str):
        raise ValueError(f"times are whole numbers, as [100, 500]; got {times!r}.")
    return [int(times)] if isinstance(times, int | np.integer) else list(times)


def check_finite(values: np.ndarray, what: str = "codes") -> None:
    """Raise ValueError unless every number is finite: it says how many are not, and where the first of them are."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        places = "; ".join("[" + ", ".join(map(str, place)) + "]" for place in bad[:3].tolist())
        more = "" if len(bad) <= 3 else f" and {len(bad) - 3} more"
        rows = len(np.unique(bad[:, 0]))
        raise ValueError(
            f"{what} of shape {values.shape} have {len(bad)} numbers that are NaN or infinite, in {rows} rows: "
            f"at {places}{more}. Leave those rows out, or look for the step at which the training diverged."
        )


def no_units(name: str) -> Sequence[int] | None:
    """The default `NamedGroups.parse`."""
    return None


class NamedGroups(NamedTuple):
    """Units that belong together, where there are too many to look at one by one; edits take these names."""

    named: Mapping[str, Sequence[int]] = {}
    parse: Callable[[str], Sequence[int] | None] = no_units  # further names, such as a range of times
    pattern: str | None = None  # a regular expression that all further names fit; a run stores it

    def find(self, name: str) -> Sequence[int]:
        """The units of a group. Raises LookupError where there is none of this name."""
        units = self.parse(name)
        units = self.named.get(name) if units is None else units
        if units is None:
            raise LookupError(
                f"there is no group of units {name!r}; there is: {', '.join(self.named) or 'none'}. "
                "Units are named by numbers separated by commas, such as 0,3 or 10-49."
            )
        return units
