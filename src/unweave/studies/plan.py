"""From a study to its runs: each has a name, complete settings and a command, and all that can be wrong is known."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from unweave.config import SettingsError, Table, merge, to_words
from unweave.data.dataset import Dataset
from unweave.data.open import dataset_table, open_data
from unweave.evaluation.scores import select_protocols
from unweave.method import find_method
from unweave.models.foundation import Foundation
from unweave.runs.plan import data_label, plan
from unweave.runs.settings import RunSettings, without_none
from unweave.studies.foundations import PlannedFoundation, foundations_of, with_places
from unweave.studies.rows import ResultRow, read_records
from unweave.studies.stored import Scoring, check_stored, is_done, read_rows
from unweave.studies.study import Study, StudyEntry, combinations, seeds_of

NO_PICTURES = 10**9
"""`training.preview` of a run that nobody watches."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of a study."""

    name: str  # of its directory
    label: str  # of its row
    table: Table  # what the study changes, as tables of a settings file
    settings: RunSettings
    run_dir: Path
    needs: tuple[str, ...]  # directories of foundations, by name

    @property
    def method(self) -> str:
        return self.settings.method.name

    @property
    def command(self) -> str:
        """The command that trains it alone."""
        words = ["unweave", "train", self.method, *to_words(self.table), "--run", str(self.run_dir), "--resume"]
        return shlex.join(words)


@dataclass(frozen=True)
class StudyPlan:
    """Everything that a study asks for, and what of it is there."""

    study: Study
    out: Path
    scoring: Scoring
    runs: tuple[PlannedRun, ...]
    foundations: tuple[PlannedFoundation, ...]  # that are not there yet, each after those that it stands on
    imported: Mapping[str, tuple[ResultRow, ...]]  # of runs by name, and of others by their record
    small: bool = False

    def missing(self) -> list[PlannedRun]:
        """The runs that are neither done nor imported."""
        return [
            run for run in self.runs if run.name not in self.imported and not is_done(self.out, run.name, self.scoring)
        ]

    def foundations_of(self, runs: Sequence[PlannedRun]) -> list[PlannedFoundation]:
        """The foundations that are not there yet and that these runs stand on, in their order."""
        needed = {name for run in runs for name in run.needs}
        for planned in reversed(self.foundations):
            if planned.name in needed:
                needed |= set(planned.needs)
        return [planned for planned in self.foundations if planned.name in needed]

    def lacking(self) -> dict[str, list[str]]:
        """The protocols that imported runs have no scores of, by run."""
        known = {run.name: {row.protocol for row in self.imported.get(run.name, ())} for run in self.runs}
        lacks = {name: [of for of in self.scoring.protocols if of not in has] for name, has in known.items() if has}
        return {name: protocols for name, protocols in lacks.items() if protocols}


def plan_study(
    study: Study, out: Path, *, folder: Path = Path(), small: bool = False, any_version: bool = False
) -> StudyPlan:
    """The runs of a study that goes to the directory `out`; paths of records are relative to `folder`.

    Raises SettingsError, with a line for each of them, for unknown methods, settings, presets and protocols, data sets
    that are not there or have no factors to score, a budget or a seed among the settings where the study gives them,
    entries without runs, two runs of one name, and results in `out` of other settings or
    (unless `any_version`) of another version of unweave. Nothing is made.
    """
    problems = Problems()
    with problems.of("protocols"):
        select_protocols(study.protocols)
    datasets = Datasets()
    runs: dict[str, PlannedRun] = {}
    for entry in study.methods:
        with problems.of(f"methods.{entry.name}"):
            find_method(entry.name)
            for run in _runs_of(study, entry, out, problems, small):
                if small and run.name in runs and runs[run.name].settings == run.settings:
                    continue  # entries that differ in budgets and seeds alone, which the small form does not keep
                with problems.of(run.name):
                    if run.name in runs:
                        raise SettingsError(f"two runs have this name ({run.label}): give one of them a label.")
                    runs[run.name] = run
                    _check(run, study, datasets.open(run.settings))
    records: dict[str, list[ResultRow]] = {}
    for record in study.imports:
        with problems.of("imports"):
            records[record] = read_records(folder / record)
    scoring = Scoring(tuple(study.protocols), study.rows, study.repeats, study.report)
    for run in runs.values():
        with problems.of(run.name):
            check_stored(run.run_dir, run.settings, any_version)
            read_rows(out, run.name)
    foundations: list[PlannedFoundation] = []
    with problems.of("foundations"):
        foundations = foundations_of(run.settings for run in runs.values())
    problems.raise_any()
    imported = _match(records, [] if study.settings else [run for run in runs.values() if _has_plain_data(run)])
    return StudyPlan(study, out, scoring, tuple(runs.values()), tuple(foundations), imported, small)


