"""unweave sweep"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unweave.cli import output

if TYPE_CHECKING:
    from unweave.studies.plan import StudyPlan
    from unweave.studies.sweep import SweepOptions

FAILED = 3
"""The exit code where some runs are done and some have failed."""


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="a study file")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="where it goes; runs/NAME of the study file if not given")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="check all of it, and say its runs and how long they take")
    ] = False,
    small: Annotated[
        bool, typer.Option("--small", help="in minutes, to see that it works: these are not results")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="also go on with runs that failed")] = False,
    any_version: Annotated[bool, typer.Option("--any-version", help="keep runs of other versions of unweave")] = False,
    backend: Annotated[
        str, typer.Option(help="what does the runs: local (this machine), ray (this machine or a cluster), slurm")
    ] = "local",
    processes: Annotated[int | None, typer.Option(min=1, help="at work at a time; as many as pay if not given")] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="with ray: of a cluster; RAY_ADDRESS, else this machine")
    ] = None,
    cpus: Annotated[float | None, typer.Option(min=0.01, help="with ray, slurm: of a run; its threads")] = None,
    gpus: Annotated[
        float | None, typer.Option(min=0, help="of a run; ray: 1 where there are any, slurm: none if not given")
    ] = None,
    memory: Annotated[float, typer.Option(min=0.1, help="with ray, slurm: GB of a run")] = 1.5,
    retries: Annotated[int, typer.Option(min=0, help="with ray: of a run whose process or node is lost")] = 3,
    partition: Annotated[str | None, typer.Option(help="with slurm: where runs are queued")] = None,
    minutes: Annotated[
        int, typer.Option(min=1, help="with slurm: of a run, before it is saved and queued again")
    ] = 1_440,
    parquet: Annotated[bool, typer.Option("--parquet", help="also write results.parquet")] = False,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Train and score every run of a study: methods x settings x data sets x budgets x seeds.

    \b
        unweave sweep studies/builtin.toml --plan      what it would do, how long that takes, and what is wrong with it
        unweave sweep studies/builtin.toml             do it, or go on with it; Ctrl-C saves what runs are at
        unweave sweep studies/builtin.toml --small     the same in minutes, to see that it works
        unweave sweep studies/builtin.toml --backend ray --address HOST:6379 -o /shared/builtin
        unweave sweep studies/builtin.toml --backend slurm --partition gpu --gpus 1 -o /shared/builtin

    What is done is not done again, so a study can be stopped, resumed and extended. A run that fails is set aside with
    its log, the rest goes on, and the exit code is 3. Runs have one thread each, so that their bits do not depend on
    where they ran, unless the file sets training.threads. The table (results.csv) and the page (index.html) lie in the
    study's directory; the path of the page is printed on stdout.
    """
    from unweave.studies.engine import ClusterOptions
    from unweave.studies.sweep import SweepOptions, check_backend, load_study, sweep

    cluster = ClusterOptions(address, cpus, gpus, memory, retries, partition, minutes)
    options = SweepOptions(
        out, small, retry, any_version, processes, parquet, backend=check_backend(backend), cluster=cluster
    )
    planned = load_study(study, options)
    if plan:
        with output.progress_of(quiet):
            _say_plan(planned, options, json)
        return
    if small:
        output.say("--small: one seed, hardly any training. These are not results.")
    if kept := [*states(planned).values()].count("done"):
        output.say(
            f"{kept} of {len(planned.runs)} runs are there already and are kept; a change in the code of a method "
            "is not noticed: --out another folder does all of them anew."
        )
    from unweave.cli.live import live_table

    with live_table(planned, quiet) as watcher:
        swept = sweep(planned, options, watcher)
    for name, log in swept.failed.items():
        output.say(f"failed: {name}: {log}")
    if json:
        paths = {"out": swept.out, "table": swept.table, "page": swept.page}
        output.print_json({**paths, "done": swept.done, "failed": swept.failed})
    else:
        print(swept.page)
    if swept.failed:
        raise typer.Exit(FAILED)


RunState = Literal["done", "imported", "failed", "to do"]


def states(plan: "StudyPlan") -> dict[str, RunState]:
    """What has become of every run of a study."""
    from unweave.studies import stored

    missing, failed = {run.name for run in plan.missing()}, stored.failed(plan.out)

    def state(name: str) -> RunState:
        if name not in missing:
            return "imported" if name in plan.imported else "done"
        return "failed" if name in failed else "to do"

    return {run.name: state(run.name) for run in plan.runs}


def _say_plan(plan: "StudyPlan", options: "SweepOptions", json: bool) -> None:
    from unweave.cli import tables
    from unweave.studies.estimate import estimate
    from unweave.studies.local import process_count

    missing = len(plan.missing())
    time = estimate(plan, options.processes or process_count(max(1, missing)))
    if json:
        runs = {run.name: {"state": states(plan)[run.name], "seconds": time.runs.get(run.name), "command": run.command}
                for run in plan.runs}  # fmt: skip
        foundations = {planned.name: {"seconds": time.foundations[planned.name], "command": planned.recipe.command}
                       for planned in plan.foundations if planned.name in time.foundations}  # fmt: skip
        output.print_json({"runs": runs, "foundations": foundations, "seconds": time.total, "untimed": time.untimed,
                           "processes": time.processes, "lacking": plan.lacking()})  # fmt: skip
        return
    output.print_table(tables.plan_table(plan, states(plan), time))
