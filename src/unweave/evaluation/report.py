"""Tables -> every score, with its interval: the content of scores.json. Needs no run and no torch.

A protocol is a metric with every constant fixed: sample sizes, bins, classifier. Its id is frozen; another constant is
another id, so two numbers under one id are comparable.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from unweave.evaluation.read import read_tables as read_tables
from unweave.metrics import checks, rows
from unweave.metrics.betavae_score import betavae_score
from unweave.metrics.dci import dci
from unweave.metrics.factorvae_score import factorvae_score
from unweave.metrics.mig import mig
from unweave.settings import nearest
from unweave.tables import FactorTable, UnitTable

Scores = dict[str, Any]
"""What scores.json holds; see `evaluate_tables`."""


class Measured(NamedTuple):
    scores: dict[str, float]
    rows: dict[str, int]  # the sizes that were in fact used


class Protocol(NamedTuple):
    run: Callable[[UnitTable, FactorTable, int], Measured]  # (codes, factors, seed)
    about: str
    sizes: dict[str, int]
    means: dict[str, str]  # what each score says, with its range and direction


def _mig(units: UnitTable, factors: FactorTable, seed: int) -> Measured:
    drawn = rows.draw(factors, 10_000, np.random.RandomState(seed))
    return Measured(mig(units[drawn], factors[drawn]), {"rows": len(drawn), "different": len(np.unique(drawn))})


def _factorvae(units: UnitTable, factors: FactorTable, seed: int) -> Measured:
    return Measured(factorvae_score(units, factors, np.random.RandomState(seed)), dict(_FACTORVAE))


def _betavae(units: UnitTable, factors: FactorTable, seed: int) -> Measured:
    return Measured(betavae_score(units, factors, np.random.RandomState(seed)), dict(_BETAVAE))


def _dci(train: int, test: int) -> Callable[[UnitTable, FactorTable, int], Measured]:
    def run(units: UnitTable, factors: FactorTable, seed: int) -> Measured:
        drawn = rows.split(len(units), train, test, np.random.RandomState(seed))
        tables = [rows.Tables(units[part], factors[part]) for part in drawn]
        return Measured(dci(*tables, seed=seed), {"train": len(drawn[0]), "test": len(drawn[1])})

    return run


_FACTORVAE = {"rows": 10_000, "train": 10_000, "test": 5_000, "batch": 64}
_BETAVAE = {"train": 10_000, "test": 5_000, "batch": 64}
_ACCURACY = "0 to 1, higher is better, chance is 1 / factors"
_DCI = {
    "disentanglement": "0 to 1, higher is better: each unit speaks of one factor",
    "completeness": "0 to 1, higher is better: one unit suffices for a factor",
    "informativeness": "0 to 1, higher is better: accuracy on rows the classifiers have not seen",
    "informativeness_train": "0 to 1: accuracy on the training rows",
}

PROTOCOLS = MappingProxyType({
    "mig@1": Protocol(
        _mig,
        "mutual information gap: 10,000 rows with replacement, 20 bins of equal width",
        {"rows": 10_000},
        {"mig": "0 to 1, higher is better: each factor has one unit of its own"},
    ),
    "factorvae@1": Protocol(
        _factorvae,
        "FactorVAE score: 10,000 + 5,000 votes of 64 rows; variances over 10,000 rows; threshold 0.05",
        _FACTORVAE,
        {
            "eval_accuracy": f"{_ACCURACY}: the score",
            "train_accuracy": _ACCURACY,
            "active_units": "units with a standard deviation of 0.05 or more",
        },
    ),
    "betavae@1": Protocol(
        _betavae,
        "BetaVAE score: 10,000 + 5,000 points of 64 pairs, logistic regression",
        _BETAVAE,
        {"eval_accuracy": f"{_ACCURACY}: the score", "train_accuracy": _ACCURACY},
    ),
    "dci@1": Protocol(
        _dci(10_000, 5_000),
        "DCI: gradient boosting on 10,000 rows, tested on 5,000 others; slow: 6 to 8 core-seconds per class",
        {"train": 10_000, "test": 5_000},
        _DCI,
    ),
    "dci-2k@1": Protocol(
        _dci(2_000, 1_000),
        "DCI: gradient boosting on 2,000 rows, tested on 1,000 others",
        {"train": 2_000, "test": 1_000},
        _DCI,
    ),
})  # fmt: skip

DEFAULT = ("mig@1", "factorvae@1", "betavae@1", "dci-2k@1")


def evaluate_tables(
    units: UnitTable,
    factors: FactorTable,
    *,
    protocols: Iterable[str] | None = None,
    repeats: int = 3,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Scores:
    """The scores of these codes under each protocol (`DEFAULT` unless named): value, low and high of every score.

    Repeat r runs with seed + r; `value` is the mean, `low` and `high` the extremes. The interval is metric noise of
    these codes, not what another training run would give. `weights` is None and `data` describes the factors; whoever
    evaluates a run adds their digests. `progress(protocol, done, total)` is called before each repeat.

    Few rows: MIG, FactorVAE and BetaVAE draw with replacement, so any table will do, at the price of more noise; DCI
    takes 2/3 of the rows for training and 1/3 for testing. `rows_used` says what was drawn.

    Raises LookupError for an unknown protocol, ValueError for tables that cannot be measured.
    """
    names = tuple(dict.fromkeys(DEFAULT if protocols is None else protocols))
    chosen = {name: _protocol(name) for name in names}
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}.")
    checks.tables(units, factors)
    scores: Scores = {}
    used: dict[str, dict[str, int]] = {}
    for i, (name, protocol) in enumerate(chosen.items()):
        measured = []
        for repeat in range(repeats):
            if progress:
                progress(name, i * repeats + repeat, len(chosen) * repeats)
            measured.append(protocol.run(units, factors, seed + repeat))
        scores[name] = {score: _interval([one.scores[score] for one in measured]) for score in measured[0].scores}
        used[name] = measured[0].rows
    return {
        "protocols": scores,
        "rows": len(units),
        "rows_used": used,
        "seed": seed,
        "weights": None,
        "data": {"units": units.shape[1], "factor_sizes": [len(np.unique(factor)) for factor in factors.T]},
        "interval": f"minimum and maximum over {repeats} repeats of the metric's own seed: "
        "metric noise of one training run, not training noise",
    }


def write(scores: Scores, path: Path) -> None:
    """Stores scores as JSON with sorted keys; the file appears whole or not at all."""
    text = json.dumps(scores, indent=2, sort_keys=True, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        part.write_text(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def table(scores: Scores) -> Table:
    """Scores as a table for people, with the range and direction of each."""
    result = Table("protocol", "score", "value", "low", "high", "meaning", caption=scores["interval"])
    for name, measured in scores["protocols"].items():
        for i, (score, interval) in enumerate(measured.items()):
            meaning = PROTOCOLS[name].means.get(score, "") if name in PROTOCOLS else ""
            numbers = [f"{interval[part]:.4g}" for part in ("value", "low", "high")]
            result.add_row("" if i else name, score, *numbers, meaning)
        result.add_section()
    return result


def _protocol(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise LookupError(
            f"there is no protocol {name!r}.{nearest(name, PROTOCOLS)} There are: {', '.join(PROTOCOLS)}."
        )
    return PROTOCOLS[name]


def _interval(values: list[float]) -> dict[str, float]:
    return {"value": float(np.mean(values)), "low": min(values), "high": max(values)}