class Problems:
    """Errors that are told together."""

    def __init__(self) -> None:
        self.lines: dict[str, None] = {}

    @contextmanager
    def of(self, where: str) -> Iterator[None]:
        """Inside the `with`, an error of the study is noted, and what follows in it is left out."""
        try:
            yield
        except (ValueError, LookupError, OSError, ImportError, TypeError) as error:
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            self.lines[f"{where}: {text}"] = None

    def raise_any(self) -> None:
        if self.lines:
            raise SettingsError("this study cannot be run:\n" + "\n".join(f"    {line}" for line in self.lines))


class Datasets:
    """Data sets of a study, each opened once."""

    def __init__(self) -> None:
        self.opened: dict[str, Dataset | Exception] = {}

    def open(self, settings: RunSettings) -> Dataset:
        """The data set of a run. Raises what opening it raised."""
        key = settings.data.model_dump_json()
        if key not in self.opened:
            try:
                self.opened[key] = open_data(settings.data)
            except (ValueError, LookupError, OSError, ImportError) as error:
                self.opened[key] = error
        dataset = self.opened[key]
        if isinstance(dataset, Exception):
            raise dataset
        return dataset


def _runs_of(study: Study, entry: StudyEntry, out: Path, problems: Problems, small: bool) -> Iterator[PlannedRun]:
    """The runs of an entry, in the order preset, setting, data set, budget, seed; a bad combination is noted."""
    presets: list[str | None] = [*entry.preset] if isinstance(entry.preset, list) else [entry.preset]
    budgets: list[int] = entry.images or ([] if _has_budget(entry.settings) and not small else study.images)
    all_budgets: list[int | None] = [*budgets] or [None]
    seeds = seeds_of(study.seeds if entry.seeds is None else entry.seeds)
    datasets = study.data if entry.data is None else entry.data
    settings = combinations({**study.vary, **entry.vary})
    if not (presets and settings and datasets and seeds):
        raise SettingsError("there is no run of it: one of preset, vary, data and seeds is an empty list.")
    for preset in presets:
        for varied in settings:
            _check_varied(study, entry, varied, bool(budgets))
            label = _label(entry, preset, varied)
            for data in datasets:
                with problems.of(f"methods.{label}"):
                    for images in all_budgets:
                        table = _table(study, entry, preset, varied, data)
                        if images is not None:
                            table = merge(table, {"training": {"images": images}})
                        first = _run(entry.name, label, table, images, out, small)
                        yield from (_with_seed(first, seed) for seed in seeds)


def _has_budget(settings: Table) -> bool:
    return "images" in settings.get("training", {})


def _check_varied(study: Study, entry: StudyEntry, varied: Table, budgets: bool) -> None:
    """Raises SettingsError for a seed, or beside `images` a budget, among the settings."""
    if "seed" in merge(study.settings, entry.settings, entry.small, varied).get("training", {}):
        raise SettingsError("training.seed is no setting of a study: give `seeds`.")
    if budgets and _has_budget(varied):
        raise SettingsError("training.images varies beside `images`: give the budgets in one of them.")


