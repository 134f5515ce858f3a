"""Names that a person gives: of units, ranges and groups in the run's names.json, of factors in its factors.json."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from unweave.files import write_atomically
from unweave.runs.factors import FACTOR_WORD, RunFactors, change_factors, read_factors
from unweave.runs.lock import one_writer
from unweave.runs.run import Run
from unweave.runs.units import RANGE, is_number, means_factor, resolve_groups, unit_names, units_of_word
from unweave.types import NamedGroups

if TYPE_CHECKING:
    import unweave.method

MAX_NAME_LENGTH = 40  # characters of a name


def given_names(run: Run) -> dict[str, str]:
    """Every name that a person gave -> the unit, range, group or factor that it stands for, as a word."""
    found = read_factors(run)
    factors = [] if found is None else list(enumerate(found.factors))
    return unit_names(run) | {factor.name: f"f{index + 1}" for index, factor in factors if factor.name is not None}


def name_unit(
    run: Run | str | Path, unit: int | str, text: str, method: "unweave.method.Method | None" = None
) -> dict[str, str]:
    """Call a unit (or range, group, factor) of a run by a name, which every verb then takes; an empty text forgets it.

    A unit has one name, and a name one unit: the newest counts. Returns all names. `method` is the run's, where it is
    open already. Raises ValueError for a unit that is not there and for a name that is a number or a range, that a
    factor has, that holds a comma, or is longer than 40 characters; LookupError for a group or factor that is not
    there.
    """
    run, text = run if isinstance(run, Run) else Run(run), " ".join(text.split())
    method_groups = _groups_of_run(run, str(unit).strip(), text) if method is None else method.unit_groups
    found = read_factors(run)
    if found is not None and means_factor(method_groups, str(unit), found):
        name_factor(run, str(unit), text, method)
        return given_names(run)
    count = run.statistics().quantiles.shape[1]
    if text:
        _check_name(method_groups, text, count)
        if found is not None and means_factor(method_groups, text, found):
            raise ValueError(f"{text!r} already is the name of a factor, {found.word(found.index(text))}.")
    with one_writer(run.path):
        names = unit_names(run)
        word = resolve_groups(method_groups, count, [unit], names)[0].word
        kept = {other: of for other, of in names.items() if of != word} | ({text: word} if text else {})
        write_atomically(run.path / "names.json", json.dumps(kept, indent=2, ensure_ascii=False))
    return given_names(run)


def name_factor(
    run: Run | str | Path, factor: str, text: str, method: "unweave.method.Method | None" = None
) -> RunFactors:
    """Call a factor (`f1`, or by its name) by a name, which every verb then takes; an empty text forgets it.

    A name is of one factor: the newest counts. Raises ValueError for a name that cannot be one (see `name_unit`) or is
    that of a unit, LookupError for a factor that is not there.
    """
    run, text = run if isinstance(run, Run) else Run(run), " ".join(text.split())
    if text:
        method_groups = _groups_of_run(run, text) if method is None else method.unit_groups
        _check_name(method_groups, text, run.statistics().quantiles.shape[1])
        if word := unit_names(run).get(text):
            raise ValueError(f"{text!r} already is a name in this run, of {word}.")

    def change(found: RunFactors) -> RunFactors:
        index = found.index(factor)
        factors = [replace(other, name=None) if other.name == text else other for other in found.factors]
        factors[index] = factors[index].named(text or None)
        return replace(found, factors=tuple(factors))

    return change_factors(run, change)


def _check_name(method_groups: NamedGroups, text: str, count: int) -> None:
    if "," in text or not text.isprintable() or len(text) > MAX_NAME_LENGTH:
        raise ValueError(f"a name has at most {MAX_NAME_LENGTH} characters and no comma, got {text!r}.")
    if _means_units(method_groups, text, count):
        raise ValueError(f"{text!r} already means units of a run: choose a name that is no number, group or factor.")


def _means_units(method_groups: NamedGroups, text: str, count: int) -> bool:
    if is_number(text) or RANGE.fullmatch(text) or FACTOR_WORD.fullmatch(text):
        return True
    try:
        units_of_word(method_groups, text, count, {})
    except LookupError:
        return False
    except ValueError:  # written as a group is, but out of range
        return True
    return True


def _groups_of_run(run: Run, *words: str) -> NamedGroups:
    """The groups of a run's method: their names alone, without units, as the run stores them (`group_facts`). The
    method is opened for a run without them, and where one of the words may be a further name, such as a range of times.
    """
    record = run.record()
    stored, pattern = record.get("unit_groups"), record.get("unit_group_pattern")
    if stored is None or (pattern and any(re.fullmatch(pattern, word) for word in words)):
        return run.method(device="cpu").unit_groups
    return NamedGroups(dict.fromkeys(stored, ()))
