"""Sweep: carry out a study, or go on with it, and write its table and its page."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from filelock import FileLock, Timeout

from unweave.studies import local, stored
from unweave.studies.engine import ClusterOptions
from unweave.studies.jobs import Job
from unweave.studies.leaderboard import NOT_RESULTS, leaderboard
from unweave.studies.page import write_pages
from unweave.studies.plan import PlannedRun, StudyPlan, plan_study
from unweave.studies.rows import ResultRow, check_parquet, write_csv, write_parquet
from unweave.studies.study import Study, read_study
from unweave.studies.study import small as small_form
from unweave.studies.watcher import StudyWatcher

WRITING_SHARE = 20.0
"""Times that writing the table takes, before it is written again."""

Backend = Literal["local", "ray", "slurm"]


@dataclass(frozen=True)
class SweepOptions:
    """How a study is carried out."""

    out: Path | None = None  # runs/NAME of the study file if not given
    small: bool = False  # to see that it works
    retry: bool = False  # also runs that were set aside
    any_version: bool = False  # keep runs of other versions of unweave
    processes: int | None = None  # as many as pay if not given
    parquet: bool = False
    backend: Backend = "local"
    cluster: ClusterOptions = field(default_factory=ClusterOptions)  # of other backends


class Swept(NamedTuple):
    """What a sweep leaves."""

    out: Path
    table: Path
    page: Path
    done: int  # runs that are in the table
    failed: dict[str, Path]  # logs, by run


def check_backend(name: str) -> Backend:
    """The backend of this name. Raises ValueError where there is none."""
    backends: tuple[Backend, ...] = get_args(Backend)
    for backend in backends:
        if backend == name:
            return backend
    raise ValueError(f"there is no backend {name!r}; there is: {', '.join(backends)}.")


def load_study(study: Study | Path | str, options: SweepOptions | None = None) -> StudyPlan:
    """The plan of a study, from its file or from Python. Nothing is made. Raises what `plan_study` raises."""
    options = options or SweepOptions()
    file = None if isinstance(study, Study) else Path(study)
    content = study if isinstance(study, Study) else read_study(Path(study))
    name = f"{file.stem if file else 'study'}{'-small' if options.small else ''}"
    out = options.out or Path("runs") / name
    return plan_study(
        small_form(content) if options.small else content,
        out,
        folder=file.parent if file else Path(),
        small=options.small,
        any_version=options.any_version,
    )


def sweep(
    study: Study | StudyPlan | Path | str,
    options: SweepOptions | None = None,
    watcher: StudyWatcher | None = None,
) -> Swept:
    """Train and score every run of a study that is not there yet; its table and its page are in the study's directory.

    What is done is not done again: a study that was stopped goes on, one that has grown does what is new. A run that
    fails is set aside in failed/ with its log, and the rest goes on. Raises SettingsError where something is wrong with
    the study, before anything is trained, and BlockingIOError where another process is at it.
    """
    options = options or SweepOptions()
    plan = study if isinstance(study, StudyPlan) else load_study(study, options)
    if options.parquet:
        check_parquet()
    plan.out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(plan.out / ".lock", timeout=0):
            return _sweep(plan, options, watcher or StudyWatcher())
    except Timeout:
        raise BlockingIOError(f"another process is at {plan.out}: wait for it, or choose another --out.") from None


def _sweep(plan: StudyPlan, options: SweepOptions, watcher: StudyWatcher) -> Swept:
    aside = stored.failed(plan.out)
    if options.retry:
        for run in plan.missing():
            if run.name in aside:
                stored.take_back(plan.out, run.name, run.run_dir)
        aside = stored.failed(plan.out)
    jobs = jobs_of(plan, [run for run in plan.missing() if run.name not in aside])
    threads = max((_threads(run) for run in plan.runs), default=1)
    try:
        if jobs:
            run_jobs(jobs, options, SetAside(plan, watcher), threads)
    finally:  # also of what was done before an interrupt
        table, page = write_results(plan, options.parquet)
    names = {run.name for run in plan.runs}
    left = {name: log for name, log in stored.failed(plan.out).items() if name in names}
    return Swept(plan.out, table, page, len(plan.runs) - len(plan.missing()), left)


def run_jobs(jobs: Sequence[Job], options: SweepOptions, watcher: StudyWatcher, threads: int) -> None:
    """Do all jobs on the backend that was asked for."""
    if options.backend == "local":
        processes = options.processes or local.process_count(len(jobs), threads)
        local.run_jobs(jobs, min(processes, len(jobs)), watcher, threads)
    elif options.backend == "ray":
        from unweave.studies import ray_engine

        ray_engine.run_jobs(jobs, options.processes, watcher, threads, options.cluster)
    else:
        from unweave.studies import slurm_engine

        slurm_engine.run_jobs(jobs, options.processes, watcher, threads, options.cluster)


def jobs_of(plan: StudyPlan, runs: Sequence[PlannedRun]) -> list[Job]:
    """What is to be done for these runs: the foundations that they need, and the runs."""
    out, scoring = str(plan.out), asdict(plan.scoring)
    made = [
        Job(name, "foundation", recipe.what, dict(recipe.table), name, needs, out)
        for name, recipe, needs in plan.foundations_of(runs)
    ]
    trained = [
        Job(run.name, "run", run.method, run.table, str(run.run_dir), run.needs, out, run.label, run.command, scoring)
        for run in runs
    ]
    return made + trained


class SetAside(StudyWatcher):
    """Sets failed runs aside, keeps the table up to date, and passes on what it is told."""

    def __init__(self, plan: StudyPlan, watcher: StudyWatcher) -> None:
        self.plan, self.watcher, self.write_after = plan, watcher, 0.0

    def begin(self, job: Job) -> None:
        self.watcher.begin(job)

    def end(self, job: Job, failed: str) -> None:
        if failed and job.kind == "run":
            stored.set_aside(self.plan.out, job.name, Path(job.run_dir), failed)
        if (began := time.monotonic()) >= self.write_after:  # all rows are read, so of a large study seldom
            write_csv(self.plan.out / "results.csv", results(self.plan))
            self.write_after = time.monotonic() + WRITING_SHARE * (time.monotonic() - began)
        self.watcher.end(job, failed)

    def look(self, running: Sequence[Job]) -> None:
        self.watcher.look(running)


def results(plan: StudyPlan) -> list[ResultRow]:
    """The rows of everything that is done, in the order of the study, and then of what was imported beside it."""
    rows = []
    for run in plan.runs:
        rows += list(plan.imported.get(run.name, ())) or stored.read_rows(plan.out, run.name)
    names = {run.name for run in plan.runs}
    rows += [row for name, of_record in plan.imported.items() if name not in names for row in of_record]
    return rows


def write_results(plan: StudyPlan, parquet: bool = False) -> tuple[Path, Path]:
    """results.csv and index.html (results.md, results.parquet) of what is done so far."""
    rows = results(plan)
    table = write_csv(plan.out / "results.csv", rows)
    if parquet:
        write_parquet(plan.out / "results.parquet", rows)
    title = plan.study.title or plan.out.name
    board = leaderboard(rows, title=f"{NOT_RESULTS}: {title}" if plan.small else title)
    left = {name: str(log.relative_to(plan.out)) for name, log in stored.failed(plan.out).items()}
    return table, write_pages(plan.out, replace(board, failed=left))


def _threads(run: PlannedRun) -> int:
    threads = run.settings.training.threads
    return 1 if threads == "auto" else threads
