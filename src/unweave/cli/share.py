"""unweave share"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run directory")],
    folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="a new folder")] = None,
    push: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="upload to the Hugging Face Hub")] = None,
    private: Annotated[bool, typer.Option("--private", help="a private repository, if it is a new one")] = False,
    half: Annotated[
        bool, typer.Option("--half", help="one set of weights in float16: a quarter to a sixth of the size")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Write a run as a folder to share: weights, model card, scores, digests; no optimiser, nothing pickled.

    \b
        unweave share runs/a shared/a                a folder that every verb opens like a run
        unweave share runs/a --push owner/name       the same, uploaded (log in first: hf auth login)

    In Python: unweave.from_pretrained("shared/a") or unweave.from_pretrained("owner/name").
    """
    from unweave.runs.run import Run

    if folder is None and push is None:
        raise ValueError("say where to: a new folder, or --push OWNER/NAME.")
    opened, result = Run(run), {}
    if folder is not None:
        result["folder"] = str(opened.save_pretrained(folder, half))
    if push is not None:
        result["commit"] = opened.push_to_hub(push, private, half=half)
    if json:
        output.print_json(result)
    else:
        print(*result.values(), sep="\n")
