"""unweave evaluate"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from unweave.cli import output

if TYPE_CHECKING:
    from rich.table import Table

    from unweave.evaluation.scores import Scores


def command(
    runs: Annotated[list[Path] | None, typer.Argument(help="run directories; or give --codes and --factors")] = None,
    codes: Annotated[
        Path | None, typer.Option(help=".npy, .npz, .csv, .tsv or .txt: [rows, units] or [rows, unit, dim]")
    ] = None,
    factors: Annotated[
        Path | None, typer.Option(help=".npy, .npz, .csv, .tsv or .txt: [rows, factors], classes")
    ] = None,
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
    prepare: Annotated[
        str, typer.Option(help="what is done to the codes first: raw, standardised, or unit-length (rows, too)")
    ] = "raw",
    compare: Annotated[
        bool, typer.Option("--compare", help="print what is published on this data set beside it")
    ] = False,
    edits: Annotated[
        bool, typer.Option("--edits", help="also measure swaps: their consistency and precision (minutes)")
    ] = False,
    isometry: Annotated[
        bool, typer.Option("--isometry", help="with runs: also say whether codes keep the small distances of images")
    ] = False,
    jacobian: Annotated[
        bool, typer.Option("--jacobian", help="with runs: also say how far units change pictures independently")
    ] = False,
    figures: Annotated[Path | None, typer.Option(help="with --codes: a folder for pictures of the matrices")] = None,
    save: Annotated[Path | None, typer.Option("--output", "-o", help="a new scores.json to write")] = None,
    json: Annotated[bool, typer.Option("--json", help="print the scores as JSON")] = False,
) -> None:
    """Score units against known factors: of runs, or of anybody's codes.

    \b
        unweave evaluate runs/a
        unweave evaluate runs/a --split test                     on a split of the run's data
        unweave evaluate runs/seed-0 runs/seed-1 runs/seed-2     what the method gives: t-intervals, UDR
        unweave evaluate --codes z.npy --factors y.npy --json
        unweave evaluate --codes z.csv --factors y.csv --data shapes3d --compare

    Scores of a run go to its scores.json, with pictures of its matrices; --output writes them elsewhere as well. The
    interval of one run is metric noise, over metric seeds; that of three or more runs is a 95 % t-interval over seeds
    of training. A protocol that cannot be measured is named with its reason, the others are printed and written, and
    the exit code is 3.
    """
    from unweave.files import check_writable

    if (not runs) == (codes is None) or (codes is None) != (factors is None):
        raise ValueError("give runs, or both --codes and --factors.")
    if weights not in ("averaged", "raw", None):
        raise ValueError(f"weights must be 'raw' or 'averaged', got {weights!r}.")
    if codes is not None and split is not None:
        raise ValueError("--split needs a run: the codes of a split are given by `unweave encode RUN --split`.")
    if codes is not None and isometry:
        raise ValueError("--isometry needs a run: it compares codes with their images.")
    if codes is not None and jacobian:
        raise ValueError("--jacobian needs a run: codes alone cannot be turned into images.")
    if codes is not None and edits:
        raise ValueError("--edits needs a run: codes alone cannot be turned into images.")
    if edits and data is not None:
        raise ValueError("--edits measures a run on its own data set: leave --data out.")
    if runs and figures is not None:
        raise ValueError("--figures goes with --codes: a run keeps its pictures itself.")
    for path in (save, figures):
        if path is not None and path.exists():
            raise FileExistsError(f"{path} is there already: choose another name.")
        if path is not None:
            check_writable(path)
    if prepare not in ("raw", "standardised", "unit-length"):
        raise ValueError(f"--prepare takes raw, standardised or unit-length, got {prepare!r}.")
    measuring = Measuring(protocol, repeats, seed, prepare)  # type: ignore[arg-type]
    if codes is not None and factors is not None:
        with output.progress_of(quiet=False):
            _evaluate_codes(codes, factors, measuring, CodeOptions(data, compare, figures, save, json))
    else:
        output.choose_threads()
        rows_of_runs = RowsOfRuns(data, split, rows, weights)  # type: ignore[arg-type]
        with output.progress_of(quiet=False):
            _evaluate_runs(
                runs or [], measuring, rows_of_runs, RunOptions(compare, edits, isometry, jacobian, save, json)
            )


class Measuring(NamedTuple):
    protocols: list[str] | None
    repeats: int
    seed: int
    preparation: Literal["raw", "standardised", "unit-length"]


class CodeOptions(NamedTuple):
    """What is printed and written of codes."""

    data: str | None  # what they are of
    compare: bool
    figures: Path | None
    save: Path | None
    json: bool


class RowsOfRuns(NamedTuple):
    """What runs are scored on, and which of their weights."""

    data: str | None
    split: str | None
    rows: int
    weights: Literal["averaged", "raw"] | None


class RunOptions(NamedTuple):
    """What is printed of runs."""

    compare: bool
    edits: bool
    isometry: bool
    jacobian: bool
    save: Path | None
    json: bool


def _evaluate_codes(codes: Path, factors: Path, measuring: Measuring, options: CodeOptions) -> None:
    from unweave.cli import tables
    from unweave.evaluation.published import comparison, published
    from unweave.evaluation.scores import evaluate_tables
    from unweave.evaluation.tables import read_tables
    from unweave.files import write_json

    if options.compare and options.data is None:
        raise ValueError("--compare needs --data NAME with --codes: the data set that the codes are of.")
    if options.compare and options.data is not None:
        published(options.data)  # an unknown name is said before the work
    code_tables = read_tables(codes, factors)
    for text in code_tables.read:
        output.say(text)
    scores = evaluate_tables(
        code_tables.units,
        code_tables.factors,
        unreduced=code_tables.unreduced,
        explained=code_tables.explained,
        factor_names=code_tables.factor_names,
        protocols=measuring.protocols,
        repeats=measuring.repeats,
        seed=measuring.seed,
        preparation=measuring.preparation,
    )
    if options.data is not None:
        scores["data"]["name"] = options.data
    if options.save is not None:
        write_json(options.save, scores)
    if options.figures is not None:
        from unweave.figures.matrix import plot_score_matrices
        from unweave.figures.save import save_picture

        for name, picture in plot_score_matrices(scores["matrices"], scores["data"]["factor_names"]).items():
            output.say(str(save_picture(picture, options.figures / name)))
    if options.json:
        output.print_json(scores)
    else:
        output.print_table(tables.scores_table(scores))
        if options.compare and options.data is not None:
            output.print_table(tables.published_table(comparison(scores, options.data)))
    _say_what_is_not_measured([scores])


def _evaluate_runs(paths: list[Path], measuring: Measuring, scored: RowsOfRuns, options: RunOptions) -> None:
    from unweave.cli import tables
    from unweave.data.views import base_dataset
    from unweave.evaluation.evaluate import agreement, check_seeds, evaluate
    from unweave.evaluation.published import comparison, published
    from unweave.evaluation.seeds import over_runs
    from unweave.files import write_json
    from unweave.runs.data import dataset_for
    from unweave.runs.run import Run

    runs = [Run(path) for path in paths]
    if len(runs) > 1:
        check_seeds(runs)
    dataset = base_dataset(dataset_for(runs[0], scored.data, scored.split))
    if options.compare:
        published(dataset.name)  # an unknown name is said before the work
    scores: dict[str, "Scores"] = {}
    if dataset.factor_names or not (
        options.edits or options.isometry or options.jacobian or len(runs) > 2
    ):  # else there are scores without labels to give
        for run in runs:
            scores[str(run.path)] = evaluate(
                run,
                data=scored.data,
                split=scored.split,
                rows=scored.rows,
                seed=measuring.seed,
                protocols=measuring.protocols,
                repeats=measuring.repeats,
                weights=scored.weights,
                preparation=measuring.preparation,
            )
    result: dict[str, Any] = {"runs": scores} if len(runs) > 1 else dict(*scores.values())
    printed = []
    if len(runs) > 1 and scores:
        intervals = over_runs(list(scores.values()))
        result["method"] = {
            name: {score: interval._asdict() for score, interval in of_protocol.items()}
            for name, of_protocol in intervals.items()
        }
        printed.append(_with_part(tables.intervals_table(intervals), list(scores.values())))
    elif scores:
        printed += [_with_part(tables.scores_table(of_run), [of_run]) for of_run in scores.values()]
    if len(runs) > 2:
        agreed = agreement(
            runs, data=scored.data, split=scored.split, rows=scored.rows, seed=measuring.seed, weights=scored.weights
        )
        result["udr"] = agreed.to_json()
        printed.append(tables.agreement_table(agreed))
    if options.edits:
        from unweave.evaluation.edits import evaluate_edits

        result["edits"] = {}
        for run in runs:
            edit_scores = evaluate_edits(run, split=scored.split, seed=measuring.seed, weights=scored.weights)
            result["edits"][str(run.path)] = edit_scores.to_json()
            printed.append(tables.edits_table(edit_scores, str(run.path)))
    of_decoders: list[tuple[str, Callable[..., Any], Callable[..., "Table"]]] = []
    if options.isometry:
        from unweave.evaluation.evaluate import evaluate_isometry

        of_decoders.append(("isometry", evaluate_isometry, tables.isometry_table))
    if options.jacobian:
        from unweave.evaluation.jacobian import evaluate_jacobian

        of_decoders.append(("jacobian", evaluate_jacobian, tables.jacobian_table))
    for name, measure, draw in of_decoders:
        result[name] = {}
        for run in runs:
            facts = measure(run, data=scored.data, split=scored.split, seed=measuring.seed, weights=scored.weights)
            result[name][str(run.path)] = facts.to_json()
            printed.append(draw(facts, str(run.path)))
    if options.compare:
        printed += [tables.published_table(comparison(of_run, dataset.name)) for of_run in scores.values()]
    if options.json:
        output.print_json(result)
    else:
        for table in printed:
            output.print_table(table)
    if options.save is not None:
        write_json(options.save, result)
    _say_what_is_not_measured(list(scores.values()), [str(path) for path in scores])


PARTIAL = 3
"""The exit code where some protocols have scores and some cannot be measured."""


def _say_what_is_not_measured(scores: list["Scores"], names: Sequence[str] = ("",)) -> None:
    """A line on stderr for each protocol without scores, and then the exit code that says so."""
    missing = [
        (name, protocol, reason)
        for name, of_run in zip(names, scores)
        for protocol, reason in of_run.get("not_measured", {}).items()
    ]
    for name, protocol, reason in missing:
        output.say(f"not measured{f' of {name}' if len(scores) > 1 else ''}: {protocol}: {reason}")
    if missing:
        raise typer.Exit(PARTIAL)


def _with_part(table: "Table", scores: list["Scores"]) -> "Table":
    """The table with a line on what part of the data was scored, where it was a part."""
    parts = dict.fromkeys(of_run["data"]["part"] for of_run in scores if "part" in of_run["data"])
    table.caption = "\n".join([*parts, str(table.caption or "")]).strip()
    return table
