"""unweave compare"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    runs: Annotated[list[Path], typer.Argument(help="run directories, two or more")],
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Choose among runs without labels: what each can do, side by side, with factor scores where there are any.

    \b
        unweave compare runs/encdiff-photos runs/encdiff-photos-2 runs/betavae-photos

    A run without a report gets one first (about a minute). Of three or more runs of one data set ModelCentrality is
    measured, of three or more seeds of one recipe UDR. Factor scores are those that `unweave evaluate RUN` has written.
    """
    from unweave.cli import tables
    from unweave.evaluation.compare import compare

    with output.progress_of(quiet):
        comparison = compare(runs)
    if json:
        output.print_json(comparison.to_json())
    else:
        output.print_table(tables.comparison_table(comparison))
