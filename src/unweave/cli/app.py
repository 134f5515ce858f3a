"""unweave app"""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    run: Annotated[Path, typer.Argument(help="a run directory, or builtin:rooms")],
    host: Annotated[str, typer.Option(help="the address to listen on; 0.0.0.0 is every machine's")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="the port; the first free one from 7860 on if not given")] = None,
    share: Annotated[bool, typer.Option("--share", help="a public address through Gradio's servers")] = False,
    export: Annotated[
        Path | None, typer.Option(help="write a folder with an app.py that runs it elsewhere, such as on a Space")
    ] = None,
) -> None:
    """Look at a run in the browser: move a unit, swap it from another image, name it.

    \b
        unweave app builtin:rooms                 the model in the package
        unweave app runs/a --export space/        a folder for a Hugging Face Space

    Needs the extra: pip install 'unweave[app]'. Uploads stay on this machine; nobody else can reach the page unless you
    say --share or another --host. An exported folder carries a dozen images of the data to begin with, and nobody can
    rename units there.
    """
    if find_spec("gradio") is None:
        raise ImportError("the explorer needs Gradio: pip install 'unweave[app]'.")
    from unweave.app.explorer import Explorer

    explorer = Explorer(run)
    if export is not None:
        from unweave.app.export import export_folder

        print(export_folder(explorer, export))
        if explorer.dataset is not None:
            output.say(f"{export / 'run' / 'examples'} has a dozen images of the data: remove what must not be public.")
        return
    from unweave.app.interface import launch

    if share or host not in ("127.0.0.1", "localhost", "::1"):
        output.say("warning: everyone who has the address can use this page, upload images and rename units.")
    launch(explorer, host=host, port=port, share=share, ready=lambda address: output.say(f"open {address}"))
