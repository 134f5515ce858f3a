"""unweave tune"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    data: Annotated[str, typer.Argument(metavar="FOLDER", help="images: a folder, a file, or the name of a data set")],
    method: Annotated[list[str] | None, typer.Option(help="to try, repeatable; four of them if not given")] = None,
    units: Annotated[list[int] | None, typer.Option(min=1, help="to try, repeatable; 6 and 10 if not given")] = None,
    images: Annotated[int, typer.Option(min=1, help="that the longest runs are trained on")] = 30_000,
    rounds: Annotated[int, typer.Option(min=1, help="of training; after each, the best third goes on")] = 2,
    size: Annotated[int | None, typer.Option(min=8, help="pixels that images are resized to")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of every run")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where it goes; runs/tune-NAME if not given")] = None,
    backend: Annotated[str, typer.Option(help="what does the runs: local, ray or slurm")] = "local",
    address: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="with ray: of a cluster")] = None,
    gpus: Annotated[
        float | None, typer.Option(min=0, help="of a run; ray: 1 where there are any, slurm: none if not given")
    ] = None,
    memory: Annotated[float, typer.Option(min=0.1, help="with ray, slurm: GB of a run")] = 1.5,
    partition: Annotated[str | None, typer.Option(help="with slurm: where runs are queued")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="also go on with candidates that failed")] = False,
    processes: Annotated[int | None, typer.Option(min=1, help="at work at a time; as many as pay if not given")] = None,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Choose a method, its units and its strength for images without labels: short runs, of which the best go on.

    \b
        unweave tune photos/
        unweave tune photos/ --method betavae --method encdiff --units 8 --images 60000
        unweave tune rooms --size 32                     on a set with labels: also what they would have chosen

    A run is the better, the more of its factors the verdicts of `unweave report` call one thing, then the fewer they
    call mixed, then the nearer its pictures are. Stopped, it goes on. What it says of itself, and how far that can be
    trusted, goes to stderr; the command that trains the chosen one longer is printed.
    """
    from unweave.cli.live import EventLines
    from unweave.studies.engine import ClusterOptions
    from unweave.studies.sweep import check_backend
    from unweave.studies.tune import METHODS, UNITS, TuneOptions, candidates, run_count, tune
    from unweave.studies.watcher import StudyWatcher

    cluster = ClusterOptions(address=address, gpus=gpus, memory=memory, partition=partition)
    options = TuneOptions(
        out, tuple(method or METHODS), tuple(units or UNITS), images, rounds, seed, size,
        check_backend(backend), processes, retry, cluster,
    )  # fmt: skip
    tried = len(candidates(options.methods, options.units))
    output.say(f"{tried} candidates, {rounds} rounds, {run_count(tried, rounds)} runs, no labels")
    with output.progress_of(quiet):
        tuned = tune(data, options, StudyWatcher() if quiet else EventLines(run_count(tried, rounds)))
    if json:
        chosen = tuned.chosen
        output.print_json({"chosen": chosen.candidate.label, "run": chosen.run, "command": tuned.command,
                           "clear": chosen.clear, "mixed": chosen.mixed, "trust": tuned.trust,
                           "with labels": tuned.agreement})  # fmt: skip
        return
    for each in tuned.judged:
        labelled = "" if each.labelled is None else f", with labels {each.labelled:.2f}"
        output.say(f"{each.images:>8,} images  {each.clear} clear, {each.mixed} mixed, {each.psnr:.1f} dB{labelled}  "
                   f"{each.candidate.label}")  # fmt: skip
    output.say(tuned.trust)
    if tuned.agreement is not None:
        output.say(tuned.agreement)
    print(tuned.command)
