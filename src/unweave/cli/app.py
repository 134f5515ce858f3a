"""unweave app"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output

SERVED = "--serve, --share, --allow-host or another --host"


def command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|IMAGES]...",
            help="a run directory, builtin:rooms, or a folder of pictures; two runs are shown side by side",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="the address to listen on; 0.0.0.0 is every machine's")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="the port; the first free one from 7860 on if not given")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="for a class: the run alone, without folders, lists and training")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="with --serve: the name of a proxy on this machine; once for each name")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="a public address through Gradio's servers")] = False,
    export: Annotated[
        Path | None, typer.Option(help="write a folder with an app.py that runs it elsewhere, such as on a Space")
    ] = None,
) -> None:
    """The studio in the browser: learn from a folder of pictures, open a run, change one thing at a time.

    \b
        unweave app                               the start page
        unweave app photos/                       the start page, with a folder of pictures to learn from
        unweave app builtin:rooms                 the model in the package
        unweave app runs/a runs/b                 two runs side by side, on the same pictures
        unweave app runs/a --serve                for a class on one machine
        unweave app runs/a --export space/        a folder for a Hugging Face Space

    Needs the extra: pip install 'unweave[app]'. Uploads stay on this machine; nobody else can reach the page unless you
    say --share, --allow-host or another --host. Then, and with --serve, there is the run that you name and nothing
    else: no folder, no list of runs, no training. An exported folder carries a dozen images of the data to begin with,
    and nobody can rename units there.
    """
    named = what or []
    if len(named) > 2:
        raise ValueError(f"one run is shown, or two side by side; got {len(named)}.")
    if find_spec("gradio") is None:
        raise ImportError("the studio needs Gradio: pip install 'unweave[app]'.")
    if export is not None:
        _export(named, export)
        return
    from unweave.app.guard import LOOPBACK

    _end_on_signals()
    try:
        if serve or share or allow_host or host not in LOOPBACK:
            _serve_run(_named(named, SERVED), host, port, share, allow_host or [])
        else:
            _open_studio(named, host, port)
    except SystemExit as end:  # pictures and uploads are removed; to take down all the rest in order would be seconds
        os._exit(end.code if isinstance(end.code, int) else 1)


def _end_on_signals() -> None:
    """Where it is asked to end, or its terminal is closed, it removes its files first; with nohup it stays."""
    for name in {"SIGTERM", "SIGHUP"} & set(signal.Signals.__members__):
        if signal.getsignal(signal.Signals[name]) is not signal.SIG_IGN:
            signal.signal(signal.Signals[name], lambda number, _: sys.exit(128 + number))


def _export(run: Sequence[str], folder: Path) -> None:
    from unweave.app.explorer import Explorer
    from unweave.app.export import export_folder

    explorer = Explorer(_named(run, "--export"))
    print(export_folder(explorer, folder))
    if explorer.dataset is not None:
        output.say(f"{folder / 'run' / 'examples'} has a dozen images of the data: remove what must not be public.")


def _serve_run(run: str, host: str, port: int | None, share: bool, proxies: Sequence[str]) -> None:
    """The page of a run alone, for people who may do nothing else on this machine."""
    from unweave.app.explorer import Explorer
    from unweave.app.guard import LOOPBACK
    from unweave.app.interface import launch

    explorer = Explorer(run)
    if share or proxies or host not in LOOPBACK:
        output.say("warning: everyone who has the address can use this page, upload images and rename units.")
    launch(explorer, host=host, port=port, share=share, proxies=proxies, ready=_say_address)


def _open_studio(named: Sequence[str], host: str, port: int | None) -> None:
    from unweave.app.studio import serve

    photos = len(named) == 1 and holds_pictures(named[0])
    runs = [] if photos else named
    serve(*runs, photos=named[0] if photos else "", host=host, port=port, ready=_say_address)


def _say_address(address: str) -> None:
    output.say(f"open {address}")


def _named(runs: Sequence[str], option: str) -> str:
    """Raises ValueError unless one run is named."""
    if len(runs) != 1 or holds_pictures(runs[0]):
        raise ValueError(f"with {option} there is a run to look at and nothing else: name one, as in unweave app RUN.")
    return runs[0]


def holds_pictures(what: str) -> bool:
    """Whether it is a folder that is no run, or a file: pictures to learn from."""
    place = Path(what).expanduser()
    return place.is_file() or (place.is_dir() and not (place / "settings.toml").exists())
