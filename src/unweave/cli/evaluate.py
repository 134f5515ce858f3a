"""unweave evaluate"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    run: Annotated[Path | None, typer.Argument(help="a run directory; or give --codes and --factors")] = None,
    codes: Annotated[Path | None, typer.Option(help=".npy or .npz: [rows, units] or [rows, unit, dim]")] = None,
    factors: Annotated[Path | None, typer.Option(help=".npy or .npz: [rows, factors], whole numbers")] = None,
    data: Annotated[str | None, typer.Option(help="score on another data set than the run's own")] = None,
    rows: Annotated[int, typer.Option(min=2, help="random rows of the data set to encode")] = 50_000,
    protocol: Annotated[list[str] | None, typer.Option(help="a protocol, repeatable; see `unweave list`")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="metric seeds, for the interval")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="names the rows and the metrics' draws")] = 0,
    weights: Annotated[str, typer.Option(help="'raw' (as published) or 'averaged'")] = "raw",
    save: Annotated[Path | None, typer.Option("--output", "-o", help="with --codes: a scores.json to write")] = None,
    json: Annotated[bool, typer.Option("--json", help="print the scores as JSON")] = False,
) -> None:
    """Score units against known factors: of a run, or of anybody's codes.

    \b
        unweave evaluate runs/a
        unweave evaluate --codes z.npy --factors y.npy --json

    Scores of a run go to its scores.json too. The interval is metric noise of one training run, over metric seeds.
    """
    from unweave.evaluation import report

    if (run is None) == (codes is None) or (codes is None) != (factors is None):
        raise ValueError("give a run, or both --codes and --factors.")
    if weights not in ("averaged", "raw"):
        raise ValueError(f"weights must be 'raw' or 'averaged', got {weights!r}.")
    if run is None:
        assert codes is not None
        assert factors is not None
        tables = report.read_tables(codes, factors)
        if save is not None and save.exists():
            raise FileExistsError(f"{save} is there already: choose another -o.")
        scores = report.evaluate_tables(
            *tables, protocols=protocol, repeats=repeats, seed=seed, progress=output.progress_line
        )
        if save is not None:
            report.write(scores, save)
    else:
        from unweave.scoring import evaluate

        scores = evaluate(
            run,
            data=data,
            rows=rows,
            seed=seed,
            protocols=protocol,
            repeats=repeats,
            weights="raw" if weights == "raw" else "averaged",
            progress=output.progress_line,
        )
    if json:
        output.print_json(scores)
    else:
        output.print_table(report.table(scores))
