"""unweave contrast"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output as out


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[RUN] A B [KEY=VALUE]...", help="a run, two folders or data sets; or values of --by"),
    ],
    by: Annotated[
        str | None, typer.Option(metavar="FILE:COLUMN", help="A and B are values of it, or comparisons such as '<12'")
    ] = None,
    replicate: Annotated[
        str | None,
        typer.Option(metavar="FILE:COLUMN|folders", help="what is independent: plates, animals, days; folders by name"),
    ] = None,
    single_units: Annotated[
        bool, typer.Option("--single-units", help="compare units, though the factors of the run were found")
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="sampling steps of an edit")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="of the images that are looked at, and of permutations")] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="the .html to write")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what --output names")] = False,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Say in which units two groups of images differ, by how much, and what that looks like: a page and JSON.

    \b
        unweave contrast RUN control/ treated/ --replicate plates.csv:plate
        unweave contrast control/ treated/                    trains on both first (minutes)
        unweave contrast cells/ --by groups.csv:group control treated        on all of the folder
        unweave contrast RUN --by groups.csv:group control treated
        unweave contrast RUN --by factors.csv:size '<12' '>=12' --single-units

    Of each unit: Cliff's delta with its interval of 95 %, p adjusted by Benjamini and Hochberg, and the typical picture
    of A moved to B's median. Tiles of one picture are one replicate.
    """
    from unweave.config import parse_word
    from unweave.evaluation.contrast.contrast import contrast
    from unweave.evaluation.report.report import check_output
    from unweave.method import Sampling
    from unweave.training.on_images import run_or_train, train_on_both

    settings = [word for word in words if "=" in word and not word.startswith(("<", ">"))]
    places = [word for word in words if word not in settings]
    if len(places) != 3 and (len(places) != 2 or by is not None):
        raise ValueError("give [RUN] A B: a run and two folders, two folders alone, or a run and two values of --by.")
    check_output(output, overwrite)
    with out.progress_of(quiet):
        tables = [parse_word(text) for text in settings]
        run = run_or_train(places[0], *tables) if len(places) == 3 else train_on_both(*places, tables=tables)
        out.choose_threads()
        found = contrast(
            run,
            *places[-2:],
            by=by,
            replicate=replicate,
            single_units=single_units,
            sampling=Sampling("dpmsolver++", steps),
            seed=seed,
            output=output,
            overwrite=overwrite,
        )
    facts = found.facts
    if facts.differ_together:
        out.say(
            f"the groups can be told apart (AUROC {facts.ceiling.auroc:.2f} by all units together), and none of the "
            f"{facts.kind} shows it by itself: train longer, or try another method"
        )
    if json:
        out.print_json({"page": None if found.page is None else str(found.page), **found.facts.to_json()})
        return
    if found.page is not None:
        print(found.page)
    for unit in found.facts.units if not quiet else []:
        if unit.differs:
            said = f"{unit.name}: delta {unit.difference.delta:+.2f}, adjusted p {unit.difference.adjusted:.2g}"
            if unit.measured is not None:
                said += "; measured: " + ", ".join(
                    f"{name} {value:.3g}" for name, value in zip(facts.names, unit.measured)
                )
            out.say(said)
