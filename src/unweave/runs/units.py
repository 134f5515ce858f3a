"""Units by number, range, group or the name that a user gave them; the names are kept in the run's names.json."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unweave.files import read_json, write_atomically
from unweave.progress import printable
from unweave.runs.lock import one_writer
from unweave.runs.run import Run
from unweave.types import NamedGroups

if TYPE_CHECKING:
    import unweave.method
    import unweave.tensors

UnitSelection = int | str | Sequence[int | str]
"""Units by number, ranges such as "10-49", groups that the method has, such as "t100-299", and names of the user's; one
of them, several, or a word with commas between them, "0,3"."""

UnitNames = Mapping[str, str]
"""The name that a user gave -> the unit, range or group that it stands for, as a word."""

MAX_NAME_LENGTH = 40  # characters of a name
RANGE = re.compile(r"(\d+)-(\d+)")


class UnitGroup(NamedTuple):
    """Units that are edited together, what to call them, and the word that asks for them."""

    name: str
    units: list[int]
    word: str


def select_groups(
    method: "unweave.method.Method", images: "unweave.tensors.Images", units: UnitSelection | None, names: UnitNames
) -> list[UnitGroup]:
    """What an edit goes through one by one: the listed units, ranges, groups and names; if none, the groups or all
    units. A unit or group that has a name is called by it.

    Raises ValueError for a unit that is not there, LookupError for a group or name that is not.
    """
    from unweave.method import evaluating
    from unweave.runs.codes import check_generative, encode_images

    with evaluating(method):
        count = encode_images(check_generative(method), images[:1], 1).shape[1]
    return resolve_groups(method.unit_groups, count, units, names)


def resolve_groups(
    method_groups: NamedGroups, count: int, units: UnitSelection | None, names: UnitNames
) -> list[UnitGroup]:
    """As `select_groups`, for a method that has these groups and is known to have `count` units."""
    listed: list[int | str] = list(method_groups.named or range(count)) if units is None else list_units(units, names)
    name_of_word = {word: name for name, word in names.items()}
    groups = []
    for unit in listed:
        word = _canonical_word(method_groups, unit, names)
        plain = f"unit {word}" if _is_number(word) else f"units {word}" if RANGE.fullmatch(word) else word
        groups.append(UnitGroup(name_of_word.get(word, plain), _units_of_word(method_groups, word, count, names), word))
    return groups


def list_units(units: UnitSelection, names: UnitNames) -> list[int | str]:
    """The listed units: a word that is no name is taken apart at its commas, not letter by letter."""
    if isinstance(units, str) and units.strip() in names:
        return [units]
    if isinstance(units, str):
        return [part for word in units.split(",") if (part := word.strip())]
    return [int(units)] if isinstance(units, int | np.integer) else list(units)


def _canonical_word(method_groups: NamedGroups, unit: int | str, names: UnitNames) -> str:
    """The unit, range or group that is asked for. Numbers, ranges and groups go before names."""
    text = str(unit).strip()
    if _is_number(text):
        return str(int(text))
    if RANGE.fullmatch(text) or text in method_groups.named or text not in names:
        return text
    try:
        method_groups.find(text)
    except LookupError:
        return names[text]
    return text


def _is_number(text: str) -> bool:
    """Whether it is a unit's number, also one that is not there."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal()


def select_units(
    method: "unweave.method.Method", images: "unweave.tensors.Images", units: UnitSelection | None, names: UnitNames
) -> list[int]:
    """The listed units of a method one by one, all if none."""
    return list(dict.fromkeys(unit for group in select_groups(method, images, units, names) for unit in group.units))


def unit_titles(units: Sequence[int], names: UnitNames) -> list[str]:
    """What to call single units: by the name that the user gave, or "unit 3"."""
    name_of_word = {word: name for name, word in names.items()}
    return [name_of_word.get(str(unit), f"unit {unit}") for unit in units]


def _units_of_word(method_groups: NamedGroups, word: str, count: int, names: UnitNames) -> list[int]:
    if _is_number(word):
        return check_units([int(word)], count)
    ends = RANGE.fullmatch(word)
    if ends is None:
        try:
            return list(method_groups.find(word))
        except LookupError as error:
            known = f" The names of units of this run: {', '.join(names)}." if names else ""
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
        return {name: word for name, word in names.items() if not _is_number(name) and not RANGE.fullmatch(name)}
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: it holds {{name: unit}} in JSON. Mend it or remove it. ({error})"
        ) from None


def name_unit(
    run: Run | str | Path, unit: int | str, text: str, method: "unweave.method.Method | None" = None
) -> dict[str, str]:
    """Call a unit (or range, or group) of a run by a name, which every verb then takes; an empty text forgets it.

    A unit has one name, and a name one unit: the newest counts. Returns all names. `method` is the run's, where it is
    open already. Raises ValueError for a unit that is not there and for a name that is a number or a range, holds a
    comma, or is longer than 40 characters; LookupError for a group that is not there.
    """
    run, text = run if isinstance(run, Run) else Run(run), " ".join(text.split())
    method_groups = _groups_of_run(run, str(unit).strip(), text) if method is None else method.unit_groups
    count = run.statistics().quantiles.shape[1]
    if text:
        if "," in text or not text.isprintable() or len(text) > MAX_NAME_LENGTH:
            raise ValueError(f"a name has at most {MAX_NAME_LENGTH} characters and no comma, got {text!r}.")
        if _means_units(method_groups, text, count):
            raise ValueError(f"{text!r} already means units of this run: choose a name that is no number or group.")
    with one_writer(run.path):
        names = unit_names(run)
        word = resolve_groups(method_groups, count, [unit], names)[0].word
        kept = {other: of for other, of in names.items() if of != word} | ({text: word} if text else {})
        write_atomically(run.path / "names.json", json.dumps(kept, indent=2, ensure_ascii=False))
    return kept


def _means_units(method_groups: NamedGroups, text: str, count: int) -> bool:
    if _is_number(text) or RANGE.fullmatch(text):
        return True
    try:
        _units_of_word(method_groups, text, count, {})
    except LookupError:
        return False
    except ValueError:  # written as a group is, but out of range
        return True
    return True


def group_facts(method_groups: NamedGroups) -> dict[str, list[str] | str | None]:
    """What a run stores of its groups, so that naming units opens no network."""
    return {"unit_groups": list(method_groups.named), "unit_group_pattern": method_groups.pattern}


def _groups_of_run(run: Run, *words: str) -> NamedGroups:
    """The groups of a run's method: their names alone, without units, as the run stores them (`group_facts`). The
    method is opened for a run without them, and where one of the words may be a further name, such as a range of times.
    """
    record = run.record()
    stored, pattern = record.get("unit_groups"), record.get("unit_group_pattern")
    if stored is None or (pattern and any(re.fullmatch(pattern, word) for word in words)):
        return run.method(device="cpu").unit_groups
    return NamedGroups(dict.fromkeys(stored, ()))
