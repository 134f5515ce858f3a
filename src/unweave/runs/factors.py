"""The factors of a run, factors.json: found by `unweave factors`, and named, hidden, merged and split by a person."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unweave.factors.factor import FAINT_BELOW, Factor
from unweave.files import read_json, write_atomically
from unweave.runs.factor_json import factor_from_json, factor_to_json
from unweave.runs.lock import one_writer
from unweave.runs.run import Run

FACTORS_FILE = "factors.json"
FACTOR_WORD = re.compile(r"f\d+")


@dataclass(frozen=True)
class RunFactors:
    """The factors of a run, `f1` first, and what they were found with."""

    factors: tuple[Factor, ...]
    weights: str  # digest of the run's raw weights
    rows: int  # of the run's data, that were encoded
    seed: int  # of the rows

    def word(self, index: int) -> str:
        """What asks for a factor on the command line."""
        return f"f{index + 1}"

    def index(self, factor: str) -> int:
        """The place of a factor by word or name. Raises LookupError for one that is not there."""
        text = " ".join(factor.split())
        for index, known in enumerate(self.factors):
            if text in (self.word(index), known.name):
                return index
        names = ", ".join(known.name for known in self.factors if known.name is not None)
        raise LookupError(
            f"there is no factor {factor!r}; this run has f1 .. f{len(self.factors)}"
            f"{f' and the names {names}' if names else ''}. `unweave factors RUN` lists them."
        )

    def shown(self) -> list[int]:
        """The places of those to look at."""
        return shown_factors(self.factors)

    def with_factor(self, index: int, factor: Factor) -> "RunFactors":
        """The same with another factor at this place."""
        return replace(self, factors=(*self.factors[:index], factor, *self.factors[index + 1 :]))

    def to_json(self) -> dict[str, Any]:
        found = {"weights": self.weights, "rows": self.rows, "seed": self.seed}
        return {**found, "factors": [factor_to_json(factor) for factor in self.factors]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], count: int | None = None) -> "RunFactors":
        """What `to_json` wrote, of a run of `count` units. Raises KeyError, TypeError or ValueError for others."""
        factors = tuple(factor_from_json(factor) for factor in stored["factors"])
        units = [unit for factor in factors for unit in factor.units]
        if len(set(units)) < len(units):
            raise ValueError("a unit is in two factors")
        if count is not None and max(units, default=0) >= count:
            raise ValueError(f"it has unit {max(units)}, and the run {count} units")
        return cls(factors, str(stored["weights"]), int(stored["rows"]), int(stored["seed"]))


def shown_factors(factors: Sequence[Factor]) -> list[int]:
    """The places of factors to look at: neither hidden nor leftover, nor with less than 2 % of the effect of the
    strongest. Where that leaves none, those that are not hidden.
    """
    least = FAINT_BELOW * max((factor.effect for factor in factors), default=0.0)
    visible = [index for index, factor in enumerate(factors) if not factor.hidden]
    clear = [i for i in visible if factors[i].verdict != "leftover" and factors[i].effect >= least]
    return clear or visible


def factor_title(word: str, factor: Factor) -> str:
    """What to call a factor: the name that a person gave, or its word with what was measured to follow it."""
    return factor.name or (f"{word}, {factor.measured}" if factor.measured else word)


def read_factors(run: Run) -> RunFactors | None:
    """The stored factors, or None where they were never found. Raises ValueError where factors.json is damaged."""
    path = run.path / FACTORS_FILE
    if not path.exists():
        return None
    count = run.statistics().quantiles.shape[1] if run.has_statistics() else None
    try:
        return RunFactors.from_json(read_json(path), count)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): remove it, and `unweave factors {run.path}` finds the factors again."
        ) from None


def are_current(run: Run, found: RunFactors) -> bool:
    """Whether they are of the newest weights, and not of those before further training."""
    return found.weights == run.digest()


def current_factors(run: Run) -> RunFactors | None:
    """The factors of a run, if they were found with its newest weights."""
    found = read_factors(run)
    return found if found is not None and are_current(run, found) else None


def require_factors(run: Run) -> RunFactors:
    """The stored factors. Raises LookupError where they were never found."""
    found = read_factors(run)
    if found is None:
        raise LookupError(f"the factors of {run.path} were not found yet: `unweave factors {run.path}` finds them.")
    return found


def write_factors(run: Run, found: RunFactors) -> Path:
    """Write factors.json whole, in the place of what is there."""
    return write_atomically(run.path / FACTORS_FILE, json.dumps(found.to_json(), ensure_ascii=False) + "\n")


def change_factors(run: Run, change: Callable[[RunFactors], RunFactors]) -> RunFactors:
    """The stored factors after a change, which is written; no other process writes meanwhile.

    Raises LookupError where they were never found.
    """
    with one_writer(run.path):
        changed = change(require_factors(run))
        write_factors(run, changed)
    return changed


def keep_by_hand(found: RunFactors, before: RunFactors | None) -> RunFactors:
    """Newly found factors with the names of before, and hidden as before, where they have the same units."""
    known = {} if before is None else {frozenset(factor.units): factor for factor in before.factors}
    factors = [
        replace(factor, name=old.name, hidden=old.hidden) if (old := known.get(frozenset(factor.units))) else factor
        for factor in found.factors
    ]
    return replace(found, factors=tuple(factors))


def with_measurements(found: RunFactors, measured: Sequence[Factor]) -> RunFactors:
    """The same with the names, agreements and verdicts that were measured, where a factor has the same units."""
    known = {factor.units: factor for factor in measured}
    factors = [
        replace(factor, measured=new.measured, agreement=new.agreement, verdict=new.verdict)
        if (new := known.get(factor.units))
        else factor
        for factor in found.factors
    ]
    return replace(found, factors=tuple(factors))


def hide_factor(run: Run | str | Path, factor: str, hidden: bool = True) -> RunFactors:
    """Leave a factor (by word or name) out where none is asked for, or with `hidden` False show it again.

    Raises LookupError where it is not there.
    """
    run = run if isinstance(run, Run) else Run(run)

    def change(found: RunFactors) -> RunFactors:
        index = found.index(factor)
        return found.with_factor(index, replace(found.factors[index], hidden=hidden))

    return change_factors(run, change)
