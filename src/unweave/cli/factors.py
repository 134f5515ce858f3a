"""unweave factors"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from unweave.cli import output

if TYPE_CHECKING:
    from unweave.runs.factors import RunFactors
    from unweave.runs.run import Run


class Action(StrEnum):
    """What may be done to the factors of a run."""

    FIND = "find"
    MERGE = "merge"
    SPLIT = "split"
    HIDE = "hide"
    SHOW = "show"
    NAME = "name"


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    action: Annotated[Action | None, typer.Argument(help="none lists them, and finds them first where need be")] = None,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[FACTORS]...", help="by word (f1) or name; see the examples")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the rows that are encoded and swapped where they are found")] = 0,
    json: Annotated[bool, typer.Option("--json", help="print them as JSON, with curves and states")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Units that change one thing together are a factor: list them, find them, change them by hand.

    \b
        unweave factors runs/a                          lists them; the first time they are found, in a minute or so
        unweave factors runs/a name f1 "floor hue"      then --units "floor hue" works in every edit, as f1 does
        unweave factors runs/a merge f2 f5              f2 has the units of both, and those after f5 move up
        unweave factors runs/a split f1 3,8             units 3 and 8 become a factor of their own, the last one
        unweave factors runs/a hide f7 f9               left out where an edit or the explorer asks for none
        unweave factors runs/a show f7
        unweave factors runs/a find                     again, after further training; names stay with their units
        unweave edit traverse runs/a 12 --units f1      a factor moves whole, along the curve of its codes

    No label is used. They are kept in RUN/factors.json; f1 changes the pictures most.
    """
    from unweave.runs.factors import are_current
    from unweave.runs.run import Run

    opened = Run(run)
    check_words(action, words or [])
    with output.progress_of(quiet):
        found = carry_out(opened, action, words or [], seed)
    current = are_current(opened, found)
    if json:
        facts = found.to_json()
        facts["factors"] = [{"word": found.word(index), **factor} for index, factor in enumerate(facts["factors"])]
        output.print_json({**facts, "current": current})
        return
    output.print_table(factors_table(found, str(run), current))


def carry_out(run: "Run", action: Action | None, words: list[str], seed: int) -> "RunFactors":
    """The factors of the run after an action. Torch is loaded only where something is measured."""
    from unweave.runs import factors, naming

    if action is Action.NAME:
        return naming.name_factor(run, words[0], words[1])
    if action in (Action.HIDE, Action.SHOW):
        for word in words:
            factors.hide_factor(run, word, hidden=action is Action.HIDE)
        return factors.require_factors(run)
    stored = factors.read_factors(run)
    if action is None and stored is not None:
        return stored
    from unweave.evaluation import run_factors

    output.choose_threads()
    if action is Action.MERGE:
        return run_factors.merge_factors(run, ",".join(words))
    if action is Action.SPLIT:
        return run_factors.split_factor(run, words[0], ",".join(words[1:]))
    return run_factors.factors_of(run, again=action is Action.FIND, seed=seed)


LEAST = {Action.MERGE: 2, Action.SPLIT: 2, Action.HIDE: 1, Action.SHOW: 1, Action.NAME: 2}
"""How many words an action needs."""


def check_words(action: Action | None, words: list[str]) -> None:
    """Raise ValueError for too few words, or too many."""
    if action is Action.FIND and words:
        raise ValueError(f"find finds all factors of a run, got {' '.join(words)}.")
    if action in LEAST and (len(words) < LEAST[action] or (action is Action.NAME and len(words) > 2)):
        example = {"merge": "merge f2 f5", "split": "split f1 3,8", "name": 'name f1 "floor hue"'}
        raise ValueError(f"{action.value} is used as in `unweave factors RUN {example.get(action.value, 'hide f7')}`.")


def factors_table(found: "RunFactors", run: str, current: bool) -> Table:
    """The factors of a run, with what is known of each."""
    title = f"Factors of {run}" + ("" if current else ", as they were before further training")
    heads = ("factor", "name", "verdict", "units", "coordinate", "states", "effect")
    table = Table(*heads, title=title, title_justify="left", box=SIMPLE_HEAD)
    for index, factor in enumerate(found.factors):
        line = factor.coordinate
        coordinate = "" if line is None else "closed" if line.closed else "open"
        shares = [f"{state.share:.0%}" for state in factor.states]
        states = ", ".join(shares) if len(shares) < 5 else f"{len(shares)} of them"
        name = escape(factor.name or factor.measured or "")
        verdict = "hidden" if factor.hidden else factor.verdict or ""
        units = ", ".join(map(str, factor.units))
        table.add_row(found.word(index), name, verdict, units, coordinate, states, f"{factor.effect:.4f}")
    table.caption = (
        "effect: mean change of pixels, in [0, 1], where it comes from another image; states: their shares of images\n"
        "unweave edit traverse RUN --units f1 moves it; unweave factors --help: names, merging, splitting, hiding"
    )
    return table
