"""unweave probe"""

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(help="a run directory")],
    data: Annotated[str | None, typer.Option(help="probe on another data set than the run's own")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="a setting of that data set, such as crop=227; may be repeated")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="numbers to predict instead of factors: .npy, .csv, .tsv, .txt, FILE.npz:NAME, or lfw_attributes.txt"
        ),
    ] = None,
    labels: Annotated[int | None, typer.Option(min=2, help="training rows of each class; all if not given")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="DiTi's protocol: Adam, 15 epochs; numbers choose the epoch on test")
    ] = False,
    rows: Annotated[
        int | None, typer.Option(min=10, help="rows of each split that are encoded at most: 50000, all if --published")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of random splits and few labels")] = 0,
    weights: Annotated[
        str | None, typer.Option(help="'raw' or 'averaged'; what the authors scored if not given")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """What a linear model reads from a run's codes: factors, attributes of yes and no, or numbers.

    \b
        unweave probe runs/diti-rooms --labels 100
        unweave probe runs/diti-celeba --published
        unweave probe runs/diti-celeba --data lfw --set crop=227 --targets lfw/lfw_attributes.txt

    Trained on the data's training split, its penalty chosen on the validation split, measured on the test split.
    """
    from unweave.cli import output, tables
    from unweave.cli.data import data_table
    from unweave.evaluation.probe import probe

    if weights not in ("averaged", "raw", None):
        raise ValueError(f"weights must be 'raw' or 'averaged', got {weights!r}.")
    if changes and data is None:
        raise ValueError("--set changes a setting of the data set that --data names: give both.")
    fixed = ("size", "name", "path")
    refused = next((text for text in changes or [] if text.partition("=")[0].removeprefix("data.") in fixed), None)
    if refused is not None:
        raise ValueError(f"--set {refused}: the size is that of the run's images, and --data says which set it is.")
    settings = None if data is None else data_table(data, changes or [])
    output.choose_threads()
    with output.progress_of(quiet=False):
        scores = probe(
            run, data=settings, targets=targets, labels=labels, published=published, rows=rows, seed=seed,
            weights=weights,  # type: ignore[arg-type]
        )  # fmt: skip
    if json:
        output.print_json(scores.to_json())
    else:
        output.print_table(tables.probe_table(scores, str(run)))
