"""Tables -> every score, with its interval: the content of scores.json. Needs no run and no torch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, cast

import numpy as np

from unweave import progress
from unweave.config import nearest
from unweave.evaluation.metrics.checks import as_codes, as_factors, check_scale, check_tables
from unweave.evaluation.metrics.preparation import Preparation, prepare
from unweave.evaluation.notebook_scores import NotebookScores
from unweave.evaluation.protocols import PROTOCOLS, Evidence, Protocol, ProtocolResult, default_protocols
from unweave.types import TableLike, Weights


class ScoreOfRepeats(TypedDict):
    """A score and its extremes over repeats."""

    value: float
    low: float
    high: float


class Scores(TypedDict):
    """What scores.json holds; see `evaluate_tables`."""

    protocols: dict[str, dict[str, ScoreOfRepeats]]  # protocol -> score
    matrices: dict[str, dict[str, list[list[float]]]]  # protocol -> kind -> [unit][factor]
    rows: int
    rows_used: dict[str, dict[str, int]]
    seed: int
    weights: str | None  # digest of the network, None for tables
    data: dict[str, Any]
    interval: str  # what low and high are
    scored_weights: NotRequired[Weights]  # of a run
    groups: NotRequired[list[list[int]]]  # units that belong together, where they were given
    not_measured: NotRequired[dict[str, str]]  # protocol -> why it has no scores


COSTS = {
    "dci@1": 50.0,
    "dci-factors@1": 50.0,
    "dci-es@1": 40.0,
    "nk@1": 20.0,
    "infomec-range@1": 8.0,
    "infomec-iqr@1": 8.0,
    "infomec-values@1": 8.0,
    "sap@1": 4.0,
    "explicitness@1": 4.0,
    "unsupervised@1": 2.0,
    "factorvae@1": 0.5,
    "mig@1": 0.1,
}
"""Relative times of a repeat, for the time left; a protocol that is not here counts as 1."""


def evaluate_tables(
    units: TableLike,
    factors: TableLike,
    *,
    unreduced: TableLike | None = None,
    explained: Sequence[float] | None = None,
    factor_names: Sequence[str] | None = None,
    protocols: Iterable[str] | None = None,
    repeats: int = 3,
    seed: int = 0,
    preparation: Preparation = "raw",
    groups: Sequence[Sequence[int]] | None = None,
) -> Scores:
    """The scores of these codes under each protocol: value, low and high of every score.

    Codes [rows, units] and factors [rows, factors] are arrays of any type, lists of rows, DataFrames or tensors; the
    values of each factor are numbered in rising order, words by the alphabet (`metrics.checks.as_codes`, `as_factors`).
    Protocols are those that suit the factors (`protocols.default_protocols`) unless named. Repeat r runs with seed + r;
    `value` is that of `seed` itself, which on a complete grid is the reference's for seed 0, `low` and `high` are the
    extremes of all. The interval is metric noise of these codes, not what another training run would give. `matrices`
    holds importances and mutual informations [unit][factor] of the first repeat, with `factor_names` (factor 0, ...
    unless given). `weights` is None and `data` describes the factors; whoever evaluates a run adds their digests.
    `unreduced` are the numbers of vector units before they were reduced to one each, `explained` the shares of variance
    that the reduction kept. `preparation` is what is done to the codes first (see `metrics.preparation`), with the
    means and deviations of all rows; where it is not "raw", `data` says so. `groups` are units that belong together,
    for `dci-factors@1`; a unit in none is a group of its own.

    `rows_used` says how many rows were drawn, and how: see `protocols`. A protocol that cannot be measured on these
    tables (a class too rare to be in both parts of a split, too few rows) has no scores and takes no other with it:
    `not_measured` says why. Raises LookupError for an unknown protocol, ValueError for tables that cannot be measured,
    and for those on which no protocol can.
    """
    selected = None if protocols is None else select_protocols(protocols)
    if factor_names is None and hasattr(factors, "columns"):  # of a DataFrame
        factor_names = [str(name) for name in factors.columns]
    units, factors = as_codes(units), as_factors(factors)
    check_tables(units, factors)
    check_scale(units)
    if unreduced is not None:
        unreduced = as_codes(unreduced)
        check_tables(unreduced, factors)
    units, unreduced = prepare(units, preparation), None if unreduced is None else prepare(unreduced, preparation)
    if selected is None:
        selected = select_protocols(default_protocols(factors))
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}.")
    labels = (
        [factor_names]
        if isinstance(factor_names, str)
        else list(factor_names or (f"factor {j}" for j in range(factors.shape[1])))
    )
    if len(labels) != factors.shape[1]:
        raise ValueError(f"there are {factors.shape[1]} factors and {len(labels)} names for them: {labels}.")
    evidence = Evidence(units, factors, units if unreduced is None else unreduced, groups)
    scores: dict[str, dict[str, ScoreOfRepeats]] = {}
    rows_used: dict[str, dict[str, int]] = {}
    matrices: dict[str, dict[str, list[list[float]]]] = {}
    measured, failed = _run_all(selected, evidence, range(seed, seed + repeats))
    for name, results in measured.items():
        common = [score for score in results[0].scores if all(score in result.scores for result in results)]
        scores[name] = {score: _interval([result.scores[score] for result in results]) for score in common}
        rows_used[name] = results[0].rows
        if results[0].matrices:
            matrices[name] = {kind: matrix.round(6).tolist() for kind, matrix in results[0].matrices.items()}
    shown: Any = NotebookScores({
        "protocols": scores,
        "matrices": matrices,
        "rows": len(units),
        "rows_used": rows_used,
        "seed": seed,
        "weights": None,
        "data": {
            "units": units.shape[1],
            "factor_names": labels,
            "factor_sizes": [len(np.unique(factor)) for factor in factors.T],
            "deviations": [float(f"{deviation:.4g}") for deviation in units.std(0)],
            **({} if preparation == "raw" else {"preparation": preparation}),
            **({} if explained is None else {"explained": [float(f"{share:.4g}") for share in explained]}),
        },
        "interval": f"minimum and maximum over {repeats} repeats of the metric's own seed: "
        "metric noise of one training run, not training noise",
        **({} if groups is None else {"groups": [list(map(int, group)) for group in groups]}),
        **({"not_measured": failed} if failed else {}),
    })  # fmt: skip
    return cast(Scores, shown)


def _run_all(
    protocols: Mapping[str, Protocol], evidence: Evidence, seeds: Iterable[int]
) -> tuple[dict[str, list[ProtocolResult]], dict[str, str]]:
    """The results of every protocol, one for each seed, and why others have none. Raises ValueError where all fail.

    How far it is goes by what protocols cost, not by their number. The first seed comes first for all of them, so that
    the rest is known by it.
    """
    work = [(seed, name) for seed in seeds for name in protocols]
    total, spent = sum(COSTS.get(name, 1.0) for _, name in work), 0.0
    results: dict[str, list[ProtocolResult]] = {name: [] for name in protocols}
    failed: dict[str, str] = {}
    with progress.task("scoring", 100, "%") as task:
        for seed, name in work:
            task.update(round(100 * spent / total, 1), name)
            spent += COSTS.get(name, 1.0)
            if name in failed:
                continue
            try:
                results[name].append(protocols[name].run(evidence, seed))
            except (ValueError, ArithmeticError) as error:
                failed[name] = str(error) or type(error).__name__
                if len(failed) == len(protocols):
                    others = f" Nor can {', '.join(other for other in failed if other != name)}." * (len(failed) > 1)
                    raise ValueError(f"{name} cannot be measured: {failed[name]}{others}") from error
    return {name: of_protocol for name, of_protocol in results.items() if name not in failed}, failed


def select_protocols(names: Iterable[str]) -> dict[str, Protocol]:
    """The protocols of these names, each once; a word is one name. Raises LookupError for one that is not there."""
    return {name: _protocol(name) for name in ([names] if isinstance(names, str) else names)}


def _protocol(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise LookupError(
            f"there is no protocol {name!r}.{nearest(name, PROTOCOLS)} There are: {', '.join(PROTOCOLS)}."
        )
    return PROTOCOLS[name]


def _interval(values: list[float]) -> ScoreOfRepeats:
    return {"value": values[0], "low": min(values), "high": max(values)}
