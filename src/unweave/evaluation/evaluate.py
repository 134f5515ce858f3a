"""The verbs that measure: encode images with a run, and score a run's units against known factors."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.sampling import sample_rows
from unweave.evaluation.find_factors import SAMPLING, find_factors
from unweave.evaluation.metrics.local_isometry import li_cond, li_corr
from unweave.evaluation.metrics.preparation import Preparation
from unweave.evaluation.metrics.udr import udr_lasso, udr_spearman
from unweave.evaluation.protocols import GROUPED
from unweave.evaluation.scores import Scores, evaluate_tables, select_protocols
from unweave.figures.matrix import plot_score_matrices
from unweave.figures.save import save_picture
from unweave.files import write_json
from unweave.method import Generative
from unweave.runs import reduction
from unweave.runs.codes import code_table
from unweave.runs.data import dataset_for, describe_part
from unweave.runs.lock import one_writer
from unweave.runs.records import ScoresRecord, checked
from unweave.runs.run import Run
from unweave.types import Weights

logger = logging.getLogger("unweave")

ROWS = 50_000
"""Rows that are encoded for scores, drawn without replacement from the whole data set."""


def evaluate(
    run: Run | str | Path,
    *,
    data: str | Mapping[str, Any] | None = None,
    split: str | None = None,
    rows: int = ROWS,
    seed: int = 0,
    protocols: Iterable[str] | None = None,
    repeats: int = 3,
    weights: Weights | None = None,
    preparation: Preparation = "raw",
) -> Scores:
    """The scores of a run's units, written to its scores.json (see `evaluation.scores.evaluate_tables`).

    `rows` random rows of the data set (the run's own unless `data` names another, or is its [data] table; of it, a
    `split` such as "test", see `runs.data.dataset_for`) are encoded once; `seed` names the rows and the metrics' draws.
    `weights` are those that the method's authors scored unless given: raw ones in eval mode for EncDiff, averaged ones
    for DiTi (`Run.scored`).
    `preparation` is what is done to codes first: raw, standardised or unit-length, in scores-standardised.json, ...
    Scores on the run's own data of other protocols with the same rows, seed and weights are kept in the file. Where a
    part of the data is scored or was trained on, `data` says which, and how many of the scored rows the run was trained
    on. Where `dci-factors@1` is asked for, the run's factors are found first, on its own data and without labels.
    Raises ValueError for a data set without factors.
    """
    if protocols is not None:
        protocols = tuple(select_protocols(protocols))  # an unknown name is said before the work
    run = run if isinstance(run, Run) else Run(run)
    weights = weights or run.scored_weights()
    dataset = dataset_for(run, data, split)
    scored_rows = sample_rows(len(dataset), rows, seed)
    factors = dataset.factors(scored_rows)
    if factors is None:
        raise ValueError(
            f"{dataset.name} has no known factors, so its units cannot be scored; "
            f"look at `unweave edit traverse {run.path}` instead."
        )
    table = code_table(run, dataset, scored_rows, seed, weights)
    fitted = reduction.fit(table)
    groups = _groups(run) if protocols is not None and set(protocols) & set(GROUPED) else None
    try:
        scores = evaluate_tables(
            reduction.apply(fitted, table),
            factors,
            unreduced=table.reshape(len(table), -1),
            explained=fitted.explained.tolist() if table.shape[2] > 1 else None,
            factor_names=dataset.factor_names,
            protocols=protocols,
            repeats=repeats,
            seed=seed,
            preparation=preparation,
            groups=groups,
        )
    except ValueError as error:
        raise ValueError(f"{dataset.name}, {len(scored_rows):,} rows: {error}") from error
    scores["weights"] = run.digest()
    scores["data"] = {
        "name": dataset.name,
        "digest": dataset.digest(),
        "shape": list(dataset.shape),
        "images": len(dataset),
        "factors": dict(zip(dataset.factor_names, dataset.factor_sizes)),
        **scores["data"],
        **describe_part(run, dataset, scored_rows, split, own=data is None),
    }
    scores["scored_weights"] = weights
    if data is None:
        try:
            with one_writer(run.path):
                _store(run, scores)
        except OSError as error:
            logger.warning("the scores are not kept in the run (`--output` keeps them elsewhere): %s", error)
    return scores


def _groups(run: Run) -> list[list[int]] | None:
    """The units of every factor that is found without labels; None for a method that cannot draw."""
    if not isinstance(run.method(), Generative):
        return None
    return [list(factor.units) for factor in find_factors(run, run.dataset(), SAMPLING, 0)]


@dataclass(frozen=True)
class IsometryScores:
    """Do codes keep the small distances between images? Two figures of ours (see metrics/local_isometry.py)."""

    li_corr: float
    li_corr_whitened: float
    li_cond: float
    neighbours: int
    rows: int
    seed: int
    scored_weights: Weights

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_isometry(
    run: Run | str | Path,
    *,
    data: str | None = None,
    split: str | None = None,
    rows: int = 2_000,
    seed: int = 0,
    weights: Weights | None = None,
) -> IsometryScores:
    """`li_corr` and `li_cond` of a run on random rows of its data; no factors needed.

    Distances of images are Euclidean in pixels, each row with its 20 nearest among these rows (more, where there are
    more units). Vector units are reduced to a number each. Neither is the LI score of Horan et al. (NeurIPS 2021),
    whose formula is not known to us.
    """
    run = run if isinstance(run, Run) else Run(run)
    weights = weights or run.scored_weights()
    dataset = dataset_for(run, data, split)
    drawn = sample_rows(len(dataset), rows, seed)
    table = code_table(run, dataset, drawn, seed, weights)
    codes = reduction.apply(reduction.fit(table), table).astype(np.float64)
    images = dataset.images(drawn)
    neighbours = max(20, codes.shape[1] + 1)
    corr = li_corr(images, codes, neighbours=neighbours)
    cond = li_cond(images, codes, neighbours=neighbours)
    return IsometryScores(**corr, **cond, neighbours=neighbours, rows=len(drawn), seed=seed, scored_weights=weights)


@dataclass(frozen=True)
class SeedAgreement:
    """How well every run agrees with the others: protocol -> run -> score, 0 or more, higher is better."""

    protocols: dict[str, dict[str, float]]
    rows: int
    seed: int
    scored_weights: Weights

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def agreement(
    runs: Sequence[Run | str | Path],
    *,
    data: str | None = None,
    split: str | None = None,
    rows: int = ROWS,
    seed: int = 0,
    weights: Weights | None = None,
) -> SeedAgreement:
    """`udr-lasso@1` and `udr-spearman@1` of every run: how well runs of several seeds agree; no factors needed.

    On 10,000 random rows (all, where there are fewer) of those that `evaluate` encodes. Raises ValueError for fewer
    than three runs, and for runs that are not seeds of one method and data set (see `check_seeds`).
    """
    loaded = [run if isinstance(run, Run) else Run(run) for run in list_runs(runs)]
    check_seeds(loaded)
    weights = weights or loaded[0].scored_weights()
    tables = []
    for run in loaded:
        dataset = dataset_for(run, data, split)
        encoded_rows = sample_rows(len(dataset), rows, seed)
        table = code_table(run, dataset, encoded_rows, seed, weights)
        compared = np.random.default_rng(seed).permutation(len(table))[:10_000]
        tables.append(reduction.apply(reduction.fit(table), table)[compared])
    names = [str(run.path) for run in loaded]
    rankings = {"udr-lasso@1": udr_lasso(tables), "udr-spearman@1": udr_spearman(tables)}
    protocols = {name: dict(zip(names, ranking.scores.tolist())) for name, ranking in rankings.items()}
    return SeedAgreement(protocols, len(tables[0]), seed, weights)


def list_runs(runs: Sequence[Run | str | Path]) -> list[Run | str | Path]:
    """Several runs. Raises ValueError for a single one, be it a word, which has letters but is no list."""
    if isinstance(runs, str | Path | Run):
        raise ValueError(f"give several runs, as a list; got {runs.path if isinstance(runs, Run) else runs} alone.")
    return list(runs)


def check_seeds(runs: Sequence[Run]) -> None:
    """Raise ValueError, which names what else differs, unless the runs differ in their training seed alone."""
    if len({run.digest() for run in runs}) < len(runs):
        raise ValueError("two of these runs are the same: an interval over runs needs different training seeds.")
    first, *others = [settings_without_seed(run) for run in runs]
    for run, settings in zip(runs[1:], others):
        different = sorted(key for key in first.keys() | settings.keys() if first.get(key) != settings.get(key))
        if different:
            raise ValueError(
                f"{runs[0].path} and {run.path} differ in more than training.seed: {', '.join(different)}. "
                "Evaluate runs of one method and one data set together, others one by one."
            )


def settings_without_seed(run: Run) -> dict[str, Any]:
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


def _store(run: Run, scores: Scores) -> None:
    """scores.json, with the protocols that an earlier evaluation of the very same codes has already measured.

    Scores of a split are in scores-SPLIT.json, those of prepared codes in scores-PREPARATION.json; those of other codes
    (rows, seed, weights) are kept beside the newest as scores-1.json, scores-2.json, ...
    """
    suffix = "".join(f"-{scores['data'][key]}" for key in ("split", "preparation") if key in scores["data"])
    path, pictures = run.path / f"scores{suffix}.json", run.path / f"matrices{suffix}"
    earlier, unreadable = None, False
    try:
        earlier = checked(path, ScoresRecord, "") if path.exists() else None
    except ValueError as error:
        unreadable = True
        logger.warning("%s It is kept under another name.", str(error).strip())
    same_codes = ("rows", "seed", "weights", "data", "scored_weights", "interval")
    if earlier is not None and all(earlier.get(key) == scores.get(key) for key in same_codes):
        scores["protocols"] = {**earlier.get("protocols", {}), **scores["protocols"]}
        scores["rows_used"] = {**earlier.get("rows_used", {}), **scores["rows_used"]}
        scores["matrices"] = {**earlier.get("matrices", {}), **scores["matrices"]}
        if "groups" in earlier:
            scores.setdefault("groups", earlier["groups"])
        failed = {**earlier.get("not_measured", {}), **scores.get("not_measured", {})}
        scores["not_measured"] = {name: why for name, why in failed.items() if name not in scores["protocols"]}
        if not scores["not_measured"]:
            del scores["not_measured"]
    elif earlier is not None or unreadable:
        number = 1
        while (numbered := run.path / f"scores{suffix}-{number}.json").exists():
            number += 1
        path.rename(numbered)
        if pictures.exists():
            pictures.rename(run.path / f"matrices{suffix}-{number}")
    write_json(path, scores)
    for name, picture in plot_score_matrices(scores["matrices"], scores["data"]["factor_names"]).items():
        save_picture(picture, pictures / name, overwrite=True)
