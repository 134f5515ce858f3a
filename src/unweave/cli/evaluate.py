"""unweave evaluate"""

from pathlib import Path
from typing import Annotated, Any

import typer

from unweave.cli import output


def command(
    runs: Annotated[list[Path] | None, typer.Argument(help="run directories; or give --codes and --factors")] = None,
    codes: Annotated[Path | None, typer.Option(help=".npy, .npz or .csv: [rows, units] or [rows, unit, dim]")] = None,
    factors: Annotated[Path | None, typer.Option(help=".npy, .npz or .csv: [rows, factors], whole numbers")] = None,
    data: Annotated[
        str | None, typer.Option(help="score on another data set than the run's own; with --codes: what they are of")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="with runs: score on a split of the data set: all, train, valid, test, or unseen")
    ] = None,
    rows: Annotated[int, typer.Option(min=2, help="with runs: random rows of the data set to encode")] = 50_000,
    protocol: Annotated[list[str] | None, typer.Option(help="a protocol, repeatable; see `unweave list`")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="metric seeds, for the interval")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="names the rows and the metrics' draws")] = 0,
    weights: Annotated[
        str | None, typer.Option(help="with runs: 'raw' or 'averaged'; what the method's authors scored if not given")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="print what is published on this data set beside it")
    ] = False,
    edits: Annotated[
        bool, typer.Option("--edits", help="also measure swaps: their consistency and precision (minutes)")
    ] = False,
    figures: Annotated[Path | None, typer.Option(help="with --codes: a folder for pictures of the matrices")] = None,
    save: Annotated[Path | None, typer.Option("--output", "-o", help="with --codes: a scores.json to write")] = None,
    json: Annotated[bool, typer.Option("--json", help="print the scores as JSON")] = False,
) -> None:
    """Score units against known factors: of runs, or of anybody's codes.

    \b
        unweave evaluate runs/a
        unweave evaluate runs/a --split test                     on a split of the run's data
        unweave evaluate runs/seed-0 runs/seed-1 runs/seed-2     what the method gives: t-intervals, UDR
        unweave evaluate --codes z.npy --factors y.npy --json
        unweave evaluate --codes z.csv --factors y.csv --data shapes3d --compare

    Scores of a run go to its scores.json, with pictures of its matrices. The interval of one run is metric noise, over
    metric seeds; that of three or more runs is a 95 % t-interval over training seeds.
    """
    if (not runs) == (codes is None) or (codes is None) != (factors is None):
        raise ValueError("give runs, or both --codes and --factors.")
    if weights not in ("averaged", "raw", None):
        raise ValueError(f"weights must be 'raw' or 'averaged', got {weights!r}.")
    if codes is not None and split is not None:
        raise ValueError("--split needs a run: the codes of a split are given by `unweave encode RUN --split`.")
    if codes is not None and edits:
        raise ValueError("--edits needs a run: codes alone cannot be turned into images.")
    if edits and data is not None:
        raise ValueError("--edits measures a run on its own data set: leave --data out.")
    if runs and (figures is not None or save is not None):
        raise ValueError("--figures and --output go with --codes: a run keeps its scores and pictures itself.")
    if codes is not None and factors is not None:
        _tables(codes, factors, data, protocol, repeats, seed, compare, figures, save, json)
    else:
        options = {"data": data, "split": split, "rows": rows, "protocols": protocol, "repeats": repeats, "seed": seed}
        _runs(runs or [], options | {"weights": weights}, compare, edits, json)


def _tables(
    codes: Path,
    factors: Path,
    data: str | None,
    protocol: list[str] | None,
    repeats: int,
    seed: int,
    compare: bool,
    figures: Path | None,
    save: Path | None,
    json: bool,
) -> None:
    from unweave.evaluation import published
    from unweave.evaluation import scores as report

    if compare and data is None:
        raise ValueError("--compare needs --data NAME with --codes: the data set that the codes are of.")
    if compare and data is not None:
        published.published(data)  # an unknown name is said before the work
    for place in (save, figures):
        if place is not None and place.exists():
            raise FileExistsError(f"{place} is there already: choose another name.")
    read = report.read_tables(codes, factors)
    scores = report.evaluate_tables(
        read.units,
        read.factors,
        unreduced=read.unreduced,
        explained=read.explained,
        factor_names=read.factor_names,
        protocols=protocol,
        repeats=repeats,
        seed=seed,
        progress=output.progress_line,
    )
    if data is not None:
        scores["data"]["name"] = data
    if save is not None:
        report.write(scores, save)
    if figures is not None:
        from unweave.figures.matrix import plot_score_matrices
        from unweave.figures.save import save_picture

        for name, picture in plot_score_matrices(scores["matrices"], scores["data"]["factor_names"]).items():
            output.say(str(save_picture(picture, figures / name)))
    if json:
        output.print_json(scores)
        return
    output.print_table(report.table(scores))
    if compare and data is not None:
        output.print_table(published.comparison(scores, data))


def _runs(runs: list[Path], options: dict[str, Any], compare: bool, edits: bool, json: bool) -> None:
    from unweave.data.views import base_dataset
    from unweave.evaluation import evaluate, published, seeds
    from unweave.evaluation import scores as report
    from unweave.runs import data as data_
    from unweave.runs.run import Run

    opened = [Run(run) for run in runs]
    if len(opened) > 1:
        evaluate.check_seeds(opened)
    dataset = base_dataset(data_.dataset_for(opened[0], options["data"], options["split"]))
    if compare:
        published.published(dataset.name)  # an unknown name is said before the work
    found: dict[str, Any] = {}
    if dataset.factor_names or not (edits or len(opened) > 2):  # else there are scores without labels to give
        found = {str(run.path): evaluate.evaluate(run, **options, progress=output.progress_line) for run in opened}
    said: dict[str, Any] = {"runs": found} if len(opened) > 1 else dict(*found.values())
    tables = []
    if len(opened) > 1 and found:
        over = seeds.over_runs(list(found.values()))
        said["method"] = {name: {score: one._asdict() for score, one in of.items()} for name, of in over.items()}
        tables.append(_told(seeds.table(over), list(found.values())))
    elif found:
        tables.append(_told(report.table(said), [said]))
    if len(opened) > 2:
        said["udr"] = evaluate.agreement(opened, **{name: one for name, one in options.items() if name in _CODES})
        tables.append(evaluate.agreement_table(said["udr"]))
    if edits:
        from unweave.evaluation import edits as edit_scores

        chosen = {
            "split": options["split"],
            "seed": options["seed"],
            "weights": options["weights"],
            "progress": output.progress_line,
        }
        said["edits"] = {str(run.path): edit_scores.evaluate_edits(run, **chosen) for run in opened}
        tables += [edit_scores.table(measured, run) for run, measured in said["edits"].items()]
    if compare:
        tables += [published.comparison(scores, dataset.name) for scores in found.values()]
    if json:
        output.print_json(said)
        return
    for table in tables:
        output.print_table(table)


def _told(table: Any, scores: list[dict[str, Any]]) -> Any:
    """The table with a line on what part of the data was scored, where it was a part."""
    parts = dict.fromkeys(one["data"]["part"] for one in scores if "part" in one["data"])
    table.caption = "\n".join([*parts, str(table.caption or "")]).strip()
    return table


_CODES = ("data", "split", "rows", "seed", "weights")
