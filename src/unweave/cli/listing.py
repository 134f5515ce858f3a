"""unweave list"""

from typing import Annotated

import typer

from unweave import registry
from unweave.cli import output


def command(json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False) -> None:
    """List the methods, data sets and scoring protocols there are."""
    from unweave.evaluation.report import DEFAULT, PROTOCOLS

    known = {
        "methods": registry.names("methods"),
        "data": registry.names("data"),
        "protocols": {
            name: protocol.about + ("" if name in DEFAULT else " (not by default)")
            for name, protocol in PROTOCOLS.items()
        },
    }
    if json:
        output.print_json(known)
        return
    print(f"methods    {', '.join(known['methods'])}")
    print(f"data       {', '.join(known['data'])}; a path to an .npz or a folder of images works as well")
    for name, about in PROTOCOLS.items():
        print(f"protocol   {name:12} {about.about}{'' if name in DEFAULT else ' (not by default)'}")
