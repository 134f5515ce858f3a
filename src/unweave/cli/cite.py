"""unweave cite"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Print the BibTeX of what a run stands on: its method and its data set."""
    from unweave.method import find_method
    from unweave.runs.run import Run

    opened = Run(run)
    card = opened.record().get("data", {})
    entries = {"method": find_method(opened.method_name).citation, "data": card.get("citation", "")}
    if json:
        output.print_json({**entries, "data licence": card.get("licence"), "data source": card.get("source")})
        return
    print(entries["method"])
    print(entries["data"] or f"% data: {card.get('title')}, {card.get('source')}, licence: {card.get('licence')}")
