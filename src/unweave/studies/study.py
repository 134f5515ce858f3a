"""A study file: methods, data sets, settings, budgets and seeds, which together name runs."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from unweave.config import Frozen, Table, merge, parse, parse_word, read

SMALL_DATA, SMALL_IMAGES, SMALL_ROWS = "sprites", 320, 2_000
"""What `--small` trains on, for how long, and how many rows it scores."""

StudySeed = Annotated[int, Field(ge=0)]
Budget = Annotated[int, Field(ge=1)]


class SettingRange(Frozen):
    """Evenly spaced values of a setting; whole numbers where both ends are."""

    low: int | float
    high: int | float
    count: int = Field(ge=2)
    scale: Literal["linear", "log"] = "linear"

    def values(self) -> list[int | float]:
        """The values, ends included, to four digits. Raises ValueError for a logarithmic range that is not positive."""
        if self.scale == "log" and min(self.low, self.high) <= 0:
            raise ValueError(f"a logarithmic range must be above 0, got {self.low} to {self.high}.")
        low, high = (math.log(end) if self.scale == "log" else end for end in (self.low, self.high))
        steps = [low + (high - low) * i / (self.count - 1) for i in range(self.count)]
        values = [float(f"{math.exp(step) if self.scale == 'log' else step:.4g}") for step in steps]
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        return list(dict.fromkeys(round(value) if whole else value for value in values))


Varied = dict[str, list[Any] | SettingRange]
"""Dotted key of a setting -> the values that it takes; several keys take every combination."""


class StudyEntry(Frozen):
    """A method of a study, its name or a table with what is particular to it; what is not given is the study's."""

    name: str = Field(description="the method")
    label: str | None = Field(None, description="what its rows are called; its name and settings if not given")
    preset: str | list[str] | None = Field(None, description="one, or each in turn; `laptop` if not given")
    settings: Table = Field({}, description="tables as in a settings file, the same in all of its runs")
    vary: Varied = Field({}, description="settings that take several values")
    small: Table = Field({}, description="tables that --small lays over the others, such as shorter schedules")
    data: list[str | Table] | None = Field(None, description="its own data sets")
    seeds: Annotated[int, Field(ge=1)] | list[StudySeed] | None = None
    images: list[Budget] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, entry: Any) -> Any:
        return {"name": entry} if isinstance(entry, str) else entry


class Study(Frozen):
    """A study file. What one entry of `methods` does not say itself, it has from here."""

    title: str = ""
    methods: list[StudyEntry] = Field(min_length=1, description="names of methods, or tables")
    data: list[str | Table] = Field(["rooms"], min_length=1, description="names, paths, or [data] tables")
    seeds: Annotated[int, Field(ge=1)] | list[StudySeed] = Field(3, description="how many, from 0 on, or which")
    images: list[Budget] = Field([], description="budgets of training; the preset's if none is given")
    settings: Table = Field({}, description="tables as in a settings file, for every method")
    vary: Varied = Field({}, description="settings of every method that take several values")
    protocols: list[str] = Field(
        ["dci@1", "factorvae@1", "mig@1", "med@1", "med-null@1"], description="how runs are scored; [] for no scores"
    )
    rows: int = Field(50_000, ge=2, description="random rows that are scored")
    repeats: int = Field(1, ge=1, description="metric seeds of a score")
    report: bool = Field(False, description="also measure, without labels, what `unweave report` says of a run")
    imports: list[str] = Field([], description="recorded results, relative to this file: runs that are not run again")


def read_study(path: Path) -> Study:
    """A study file. Raises SettingsError that names every bad key."""
    return parse(Study, read(path), "")


def small(study: Study) -> Study:
    """The same in a few minutes, to see that it works: one seed, `sprites`, a budget that teaches nothing."""
    entries = [
        entry.model_copy(update={"settings": merge(entry.settings, entry.small), "vary": _without_budget(entry.vary),
                                 "data": None, "seeds": None, "images": None})
        for entry in study.methods
    ]  # fmt: skip
    settings = merge(study.settings, {"training": {"images": SMALL_IMAGES}})
    changes = {"data": [SMALL_DATA], "seeds": 1, "images": [SMALL_IMAGES], "imports": [], "repeats": 1}
    rows, vary = min(study.rows, SMALL_ROWS), _without_budget(study.vary)
    return study.model_copy(update={"methods": entries, "settings": settings, "vary": vary, "rows": rows, **changes})


def combinations(vary: Varied) -> list[Table]:
    """A table of settings for every combination of the values, with {} for nothing that varies.

    Raises SettingsError for a key that is none.
    """
    values = [of.values() if isinstance(of, SettingRange) else of for of in vary.values()]
    return [merge(*map(_as_table, vary, chosen)) for chosen in product(*values)]


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """The seeds that a number or a list of them means."""
    return list(range(seeds)) if isinstance(seeds, int) else list(dict.fromkeys(seeds))


def _without_budget(vary: Varied) -> Varied:
    return {key: values for key, values in vary.items() if key != "training.images"}


def _as_table(key: str, value: Any) -> Table:
    table = parse_word(f"{key}=0")
    innermost = table
    *outer, last = key.split(".")
    for part in outer:
        innermost = innermost[part]
    innermost[last] = value
    return table
