"""The command line: `unweave VERB`. Data go to stdout, progress and messages to stderr.

Every verb is a thin file: it parses, calls the function of the same name, prints. Heavy imports happen inside the
verbs, so that `unweave --help` answers at once.
"""

import errno
import logging
import os
import signal
import sys
import threading
from typing import Annotated

import typer

from unweave import progress, registry, threads
from unweave.cli import app as explorer
from unweave.cli import (
    cite,
    compare,
    contrast,
    data,
    demo,
    edit,
    encode,
    evaluate,
    export,
    factors,
    figure,
    info,
    leaderboard,
    listing,
    name,
    output,
    own_method,
    probe,
    report,
    share,
    sweep,
    train,
    tune,
)
from unweave.training import malloc

app = typer.Typer(
    name="unweave",
    help="Find the separate factors behind unlabelled images, represent each on its own, and change one at a time.",
    epilog="Start with: unweave train encdiff data=rooms training.images=20000   then: unweave edit swap RUN",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("train", help=train.HELP)(train.command)
app.command("encode")(encode.command)
app.command("evaluate")(evaluate.command)
app.command("probe")(probe.command)
app.add_typer(edit.app, name="edit")
app.add_typer(figure.app, name="figure")
app.add_typer(data.app, name="data")
app.command("compare")(compare.command)
app.command("report")(report.command)
app.command("sweep")(sweep.command)
app.command("tune")(tune.command)
app.command("leaderboard")(leaderboard.command)
app.command("contrast")(contrast.command)
app.command("app")(explorer.command)
app.command("factors")(factors.command)
app.command("name")(name.command)
app.command("info")(info.command)
app.add_typer(own_method.new_app, name="new")
app.add_typer(own_method.check_app, name="check")
app.command("share")(share.command)
app.command("export")(export.command)
app.command("list")(listing.command)
app.command("demo")(demo.command)
app.command("cite")(cite.command)


def version(value: bool | None) -> None:
    if value:
        from unweave import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def top(
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    _: Annotated[
        bool | None, typer.Option("--version", callback=version, is_eager=True, help="print the version")
    ] = None,
) -> None:
    """Find the separate factors behind unlabelled images, represent each on its own, and change one at a time."""


def main() -> None:
    """The entry point: errors become one message and a non-zero exit, with a traceback only under --debug."""
    if "torch" not in sys.modules:  # a test, or a program that calls this, has said by itself how threads wait
        threads.sleep_at_barriers()
    debug = "--debug" in sys.argv
    sys.argv[1:] = ["--debug"] * debug + [word for word in sys.argv[1:] if word != "--debug"]
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_printable)
    logging.getLogger("unweave").setLevel(logging.INFO)
    malloc.keep()
    if threading.current_thread() is threading.main_thread():  # temporary files are removed then, too
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        methods = set(sys.argv) & set(registry.trainable_names())
        if sys.argv[1:2] == ["train"] and "--help" in sys.argv and methods:
            output.show_settings(
                min(methods), [word for word in sys.argv[2:] if "=" in word and not word.startswith("-")]
            )
            return
        with progress.use(progress.shown()):  # verbs with --quiet put their own in its place
            app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        output.say(explained(error))
        sys.exit(1)
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _printable(record: logging.LogRecord) -> bool:
    """Nothing that is named in a message does anything to the terminal."""
    record.msg, record.args = progress.printable(record.getMessage()), ()
    return True


def explained(error: Exception) -> str:
    """One message for an error; for one that we did not foresee, with the way to its traceback."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT) and text.startswith("[Errno"):
        return f"error: a disk is full ({text}): free some space, and give the same command again."
    if isinstance(error, ValueError | LookupError | TypeError | OSError | ImportError | FloatingPointError) and text:
        return f"error: {text}"
    return f"error: {type(error).__name__}: {text or 'no message'} (run again with --debug for the traceback)"


if __name__ == "__main__":
    main()
