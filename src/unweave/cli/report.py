"""unweave report"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unweave.cli import output as out

if TYPE_CHECKING:
    from unweave.runs.run import Run


def command(
    what: Annotated[str, typer.Argument(metavar="RUN|IMAGES", help="a run, or images: a folder, a file, a data set")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="with images: settings of the training")
    ] = None,
    data: Annotated[str | None, typer.Option(help="with a run: other images to look at it with than its own")] = None,
    method: Annotated[str | None, typer.Option(help="with images: the method to train, encdiff if not given")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="sampling steps of an edit, 10 if not given")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the images that are looked at, and of x_T")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the .html to write; RUN/report.html if not given")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what --output names")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="write no page; do verdicts notice when the run is spoilt?"),
    ] = False,
    opens: Annotated[
        bool, typer.Option("--open", help="open the page in the browser; with images a first look after two minutes")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Say what varies in a pile of images: one page about every factor, no labels needed.

    \b
        unweave report photos/                               trains first (minutes), then writes the page
        unweave report photos/ training.images=30000         with a smaller budget
        unweave report photos/ data.size=64                  small things need more than 32 pixels a side
        unweave report runs/a                                of a run that is there
        unweave report runs/a --check                        can its verdicts be trusted?

    While it trains, the page is a first look from two minutes on, better every minute; --open shows it in the browser.
    The page (RUN/report.html) opens from disk without a network; RUN/report.json has its numbers.
    """
    from unweave.cli.first_looks import FirstLooks, show_page
    from unweave.config import parse_word
    from unweave.evaluation.report.report import check_output, next_steps, report
    from unweave.method import Sampling
    from unweave.training.on_images import run_or_train

    if check and (steps is not None or output is not None or overwrite):
        raise ValueError(
            "--check writes no page and has steps of its own: leave out --steps, --output and --overwrite."
        )
    check_output(output, overwrite)
    tables = [parse_word(text) for text in words or []]
    with out.progress_of(quiet):
        looks = FirstLooks(output, opens)
        run = run_or_train(what, *tables, method=method, callbacks=[] if check else [looks])
        out.choose_threads()
        if check:
            _check(run, data, seed, json)
            return
        written = report(
            run,
            data=data,
            sampling=Sampling("dpmsolver++", steps or 10),
            seed=seed,
            output=output,
            overwrite=overwrite,
        )
    if json:
        out.print_json({"page": str(written.page), **written.facts.to_json()})
        return
    print(written.page)
    if not looks.opened:
        show_page(written.page, opens)
    for line in [] if quiet else next_steps(written):
        out.say(line)


def _check(run: "Run", data: str | None, seed: int, json: bool) -> None:
    """Print what verdicts say of the run once two of its factors are turned into each other, and units are added."""
    from unweave.evaluation.verdict_check import check_verdicts

    found = check_verdicts(run, data=data, seed=seed)
    if json:
        out.print_json(found.to_json())
        return
    print(f"{found.clear} clear factors; spoilt in {len(found.trials)} trials")
    print(f"spoilt factors that are no longer clear  {found.noticed:.0%}")
    print(f"other factors whose verdict stays        {found.kept:.0%}")
