"""Groups of units by name: what a method says of units that belong together. Needs no torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


def no_units(name: str) -> Sequence[int] | None:
    """The default `NamedGroups.parse`."""
    return None


class NamedGroups(NamedTuple):
    """Units that belong together, where there are too many to look at one by one; edits take these names."""

    named: Mapping[str, Sequence[int]] = {}
    parse: Callable[[str], Sequence[int] | None] = no_units  # further names, such as a range of times

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
