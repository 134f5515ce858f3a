"""unweave train"""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unweave.cli import output

if TYPE_CHECKING:
    from unweave.runs.run import Run

HELP = """Train a method on images without labels.

WHAT is the name of a method (see `unweave list`), a settings file, or a run to go on with (--resume).
Settings follow as dotted.key=value words; data=... takes the name of a data set or a path.

\b
    unweave train encdiff                                  the laptop preset on the built-in rooms
    unweave train encdiff data=photos/ method.units=10     a folder of your own images
    unweave train encdiff preset=release data=rooms        the released code's settings
    unweave train configs/my.toml --run runs/a            a settings file, and where to put the run
    unweave train runs/a --resume                          go on after Ctrl-C
    unweave train runs/a --resume training.images=200000   and a finished run to a larger budget
    unweave train encdiff data=photos/ training.augment=flip,shift    of few images many, whose units must not tell
    unweave train denoiser preset=laptop-vq                a foundation that methods stand on, with its autoencoder
    unweave train disdiff foundation.denoiser.from=runs/d  a method on a foundation: a run, a diffusers folder, a Hub id

`unweave train encdiff --help` lists every setting of a method. The path of the run is printed on stdout."""


def command(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="a method, a settings file or a run")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="settings, such as training.images=50000")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", "-o", help="where the run goes; runs/METHOD-DATA if not given")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the last checkpoint, if there is one")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="discard a run that is there already")] = False,
    json: Annotated[bool, typer.Option("--json", help="print the run as JSON")] = False,
    foundations: Annotated[
        bool, typer.Option("--foundations/--no-foundations", help="first make the frozen networks that are not there")
    ] = True,
    convert: Annotated[
        bool,
        typer.Option("--convert", help="rewrite pickled weights of a foundation as safetensors, reading numbers only"),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    from unweave.config import parse_word
    from unweave.training.train import train

    tables = [parse_word(text) for text in words or []]
    with output.progress_of(quiet):
        trained = train(
            what, *tables, run=run, resume=resume, overwrite=overwrite, foundations=foundations, convert=convert
        )
    if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
        if json:
            output.print_json({"run": str(trained.path), **trained.record(), "digest": trained.digest()})
        else:
            print(trained.path)
            if not quiet:
                print(f"next: {'   or: '.join(next_steps(trained))}", file=sys.stderr)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # All is written: end here, so that none waits for the other's connections to close (under load, one did).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def next_steps(run: "Run") -> list[str]:
    """Commands for what was trained: a foundation, a method that draws, or one that does not."""
    from unweave import registry

    path = shlex.quote(str(run.path))
    if run.method_name in registry.names("pretraining"):
        return [f"unweave train METHOD foundation.{run.method_name}.from={path}"]
    draws = run.record().get("decodes", True)
    edits = [f"unweave edit swap {path}"] if draws else []
    return [f"unweave report {path}", *edits, f"unweave evaluate {path} (where factors are known)"]
