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
from unweave.data.dataset import Dataset
from unweave.evaluation.scores import evaluate_tables
from unweave.method import Method, evaluating
from unweave.runs.settings import RunSettings
from unweave.studies.plan import PlannedRun, StudyPlan
from unweave.studies.stored import Scoring
from unweave.training import loop
from unweave.training.batches import batches
from unweave.training.experiment import Experiment
from unweave.training.prepare import prepare

SECONDS = 1.0
"""For how long the steps of a method are timed."""
START = 5.0
"""Seconds that a run takes besides steps and scores: to build, to save, to measure the range of its units."""
DCI_FACTOR = 5.0
"""dci@1 has five times the rows of dci-2k@1, which is timed in its place."""


class Measured(NamedTuple):
    """What was timed of a method."""

    per_image: float  # seconds of training
    per_code: float  # seconds of encoding an image
    units: int


class StudyTime(NamedTuple):
    """How long a study will take."""

    runs: Mapping[str, float | None]  # seconds of each missing run; None where it could not be timed
    total: float  # seconds with all processes at work
    processes: int
    untimed: int  # runs that are not in the total


def estimate(plan: StudyPlan, processes: int) -> StudyTime:
    """Seconds of every run that is missing, and of all with this many processes.

    Nothing is kept. A method whose foundation is not there yet cannot be timed, nor one that is fitted without steps;
    what a report takes is not counted. Methods whose steps change as they train are known by their first steps only.
    """
    methods: dict[str, Measured | None] = {}
    scores: dict[tuple[str, int], float] = {}
    seconds: dict[str, float | None] = {}
    threads, missing = torch.get_num_threads(), plan.missing()
    try:
        with progress.task("timing", len(missing), "runs") as task:
            for number, run in enumerate(missing):
                task.update(number, run.label)
                seconds[run.name] = _seconds(run, plan.scoring, methods, scores)
    finally:
        torch.set_num_threads(threads)
    known = [value for value in seconds.values() if value is not None]
    return StudyTime(seconds, makespan(known, processes), processes, len(seconds) - len(known))


def makespan(seconds: Sequence[float], processes: int) -> float:
    """When the last of these pieces ends, where each process takes the next one as soon as it is free."""
    free = [0.0] * max(1, processes)
    for piece in seconds:
        heapq.heappush(free, heapq.heappop(free) + piece)
    return max(free)


def _seconds(
    run: PlannedRun, scoring: Scoring, methods: dict[str, Measured | None], scores: dict[tuple[str, int], float]
) -> float | None:
    key = _without_seed(run.settings)
    if key not in methods:
        with tempfile.TemporaryDirectory() as folder, progress.use(progress.Progress()):
            methods[key] = _time_method(run.settings, Path(folder) / "run")
    measured, data = methods[key], run.settings.data.model_dump_json()
    if measured is None:
        return None
    if (data, measured.units) not in scores:
        scores[data, measured.units] = _time_scores(run.settings, scoring, measured.units)
    rows = scoring.rows if scoring.protocols else 0
    training = run.settings.training.images * measured.per_image
    return START + training + rows * measured.per_code + scores[data, measured.units]


def _without_seed(settings: RunSettings) -> str:
    training = settings.training.model_copy(update={"seed": 0, "images": 1})
    return settings.model_copy(update={"training": training}).model_dump_json()


def _time_method(settings: RunSettings, run_dir: Path) -> Measured | None:
    try:
        trainer = prepare(Experiment(settings, run_dir))
    except (ValueError, LookupError):  # a foundation is not there yet
        return None
    state, method = trainer.state, trainer.state.method
    precision = "float32" if settings.training.precision == "auto" else settings.training.precision
    training = settings.training.model_copy(update={"precision": precision})
    if not state.players or not isinstance(method, Method):
        return None
    stream = batches(trainer.dataset, 0, training.batch, 0, training.images, trainer.device)
    began, images, first = time.perf_counter(), 0, 0
    method.train()
    for number, step in enumerate(
        loop.steps(state.players, stream, state.optimisers, training, trainer.accelerator, state.rng)
    ):
        if number == 0:  # the first step warms up
            began, first = time.perf_counter(), step.seen
        images = step.seen - first
        if time.perf_counter() - began > SECONDS:
            break
    per_image = (time.perf_counter() - began) / images if images else 0.0
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
