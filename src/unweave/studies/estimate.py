"""How long a study will take: a few steps of each of its methods, and scores of random codes, timed on this machine."""

import heapq
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from unweave import progress
from unweave.config import Table
from unweave.data.dataset import Dataset
from unweave.evaluation.scores import evaluate_tables
from unweave.method import Method, evaluating
from unweave.runs.plan import plan as plan_run
from unweave.runs.settings import RunSettings
from unweave.studies.foundations import with_places
from unweave.studies.plan import PlannedRun, StudyPlan
from unweave.studies.stored import Scoring
from unweave.training import recipes
from unweave.training.batches import batches
from unweave.training.experiment import Experiment
from unweave.training.prepare import prepare
from unweave.training.step_time import seconds_per_image
from unweave.training.train import make_foundations

START = 5.0
"""Seconds that a run takes besides steps and scores: to build, to save, to measure the range of its units."""
DCI_FACTOR = 5.0
"""dci@1 has five times the rows of dci-2k@1, which is timed in its place."""


class Measured(NamedTuple):
    """What was timed of a method."""

    per_image: float  # seconds of training
    per_code: float = 0.0  # seconds of encoding an image, of what has codes
    units: int = 0


class StudyTime(NamedTuple):
    """How long a study will take."""

    runs: Mapping[str, float | None]  # seconds of each missing run; None where it could not be timed
    foundations: Mapping[str, float | None]  # and of each network that those stand on and that is missing
    total: float  # seconds with all processes at work
    processes: int
    untimed: int  # runs and foundations that are not in the total


def estimate(plan: StudyPlan, processes: int) -> StudyTime:
    """Seconds of every run that is missing, and of all with this many processes.

    Nothing is kept. Where a foundation is not there yet, a nearly untrained one stands in for it. A method that is
    fitted without steps cannot be timed, and what a report takes is not counted. Methods whose steps change as they
    train are known by their first steps only.
    """
    methods: dict[str, Measured | None] = {}
    scores: dict[tuple[str, int], float] = {}
    runs: dict[str, float | None] = {}
    foundations: dict[str, float | None] = {}
    threads, missing = torch.get_num_threads(), plan.missing()
    needed = plan.foundations_of(missing)
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            progress.task("timing", len(needed) + len(missing), "runs") as task,
        ):
            for planned in needed:
                task.update(len(foundations), planned.name)
                recipe = planned.recipe
                measured = _measured(recipe.what, dict(recipe.table), Path(folder))
                images = plan_run(recipe.what, recipe.table).training.images
                foundations[planned.name] = None if measured is None else START + images * measured.per_image
            for run in missing:
                task.update(len(foundations) + len(runs), run.label)
                key = _without_seed(run.settings)
                if key not in methods:
                    methods[key] = _measured(run.method, run.table, Path(folder))
                runs[run.name] = _seconds(run, plan.scoring, methods[key], scores)
    finally:
        torch.set_num_threads(threads)
    every = [*foundations.values(), *runs.values()]
    known = [value for value in every if value is not None]
    return StudyTime(runs, foundations, makespan(known, processes), processes, len(every) - len(known))


def makespan(seconds: Sequence[float], processes: int) -> float:
    """When the last of these pieces ends, where each process takes the next one as soon as it is free."""
    free = [0.0] * max(1, processes)
    for piece in seconds:
        heapq.heappush(free, heapq.heappop(free) + piece)
    return max(free)


def _seconds(
    run: PlannedRun, scoring: Scoring, measured: Measured | None, scores: dict[tuple[str, int], float]
) -> float | None:
    if measured is None:
        return None
    data = run.settings.data.model_dump_json()
    if (data, measured.units) not in scores:
        scores[data, measured.units] = _time_scores(run.settings, scoring, measured.units)
    rows = scoring.rows if scoring.protocols else 0
    training = run.settings.training.images * measured.per_image
    return START + training + rows * measured.per_code + scores[data, measured.units]


def _without_seed(settings: RunSettings) -> str:
    training = settings.training.model_copy(update={"seed": 0, "images": 1})
    return settings.model_copy(update={"training": training}).model_dump_json()


def _measured(what: str, table: Table, folder: Path) -> Measured | None:
    """What is timed with these settings, on stand-ins in the folder for foundations that are missing."""
    settings = plan_run(what, table)
    with progress.use(progress.Progress()), tempfile.TemporaryDirectory(dir=folder) as run_dir:
        if recipes.missing(settings, allowed=True):
            settings = plan_run(what, with_places(what, table, settings, folder))
            make_foundations(Experiment(settings, Path(run_dir)))
        return _time_method(settings, Path(run_dir) / "run")


def _time_method(settings: RunSettings, run_dir: Path) -> Measured | None:
    try:
        trainer = prepare(Experiment(settings, run_dir))
    except (ValueError, LookupError):  # what is wrong is said where it is trained
        return None
    method = trainer.state.method
    with trainer.held:
        per_image = seconds_per_image(trainer)
    if per_image is None:
        return None
    if not isinstance(method, Method):
        return Measured(per_image)
    probe = next(batches(trainer.dataset, 0, 128, 0, 128, trainer.device)).images
    with evaluating(method):
        began = time.perf_counter()
        units = method.encode(probe)
    return Measured(per_image, (time.perf_counter() - began) / len(probe), units.shape[1])


def _time_scores(settings: RunSettings, scoring: Scoring, units: int) -> float:
    from unweave.data.open import open_data

    dataset = open_data(settings.data)
    if not scoring.protocols:
        return 0.0
    tables = _tables(dataset, min(scoring.rows, 10_000), units)
    warm = _tables(dataset, 2_000, units)
    total = 0.0
    with progress.use(progress.Progress()):
        for protocol in scoring.protocols:
            timed = "dci-2k@1" if protocol == "dci@1" else protocol
            for codes, factors in (warm, tables):
                began = time.perf_counter()
                try:
                    evaluate_tables(codes, factors, protocols=[timed], repeats=1)
                except ValueError:  # random codes cannot be measured with it
                    break
            total += (time.perf_counter() - began) * (DCI_FACTOR if protocol == "dci@1" else 1.0)
    return total * scoring.repeats


def _tables(dataset: Dataset, rows: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(dataset), min(rows, len(dataset)), replace=False)
    factors = dataset.factors(chosen)
    assert factors is not None
    return rng.normal(size=(len(chosen), units)), factors
