"""unweave app"""

import os
import signal
import sys
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
    from unweave.app.guard import LOOPBACK
    from unweave.app.interface import launch

    if share or host not in LOOPBACK:
        output.say("warning: everyone who has the address can use this page, upload images and rename units.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        launch(explorer, host=host, port=port, share=share, ready=lambda address: output.say(f"open {address}"))
    except SystemExit:  # pictures and uploads are removed; to take down all the rest in order would be seconds
        os._exit(128 + signal.SIGTERM)
