"""Units by number, range, group, factor or the name that a user gave them."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unweave.files import read_json
from unweave.progress import printable
from unweave.runs.factors import FACTOR_WORD, RunFactors, factor_title
from unweave.runs.run import Run
from unweave.types import NamedGroups

if TYPE_CHECKING:
    import unweave.method
    import unweave.tensors

UnitSelection = int | str | Sequence[int | str]
"""Units by number, ranges such as "10-49", groups that the method has, such as "t100-299", factors of the run, such as
"f1", and names of the user's; one of them, several, or a word with commas between them, "0,3"."""

UnitNames = Mapping[str, str]
"""The name that a user gave -> the unit, range or group that it stands for, as a word."""

RANGE = re.compile(r"(\d+)-(\d+)")


class UnitGroup(NamedTuple):
    """Units that are edited together, what to call them, and the word that asks for them."""

    name: str
    units: list[int]
    word: str


def select_groups(
    method: "unweave.method.Method",
    images: "unweave.tensors.Images",
    units: UnitSelection | None,
    names: UnitNames,
    factors: RunFactors | None = None,
) -> list[UnitGroup]:
    """What an edit goes through one by one: the listed units, ranges, groups, factors and names; if none, the factors
    that are shown, or the groups, or all units. A unit, group or factor that has a name is called by it.

    Raises ValueError for a unit that is not there, LookupError for a group, factor or name that is not.
    """
    from unweave.method import evaluating
    from unweave.runs.codes import check_generative, encode_images

    with evaluating(method):
        count = encode_images(check_generative(method), images[:1], 1).shape[1]
    return resolve_groups(method.unit_groups, count, units, names, factors)


def resolve_groups(
    method_groups: NamedGroups,
    count: int,
    units: UnitSelection | None,
    names: UnitNames,
    factors: RunFactors | None = None,
) -> list[UnitGroup]:
    """As `select_groups`, for a method that has these groups and is known to have `count` units."""
    listed: list[int | str] = list(method_groups.named or range(count))
    if units is not None:
        listed = list_units(units, names)
    elif factors is not None:
        listed = [factors.word(index) for index in factors.shown()]
    name_of_word = {word: name for name, word in names.items()}
    groups = []
    for unit in listed:
        if factors is not None and means_factor(method_groups, str(unit), factors):
            groups.append(_factor_group(factors, factors.index(str(unit)), count))
            continue
        word = _canonical_word(method_groups, unit, names)
        plain = f"unit {word}" if is_number(word) else f"units {word}" if RANGE.fullmatch(word) else word
        groups.append(UnitGroup(name_of_word.get(word, plain), units_of_word(method_groups, word, count, names), word))
    return groups


def list_units(units: UnitSelection, names: UnitNames) -> list[int | str]:
    """The listed units: a word that is no name is taken apart at its commas, not letter by letter."""
    if isinstance(units, str) and units.strip() in names:
        return [units]
    if isinstance(units, str):
        return [part for word in units.split(",") if (part := word.strip())]
    return [int(units)] if isinstance(units, int | np.integer) else list(units)


def means_factor(method_groups: NamedGroups, text: str, factors: RunFactors) -> bool:
    """Whether a word asks for a factor: `f1`, or a name of one. Numbers, ranges and groups go before."""
    text = text.strip()
    if is_number(text) or RANGE.fullmatch(text) or text in method_groups.named:
        return False
    return FACTOR_WORD.fullmatch(text) is not None or text in [factor.name for factor in factors.factors]


def _factor_group(factors: RunFactors, index: int, count: int) -> UnitGroup:
    word, factor = factors.word(index), factors.factors[index]
    return UnitGroup(factor_title(word, factor), check_units(factor.units, count), word)


def _canonical_word(method_groups: NamedGroups, unit: int | str, names: UnitNames) -> str:
    """The unit, range or group that is asked for. Numbers, ranges and groups go before names."""
    text = str(unit).strip()
    if is_number(text):
        return str(int(text))
    if RANGE.fullmatch(text) or text in method_groups.named or text not in names:
        return text
    try:
        method_groups.find(text)
    except LookupError:
        return names[text]
    return text


def is_number(text: str) -> bool:
    """Whether it is a unit's number, also one that is not there."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal()


def single_units(groups: Sequence[UnitGroup]) -> list[int]:
    """The units of these groups one by one, each once."""
    return list(dict.fromkeys(unit for group in groups for unit in group.units))


def unit_titles(units: Sequence[int], names: UnitNames) -> list[str]:
    """What to call single units: by the name that the user gave, or "unit 3"."""
    name_of_word = {word: name for name, word in names.items()}
    return [name_of_word.get(str(unit), f"unit {unit}") for unit in units]


def units_of_word(method_groups: NamedGroups, word: str, count: int, names: UnitNames) -> list[int]:
    if is_number(word):
        return check_units([int(word)], count)
    ends = RANGE.fullmatch(word)
    if ends is None:
        try:
            return list(method_groups.find(word))
        except LookupError as error:
            known = f" The names of units of this run: {', '.join(names)}." if names else ""
            if FACTOR_WORD.fullmatch(word):
                known = " The factors of this run were not found yet: `unweave factors RUN` finds them."
            raise LookupError(f"{error}{known}") from None
    if int(ends[1]) > int(ends[2]):
        raise ValueError(f"a range of units must rise, as 10-49; got {word!r}.")
    return check_units(range(int(ends[1]), int(ends[2]) + 1), count)


def check_units(units: Sequence[int], count: int) -> list[int]:
    """The numbers of some units of a run. Raises ValueError for one outside 0 .. count - 1."""
    for unit in units:
        if not 0 <= unit < count:
            raise ValueError(f"unit must be in 0..{count - 1}, got {unit}: this run has {count} units.")
    return list(units)


def unit_names(run: Run) -> dict[str, str]:
    """The names that a user gave to units of this run. Raises ValueError where names.json is damaged."""
    path = run.path / "names.json"
    if not path.exists():
        return {}
    try:
        names = {printable(name): str(word) for name, word in read_json(path).items()}
        return {name: word for name, word in names.items() if not is_number(name) and not RANGE.fullmatch(name)}
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: it holds {{name: unit}} in JSON. Mend it or remove it. ({error})"
        ) from None


def group_facts(method_groups: NamedGroups) -> dict[str, list[str] | str | None]:
    """What a run stores of its groups, so that naming units opens no network."""
    return {"unit_groups": list(method_groups.named), "unit_group_pattern": method_groups.pattern}
