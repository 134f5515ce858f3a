"""unweave name"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    unit: Annotated[
        str | None, typer.Argument(help="a unit (3), a range (10-49), a group or a factor (f1); none lists the names")
    ] = None,
    text: Annotated[str | None, typer.Argument(metavar="[NAME]", help="what to call it; '' forgets the name")] = None,
    json: Annotated[bool, typer.Option("--json", help="print the names as JSON")] = False,
) -> None:
    """Call a unit or a factor by a name, which --units then takes and pictures of edits show.

    \b
        unweave name runs/a 3 "wall colour"
        unweave edit swap runs/a 12 --partners 9 --units "wall colour"
        unweave name runs/a f1 "floor hue"      a factor, see `unweave factors`
        unweave name runs/a                     the names there are
    """
    from unweave.runs import naming
    from unweave.runs.run import Run

    if unit is not None and text is None:
        raise ValueError(f"what shall unit {unit} be called? `unweave name RUN {unit} \"wall colour\"`; '' forgets it.")
    names = naming.given_names(Run(run)) if unit is None or text is None else naming.name_unit(run, unit, text)
    if json:
        output.print_json(names)
    else:
        for name, word in names.items():
            print(f"{word}\t{name}")
