"""unweave info"""

from pathlib import Path
from typing import Annotated, Any

import typer

from unweave import registry
from unweave.cli import output
from unweave.runs import builtin


def command(
    what: Annotated[
        str, typer.Argument(metavar="RUN|METHOD|DATA", help="a run directory, a method, a data set or a path to images")
    ],
    picture: Annotated[
        Path | None, typer.Option(help="write a picture: the loss curve of a run, a contact sheet of data")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the picture if it is there")] = False,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Say what a run, a method or a data set is; of a run, draw its losses.

    \b
        unweave info runs/a --picture loss.png
        unweave info encdiff
        unweave info rooms --picture sheet.png
    """
    place = builtin.run_dir(what)
    is_run = (place / "settings.toml").is_file()
    if is_run:
        facts = of_run(place, picture, overwrite)
    elif what in registry.trainable_names():
        if not json:
            output.show_settings(what)
            return
        facts = of_method(what)
    else:
        facts = of_data(what, picture, overwrite)
    if json:
        output.print_json(facts)
        return
    output.print_facts(facts)


def of_run(path: Path, picture: Path | None, overwrite: bool) -> dict[str, Any]:
    """What a run is, how far it got and what it scored."""
    from unweave.runs.run import Run

    run = Run(path)
    state = run.state()
    history = run.history()
    if picture is not None:
        from unweave.figures.curve import plot_curves
        from unweave.figures.save import save_picture

        losses = [{key: value for key, value in record.items() if key != "seconds"} for record in history]
        save_picture(plot_curves(losses, title=f"Loss of {path}"), picture, overwrite=overwrite)
    last = history[-1] if history else {}
    return {
        "run": str(path),
        "method": run.tables["method"],
        "images seen": state["seen"],
        "of": run.tables["training"]["images"],
        "seconds": round(state["seconds"], 1),
        "last loss": {key: value for key, value in last.items() if key not in ("seen", "seconds")},
        "weights": run.digest(),
        "made": {
            key: value
            for key, value in run.record().items()
            if key in ("device", "precision", "threads", "versions", "started", "finished", "waiting_for_data")
        },
        "scores": {
            name: {score: numbers["value"] for score, numbers in scores.items()}
            for name, scores in (run.scores() or {"protocols": {}})["protocols"].items()
        },
        "pictures": sorted(str(file) for file in run.pictures.glob("*")),
    }


def of_method(name: str) -> dict[str, Any]:
    """A method's settings, presets and citation."""
    from unweave.method import find_method

    definition = find_method(name)
    return {
        "method": name,
        "about": (registry.trainable(name).__doc__ or "").strip(),
        "settings": definition.settings.model_json_schema(),
        "presets": definition.presets,
        "citation": definition.citation,
    }


def of_data(what: str, picture: Path | None, overwrite: bool) -> dict[str, Any]:
    """A data set's size, factors and card, and its contact sheet."""
    from unweave.cli import data

    try:
        return data.dataset_facts(what, [], picture, overwrite)
    except LookupError as error:
        raise LookupError(
            f"{what!r} is no run and no method ({', '.join(registry.trainable_names())}); {error}"
        ) from None
