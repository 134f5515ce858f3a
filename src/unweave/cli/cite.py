"""unweave cite"""

from pathlib import Path
from typing import Annotated

import typer

from unweave import registry
from unweave.cli import output


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Print the BibTeX of what a run stands on: its method and its data set."""
    from unweave.runs.run import Run

    opened = Run(run)
    card = opened.record().get("data", {})
    entries = {"method": registry.trainable(opened.method_name).CITATION, "data": card.get("citation", "")}
    if json:
        output.print_json({**entries, "data licence": card.get("licence"), "data source": card.get("source")})
        return
    print(entries["method"])
    print(entries["data"] or f"% data: {card.get('title')}, {card.get('source')}, licence: {card.get('licence')}")