def _label(entry: StudyEntry, preset: str | None, varied: Table) -> str:
    if entry.label is not None:
        named = [f"preset={preset}"] if isinstance(entry.preset, list) else []
        return " ".join([entry.label, *named, *to_words(varied)])
    named = [] if preset is None else [f"preset={preset}"]
    return " ".join([entry.name, *named, *to_words(merge(entry.settings, varied))])


def _table(study: Study, entry: StudyEntry, preset: str | None, varied: Table, data: str | Table) -> Table:
    fixed = {"training": {"threads": 1, "preview": NO_PICTURES}}
    table = merge(fixed, study.settings, entry.settings, varied)
    changes = table.pop("data", {})
    if not isinstance(changes, Mapping) or {"name", "path"} & changes.keys():
        raise SettingsError("settings name a data set: name it in `data`.")
    own: Table = {"data": merge(dataset_table(data) if isinstance(data, str) else data, changes) if changes else data}
    return merge(table, own, {} if preset is None else {"preset": preset})


def _run(method: str, label: str, table: Table, images: int | None, out: Path, small: bool) -> PlannedRun:
    settings = plan(method, table)
    table = with_places(method, table, settings, out / "foundations" if small else None)
    settings = plan(method, table)
    data = table["data"] if isinstance(table["data"], Mapping) else dataset_table(str(table["data"]))
    words = [label, data_label(without_none(dict(data))), *([] if images is None else [str(images)])]
    name = re.sub(r"[^\w=.-]+", "-", " ".join(words)).strip("-")
    needs = tuple(source.origin for source in settings.foundation.sources().values() if source.recipe is not None)
    return PlannedRun(name, label, table, settings, out / "runs" / name, needs)


def _with_seed(run: PlannedRun, seed: int) -> PlannedRun:
    """The same run with a seed, which its name ends with."""
    settings = run.settings.model_copy(update={"training": run.settings.training.model_copy(update={"seed": seed})})
    table, name = merge(run.table, {"training": {"seed": seed}}), f"{run.name}-{seed}"
    return replace(run, name=name, table=table, settings=settings, run_dir=run.run_dir.with_name(name))


def _check(run: PlannedRun, study: Study, dataset: Dataset) -> None:
    """Raises SettingsError where a run cannot be trained or scored on its data."""
    if study.protocols and not dataset.factor_names:
        raise SettingsError(f"{dataset.name} has no factors, so nothing can be scored on it: set protocols = [].")
    if not run.settings.foundation.sources():
        training, definition = run.settings.training, find_method(run.method)
        foundation = Foundation(dataset.shape, len(dataset))
        definition.check(run.settings.method, foundation, training.batch, training.images)


def _has_plain_data(run: PlannedRun) -> bool:
    """Whether the settings of a run's data are those that its name or path alone has, as in a record."""
    data = run.table["data"]
    if isinstance(data, str):
        return True
    plain = {key: value for key, value in data.items() if key in ("name", "path")}
    return plan(run.method, {**run.table, "data": plain}).data == run.settings.data


def _match(records: Mapping[str, list[ResultRow]], runs: Sequence[PlannedRun]) -> dict[str, tuple[ResultRow, ...]]:
    """Recorded rows by the run that they are of; by their record and their own name where the study has no such run."""
    trainings = {run.name: run.settings.training for run in runs}
    names = {
        key_of(run.label, data_name(run), trainings[run.name].images, trainings[run.name].seed): run.name
        for run in runs
    }
    matched: dict[str, list[ResultRow]] = {}
    for record, rows in records.items():
        for row in rows:
            key = key_of(row.label, row.data, row.images, row.seed)
            matched.setdefault(names.get(key, f"{record}#{row.run}"), []).append(row)
    return {name: tuple(rows) for name, rows in matched.items()}


def key_of(label: str, data: str, images: int | None, seed: int) -> tuple[object, ...]:
    """What two runs have in common that need not both be made; the order of words in a label does not matter."""
    return (frozenset(label.split()), data, images, seed)


def data_name(run: PlannedRun) -> str:
    """The name of a run's data set: of a file, its stem."""
    path = run.settings.data.model_dump().get("path")
    return Path(path).stem if path else run.settings.data.name
