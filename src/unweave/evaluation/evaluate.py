"""The verbs that measure: encode images with a run, and score a run's units against known factors."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from unweave.data import open as data_open
from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.evaluation import scores as report
from unweave.evaluation.metrics.udr import udr_lasso, udr_spearman
from unweave.figures import matrix, save
from unweave.method import evaluating
from unweave.runs import code_tables
from unweave.runs import reduction as reduce
from unweave.runs.codes import represent
from unweave.runs.images import Named, gather
from unweave.runs.run import Run, Weights
from unweave.runs.unit_ranges import codes
from unweave.types import Rows

logger = logging.getLogger(__name__)

ROWS = 50_000
"""Rows that are encoded for scores, drawn without replacement from the whole data set."""


def fitting(run: Run, data: str | Mapping[str, Any] | None, split: str | None = None) -> Dataset:
    """The run's own data set, or another one at its size; of either, the rows of a split, if one is named.

    A split is of the full set: what the run's own view keeps, leaves out or correlates is not in force, so a run that
    was trained on `train` is scored on `test`, and on everything with `all`; `unseen` are the rows of its own data that
    its view leaves out. A random split has the seed of the run's view, 0 without one. Raises ValueError for another
    number of channels and for a split that there is not.
    """
    if data is None and split is None:
        return run.dataset()
    if data is None:
        dataset = data_open.build({key: value for key, value in run.settings.data.items() if key != "view"})
    else:
        shape = run.shape()
        table = dict(data) if isinstance(data, Mapping) else data_open.table(data)
        dataset = data_open.build({**table, "size": shape[1]})
        if dataset.shape != shape:
            raise ValueError(
                f"{run.path} was trained on images of shape {shape} (channels, height, width), {dataset.name} has "
                f"{dataset.shape}: convert them to the same number of channels first."
            )
        _say_once(
            f"{dataset.name} is read at {shape[1]} x {shape[2]} pixels (height, width), as the run's own images were"
        )
    if split == "unseen" and data is None:
        return views.unseen(dataset, _view(run))
    return dataset if split is None else views.split(dataset, split, _view(run).split_seed)


@lru_cache
def _say_once(text: str) -> None:
    logger.info(text)


def _view(run: Run) -> views.Settings:
    return views.settings_of(run.settings.data.get("view", {}))


def evaluate(
    run: Run | str | Path,
    *,
    data: str | None = None,
    split: str | None = None,
    rows: int = ROWS,
    seed: int = 0,
    protocols: Iterable[str] | None = None,
    repeats: int = 3,
    weights: Weights | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> report.Scores:
    """The scores of a run's units, written to its scores.json (see `evaluation.report.evaluate_tables`).

    `rows` random rows of the data set (the run's own unless `data` names another; of it, a `split` such as "test", see
    `fitting`) are encoded once; `seed` names the rows and the metrics' draws. `weights` are those that the method's
    authors scored unless given: raw ones in eval mode for EncDiff, averaged ones for DiTi (`Run.scored`). Scores on the
    run's own data of other protocols with the same rows, seed and weights are kept in the file. Where a part of the
    data is scored or was trained on, `data` says which, and how many of the scored rows the run was trained on. Raises
    ValueError for a data set without factors.
    """
    opened = run if isinstance(run, Run) else Run(run)
    weights = weights or opened.scored()
    dataset = fitting(opened, data, split)
    named = code_tables.rows_for(len(dataset), rows, seed)
    factors = dataset.factors(named)
    if factors is None:
        raise ValueError(
            f"{dataset.name} has no known factors, so its units cannot be scored; "
            f"look at `unweave edit traverse {opened.path}` instead."
        )
    table = codes(opened, dataset, named, seed, weights)
    reduction = reduce.fit(table)
    try:
        scores = report.evaluate_tables(
            reduce.apply(reduction, table),
            factors,
            unreduced=table.reshape(len(table), -1),
            explained=reduction.explained.tolist() if table.shape[2] > 1 else None,
            factor_names=dataset.factor_names,
            protocols=protocols,
            repeats=repeats,
            seed=seed,
            progress=progress,
        )
    except ValueError as error:
        raise ValueError(f"{dataset.name}, {len(named):,} rows: {error}") from error
    scores["weights"] = opened.digest()
    scores["data"] = {
        "name": dataset.name,
        "digest": dataset.digest(),
        "shape": list(dataset.shape),
        "images": len(dataset),
        "factors": dict(zip(dataset.factor_names, dataset.factor_sizes)),
        **scores["data"],
        **part(opened, dataset, named, split, own=data is None),
    }
    scores["scored_weights"] = weights
    if data is None:
        _write(opened, scores)
    return scores


def part(run: Run, dataset: Dataset, rows: Rows, split: str | None, *, own: bool) -> dict[str, Any]:
    """What part of a data set these rows are: nothing to say where the run was trained on all of it and so are they.

    `split` and its `split_seed` (None for a publishers' split); for the run's own data also `in_training`, the number
    of these rows that are in its training set, and `part`, which says so in words.
    """
    found: dict[str, Any] = {}
    view, whole = _view(run), views.beneath(dataset)
    if split is not None:
        found = {"split": split, "split_seed": None if whole.splits or split in ("all", "unseen") else view.split_seed}
    if own and (split is not None or "view" in run.settings.data):
        trained = views.viewed(whole, view)
        trained_rows = views.rows_beneath(trained, np.arange(len(trained)))
        count = int(np.isin(views.rows_beneath(dataset, rows), trained_rows).sum())
        share = {0: "none", len(rows): "all"}.get(count, f"{count:,}")
        hint = "; --split test scores others" if split is None and view.split == "train" else ""
        found["in_training"] = count
        found["part"] = f"{dataset.name}: of the {len(rows):,} rows scored, {share} are in the run's training set{hint}"
    return found


def agreement(
    runs: Sequence[Run | str | Path],
    *,
    data: str | None = None,
    split: str | None = None,
    rows: int = ROWS,
    seed: int = 0,
    weights: Weights | None = None,
) -> dict[str, Any]:
    """`udr-lasso@1` and `udr-spearman@1` of every run: how well runs of several seeds agree; no factors needed.

    On 10,000 random rows (all, where there are fewer) of those that `evaluate` encodes. Raises ValueError for fewer
    than three runs, and for runs that are not seeds of one method and data set (see `check_seeds`).
    """
    opened = [run if isinstance(run, Run) else Run(run) for run in runs]
    check_seeds(opened)
    weights = weights or opened[0].scored()
    tables = []
    for run in opened:
        dataset = fitting(run, data, split)
        named = code_tables.rows_for(len(dataset), rows, seed)
        table = codes(run, dataset, named, seed, weights)
        drawn = np.random.default_rng(seed).permutation(len(table))[:10_000]
        tables.append(reduce.apply(reduce.fit(table), table)[drawn])
    names = [str(run.path) for run in opened]
    rankings = {"udr-lasso@1": udr_lasso(tables), "udr-spearman@1": udr_spearman(tables)}
    protocols = {name: dict(zip(names, ranking.scores.tolist())) for name, ranking in rankings.items()}
    return {"protocols": protocols, "rows": len(tables[0]), "seed": seed, "scored_weights": weights}


def check_seeds(runs: Sequence[Run]) -> None:
    """Nothing, where the runs differ in their training seed alone. Raises ValueError that names what else differs."""
    if len({run.digest() for run in runs}) < len(runs):
        raise ValueError("two of these runs are the same: an interval over runs needs different training seeds.")
    first, *others = [but_for_seed(run) for run in runs]
    for run, settings in zip(runs[1:], others):
        different = sorted(key for key in first.keys() | settings.keys() if first.get(key) != settings.get(key))
        if different:
            raise ValueError(
                f"{runs[0].path} and {run.path} differ in more than training.seed: {', '.join(different)}. "
                "Evaluate runs of one method and one data set together, others one by one."
            )


def but_for_seed(run: Run) -> dict[str, Any]:
    """The settings of a run by dotted key, but for its seed and what does not change the result."""
    tables = run.settings.model_dump()
    flat = {
        f"{table}.{key}": value
        for table, keys in tables.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    }
    left_out = ("training.seed", "training.save", "training.preview", "training.tracker", "training.compile")
    return {key: value for key, value in flat.items() if key not in left_out}


def agreement_table(found: Mapping[str, Any]) -> Table:
    """For people."""
    protocols = found["protocols"]
    result = Table("run", *protocols, caption="agreement between runs, label-free; 0 or more, higher is better")
    for run in next(iter(protocols.values())):
        result.add_row(run, *(f"{of[run]:.4g}" for of in protocols.values()))
    return result


def _write(run: Run, scores: report.Scores) -> None:
    """scores.json, with the protocols that an earlier evaluation of the very same codes has already measured.

    Scores of a split are in scores-SPLIT.json; those of other codes (rows, seed, weights) are kept beside the newest as
    scores-1.json, scores-2.json, ...
    """
    end = f"-{scores['data']['split']}" if "split" in scores["data"] else ""
    path, pictures = run.path / f"scores{end}.json", run.path / f"matrices{end}"
    before = json.loads(path.read_text()) if path.is_file() else None
    same = ("rows", "seed", "weights", "data", "scored_weights", "interval")
    if before is not None and all(before.get(key) == scores[key] for key in same):
        for kept in ("protocols", "rows_used", "matrices"):
            scores[kept] = {**before.get(kept, {}), **scores[kept]}
    elif before is not None:
        number = 1
        while (aside := run.path / f"scores{end}-{number}.json").exists():
            number += 1
        path.rename(aside)
        if pictures.exists():
            pictures.rename(run.path / f"matrices{end}-{number}")
    report.write(scores, path)
    for name, picture in matrix.pictures(scores["matrices"], scores["data"]["factor_names"]).items():
        save.save(picture, pictures / name, overwrite=True)


def encode(
    run: Run | str | Path,
    images: str | Path | Named | None = None,
    *,
    split: str | None = None,
    weights: Weights = "averaged",
) -> dict[str, np.ndarray]:
    """Codes of a data set, a folder or an .npz (the run's own data unless given), of its `split`, or of single images.

    The arrays of codes.npz: `codes` [rows, unit, dim] in float32 and `rows`, the row number of each in the full data
    set; `files` where images are files, and `factors` where they are known. Splits are those of `fitting`.
    """
    opened = run if isinstance(run, Run) else Run(run)
    method = opened.method(weights)
    if images is not None and not isinstance(images, str | Path):
        if split is not None:
            raise ValueError(f"split={split!r} is of a data set, and single images were given: leave it out.")
        gathered = gather(opened, images)
        with evaluating(method):
            units = method.encode(gathered.images).float().cpu().numpy()
        return {"codes": units, "rows": np.arange(len(units)), "files": np.array(gathered.labels)}
    dataset = fitting(opened, None if images is None else str(images), split)
    rows = np.arange(len(dataset))
    arrays: dict[str, Any] = {"codes": represent(method, dataset, rows), "rows": views.rows_beneath(dataset, rows)}
    factors = dataset.factors(rows)
    if dataset.files:
        arrays["files"] = np.array(dataset.files)
    if factors is not None:
        arrays |= {"factors": factors, "factor_names": np.array(dataset.factor_names)}
    return arrays
