"""unweave list"""

from typing import Annotated

import typer

from unweave import registry
from unweave.cli import output
from unweave.runs import builtin


def command(json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False) -> None:
    """List the methods, data sets, trained models and scoring protocols there are."""
    from unweave.evaluation.protocols import ATTRIBUTES, DEFAULT, OTHERS, PROTOCOLS

    said = {
        name: f"{protocol.about}{_when(name in DEFAULT, name in ATTRIBUTES)}" for name, protocol in PROTOCOLS.items()
    }

    protocols = said | dict(OTHERS)
    known = {
        "methods": registry.names("methods"),
        "foundations": registry.names("pretraining"),
        "data": registry.names("data"),
        "models": builtin.names(),
        "protocols": protocols,
    }
    if json:
        output.print_json(known)
        return
    print(f"methods    {', '.join(known['methods'])}")
    print(f"foundations {', '.join(known['foundations'])}; trained like methods, and what methods stand on")
    print(f"data       {', '.join(known['data'])}; a path to an .npz or a folder of images works as well")
    if known["models"]:
        print(f"models     {', '.join(known['models'])}; trained, in the package, wherever a run is asked for")
    for name, about in protocols.items():
        print(f"protocol   {name:18} {about}")


def _when(always: bool, attributes: bool) -> str:
    return "" if always else " (where all factors are)" if attributes else " (not by default)"
