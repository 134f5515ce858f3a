"""unweave new method, unweave check method"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output

new_app = typer.Typer(help="Write the beginning of something of your own.", no_args_is_help=True)
check_app = typer.Typer(help="Check something of your own against what the rest expects of it.", no_args_is_help=True)


@new_app.callback()
def new() -> None:
    """Write the beginning of something of your own."""


@check_app.callback()
def check() -> None:
    """Check something of your own against what the rest expects of it."""


@new_app.command("method")
def new_method(
    name: Annotated[str, typer.Argument(help="its name: a word of small letters")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the folder; NAME if not given")] = None,
) -> None:
    """Write a method that works, its test, and a study that compares it.

    \b
        unweave new method mine                 a folder, mine/, with one short file to change
        pip install -e mine                     now `unweave train mine` and every study know it
        unweave check method mine               the contract
        unweave sweep mine/study_mine.toml      beside two others
    """
    from unweave.studies.new_method import write_method

    path = write_method(name, out)
    print(path)
    output.say(f"next: pip install -e {path.parent}   then: unweave check method {name}")


@check_app.command("method")
def check_method(
    name: Annotated[str, typer.Argument(help="a method")],
    words: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="its settings")] = None,
    size: Annotated[int, typer.Option(min=4, help="pixels of a side of the random images")] = 32,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Run the contract on a method: it must hold for training, scores and edits to work. Half a minute.

    \b
        unweave check method mine
        unweave check method mine method.units=4

    The exit code is 1 where a law is broken. What is checked is small and random: that it learns anything, only
    `unweave train` and `unweave evaluate` show.
    """
    from unweave.cli import tables
    from unweave.config import SettingsError, merge, parse_word
    from unweave.training.contract import check_method as check_laws

    changes = merge(*map(parse_word, words or []))
    if unknown := sorted(set(changes) - {"method"}):
        raise SettingsError(f"the contract takes settings of the method, as method.units=4; got {unknown[0]}.")
    results = check_laws(name, changes.get("method", {}), size)
    if json:
        output.print_json([result._asdict() for result in results])
    else:
        output.print_table(tables.laws_table(results))
    if any(result.why for result in results):
        raise typer.Exit(1)
