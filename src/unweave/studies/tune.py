"""Tune: choose a method, its units and its strength for images without labels, by short runs of many candidates.

Successive halving (Jamieson and Talwalkar, AISTATS 2016): all candidates are trained briefly, the best third for three
times as long, and so on. What is best is what the verdicts of a report say: most factors that are one thing, then
fewest that are several mixed, then the nearest pictures. TRUST says how far that can be trusted.

On Ray, too, a round is jobs like those of a study, and not trials of Ray Tune: its ASHA promotes by who has ended
first, so that the choice would depend on the machine, and a trial that goes on keeps the rates of its longest training,
where a run of a round here ends its own.
"""

import json
import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from scipy.stats import spearmanr

from unweave.config import SettingsError, Table, merge, to_words
from unweave.data.open import dataset_table, open_data
from unweave.factors.verdict import MIN_ROWS
from unweave.files import write_json
from unweave.method import find_method
from unweave.runs.plan import data_label, plan
from unweave.studies.engine import ClusterOptions
from unweave.studies.jobs import Job
from unweave.studies.plan import NO_PICTURES
from unweave.studies.rows import REPORT, ResultRow
from unweave.studies.stored import Scoring, check_stored, failed, is_done, read_rows, set_aside, take_back
from unweave.studies.sweep import Backend, SweepOptions, run_jobs
from unweave.studies.watcher import StudyWatcher

STRENGTHS: dict[str, tuple[str, tuple[float, ...]]] = {
    "betavae": ("beta", (1.0, 4.0, 16.0)),
    "betatcvae": ("beta", (2.0, 6.0, 10.0)),
    "factorvae": ("gamma", (10.0, 30.0, 100.0)),
}
"""What is varied of a method besides its units; nothing of others."""
METHODS = ("betavae", "betatcvae", "factorvae", "encdiff")
UNITS = (6, 10)
LABELLED = "dci-2k@1"
"""The protocol, and `LABELLED_SCORE` its score, by which one would choose with labels."""
LABELLED_SCORE = "disentanglement"
KEPT = 3
"""One candidate in so many is kept, and trained so many times as long."""
TRUST = (
    "How far to trust this: over fifteen runs of EncDiff on six sets with known factors, a factor that mixes several "
    "things was called so 62 times in 63, and one that is one thing was called so 11 times in 21. So what is called "
    "clear nearly always is, and good candidates can be overlooked: one or two clear factors more say little. "
    "Runs without diffusion were not in that study. Train the chosen one longer, with several seeds, and look at it."
)
NONE_CLEAR = (
    "No candidate has a factor that is called one thing: this choice is by the nearness of pictures alone, and says "
    "nothing of disentanglement. Train longer (--images), or try other methods."
)


@dataclass(frozen=True)
class TuneOptions:
    """What is tried, and where."""

    out: Path | None = None  # runs/tune-NAME if not given, NAME that of the data
    methods: tuple[str, ...] = METHODS
    units: tuple[int, ...] = UNITS
    images: int = 30_000  # of the longest runs
    rounds: int = 2
    seed: int = 0
    size: int | None = None  # pixels; as the data set has it if not given
    backend: Backend = "local"
    processes: int | None = None
    retry: bool = False  # also candidates that were set aside
    cluster: ClusterOptions = field(default_factory=ClusterOptions)


class Candidate(NamedTuple):
    """A method with its settings."""

    method: str
    table: Table

    @property
    def label(self) -> str:
        return " ".join([self.method, *to_words(self.table)])


class Judged(NamedTuple):
    """A candidate after a round, without labels; `labelled` is what its scores with labels are, where there are any."""

    candidate: Candidate
    images: int
    clear: int
    mixed: int
    psnr: float
    labelled: float | None
    run: str

    @property
    def rank(self) -> tuple[int, int, float]:
        return (self.clear, -self.mixed, self.psnr)


class Tuned(NamedTuple):
    """The choice, and all that led to it, the best of the last round first."""

    chosen: Judged
    judged: tuple[Judged, ...]
    command: str
    trust: str
    agreement: str | None  # with the choice by labels, where there are any


def candidates(methods: Sequence[str], units: Sequence[int]) -> list[Candidate]:
    """Every method with every number of units and every strength. Raises LookupError for an unknown method."""
    listed = []
    for method in methods:
        find_method(method)
        key, strengths = STRENGTHS.get(method, ("", ()))
        for count in units:
            settings: list[Table] = [{"units": count, key: value} for value in strengths] or [{"units": count}]
            listed += [Candidate(method, {"method": each}) for each in settings]
    return listed


def budgets(images: int, rounds: int) -> list[int]:
    """Images of each round, the last of which has all."""
    return [max(1, images // KEPT ** (rounds - 1 - number)) for number in range(rounds)]


def run_count(candidates: int, rounds: int) -> int:
    """How many runs are trained in all rounds, where none fails."""
    return sum(math.ceil(candidates / KEPT**number) for number in range(rounds))


def best(judged: Sequence[Judged]) -> list[Judged]:
    """All of a round, the best first; those that are alike stay in their order."""
    return sorted(judged, key=lambda each: each.rank, reverse=True)


def kept(judged: Sequence[Judged]) -> list[Candidate]:
    """The candidates that go on to the next round."""
    return [each.candidate for each in best(judged)[: math.ceil(len(judged) / KEPT)]]


def tune(data: str, options: TuneOptions | None = None, watcher: StudyWatcher | None = None) -> Tuned:
    """The candidate that a report without labels calls best, after rounds of training; results are in tuned.json.

    No label is read for the choice; where there are some, what they would have chosen is said beside it. A tuning that
    was stopped goes on. Raises ValueError for too few images for verdicts, SettingsError where nothing can be trained.
    """
    options = options or TuneOptions()
    table = merge(dataset_table(data), {"size": options.size} if options.size else {})
    first = candidates(options.methods, options.units)[0]
    dataset = open_data(plan(first.method, {"data": table}).data)
    if len(dataset) < MIN_ROWS:
        raise ValueError(f"verdicts need {MIN_ROWS:,} images or more, and {dataset.name} has {len(dataset)}.")
    out = options.out or Path("runs") / f"tune-{data_label(table)}"
    protocols = (LABELLED,) if dataset.factor_names else ()
    scoring = Scoring(protocols, min(10_000, len(dataset)), 1, True)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            tuned = _rounds(table, out, scoring, options, watcher or StudyWatcher())
    except Timeout:
        raise BlockingIOError(f"another process is at {out}: wait for it, or choose another --out.") from None
    write_json(out / "tuned.json", _as_json(tuned))
    return tuned


def _rounds(data: Table, out: Path, scoring: Scoring, options: TuneOptions, watcher: StudyWatcher) -> Tuned:
    left, judged = candidates(options.methods, options.units), list[Judged]()
    everything: list[Judged] = []
    for images in budgets(options.images, options.rounds):
        for each in left:
            check_job(job_of(each, data, images, out, scoring, options.seed))
    for images in budgets(options.images, options.rounds):
        jobs = [job_of(each, data, images, out, scoring, options.seed) for each in left]
        undone, aside = [job for job in jobs if not is_done(out, job.name, scoring)], failed(out)
        if options.retry:
            for job in undone:
                if job.name in aside:
                    take_back(out, job.name, Path(job.run_dir))
            aside = failed(out)
        todo = [job for job in undone if job.name not in aside]
        if todo:
            sweep_options = SweepOptions(
                out, processes=options.processes, backend=options.backend, cluster=options.cluster
            )
            run_jobs(todo, sweep_options, _SetAside(out, watcher), 1)
        judged = [
            judge(each, images, job.run_dir, rows)
            for each, job in zip(left, jobs)
            if (rows := read_rows(out, job.name))
        ]
        if not judged:
            raise SettingsError(f"every candidate has failed: see {out / 'failed'}, and go on with --retry.")
        everything = [*best(judged), *everything]
        left = kept(judged)
    chosen = best(judged)[0]
    trust = TRUST if chosen.clear else f"{NONE_CLEAR} {TRUST}"
    return Tuned(chosen, tuple(everything), longer(chosen, data, options), trust, agreement(judged, everything))


def longer(chosen: Judged, data: Table, options: TuneOptions) -> str:
    """The command that trains the chosen one three times as long as the last round."""
    training = {"training": {"images": KEPT * options.images, "seed": options.seed}}
    words = to_words(merge({"data": data}, chosen.candidate.table, training))
    return shlex.join(["unweave", "train", chosen.candidate.method, *words])


def job_of(candidate: Candidate, data: Table, images: int, out: Path, scoring: Scoring, seed: int) -> Job:
    """A candidate as a job of a round."""
    training = {"images": images, "seed": seed, "threads": 1, "preview": NO_PICTURES}
    table = merge({"data": data, "training": training}, candidate.table)
    words = [candidate.label.replace("method.", ""), data_label(data), str(images), str(seed)]
    name = re.sub(r"[^\w=.-]+", "-", " ".join(words)).strip("-")
    return Job(
        name, "run", candidate.method, table, str(out / "runs" / name), (), str(out), candidate.label,
        scoring=asdict(scoring),
    )  # fmt: skip


def check_job(job: Job) -> None:
    """Raises SettingsError where its settings are wrong, or its run is there with others or of another version."""
    check_stored(Path(job.run_dir), plan(job.what, job.table), any_version=False)


def judge(candidate: Candidate, images: int, run: str, rows: Sequence[ResultRow]) -> Judged:
    """A candidate by what was measured of its run."""
    report = {row.score: row.value for row in rows if row.protocol == REPORT}
    labelled = {row.score: row.value for row in rows if row.protocol == LABELLED}
    clear, mixed = int(report.get("clear factors", 0)), int(report.get("mixed factors", 0))
    psnr = report.get("psnr units alone", 0.0)
    return Judged(candidate, images, clear, mixed, psnr, labelled.get(LABELLED_SCORE), run)


def agreement(last: Sequence[Judged], everything: Sequence[Judged]) -> str | None:
    """What labels would have chosen, and how alike both orders are; None without labels."""
    scored = [each for each in everything if each.labelled is not None]
    finalists = [each for each in last if each.labelled is not None]
    if not finalists:
        return None
    chosen = best(last)[0]
    by_labels = max(finalists, key=lambda each: each.labelled or 0.0)
    said = (
        f"{LABELLED} {LABELLED_SCORE} would have chosen {by_labels.candidate.label} ({by_labels.labelled:.2f}); the "
        f"chosen one has {chosen.labelled or 0.0:.2f}."
    )
    first = [each for each in scored if each.images == scored[-1].images]
    order = {each: number for number, each in enumerate(sorted({each.rank for each in first}))}
    if len(order) > 1 and len({each.labelled for each in first}) > 1:
        rho = float(spearmanr([order[each.rank] for each in first], [each.labelled for each in first]).statistic)
        said += f" Over the {len(first)} candidates of the first round, the ranks of both correlate with {rho:.2f}."
    return said


class _SetAside(StudyWatcher):
    """Sets failed candidates aside, and passes on what it is told."""

    def __init__(self, out: Path, watcher: StudyWatcher) -> None:
        self.out, self.watcher = out, watcher

    def begin(self, job: Job) -> None:
        self.watcher.begin(job)

    def end(self, job: Job, failed: str) -> None:
        if failed:
            set_aside(self.out, job.name, Path(job.run_dir), failed)
        self.watcher.end(job, failed)

    def look(self, running: Sequence[Job]) -> None:
        self.watcher.look(running)


def _as_json(tuned: Tuned) -> dict[str, object]:
    judged = [
        {"candidate": each.candidate.label, "images": each.images, "clear": each.clear, "mixed": each.mixed,
         "psnr": each.psnr, LABELLED: each.labelled, "run": each.run}
        for each in tuned.judged
    ]  # fmt: skip
    facts = {"chosen": tuned.chosen.candidate.label, "run": tuned.chosen.run, "command": tuned.command}
    return json.loads(json.dumps({**facts, "trust": tuned.trust, "with labels": tuned.agreement, "judged": judged}))
