"""Every metric with every constant fixed: sample sizes, bins, classifier, draws. Needs no run and no torch.

A protocol's id is frozen; another constant is another id, so two numbers under one id are comparable. On a complete
grid of factors the rows are those that disentanglement_lib draws: mini-batches of 16 from RandomState(seed), test rows
after training rows, all with replacement. On any other table rows are drawn without replacement, training and test
rows are different ones, and a table with too few gives what it has, split in the same proportion: no row counts twice.
The voting scores (FactorVAE, BetaVAE) need many rows that share a value and draw with replacement everywhere.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.evaluation import metrics
from unweave.evaluation.metrics.row_sampling import Tables, rows_to_score, rows_to_train_and_test
from unweave.types import FactorTable, UnitTable, WideTable

Matrix = Float[np.ndarray, "units factors"]


class Evidence(NamedTuple):
    """What is scored: codes and factors of the same rows."""

    units: UnitTable  # one number per unit
    factors: FactorTable
    unreduced: WideTable  # every number of every unit; the same table where units are numbers
    groups: Sequence[Sequence[int]] | None = None  # units that belong together; None where that is not known


class ProtocolResult(NamedTuple):
    scores: dict[str, float]
    rows: dict[str, int]  # the sizes that were in fact used
    matrices: dict[str, Matrix] = {}  # noqa: RUF012 - of a tuple, never written to


class Protocol(NamedTuple):
    run: Callable[[Evidence, int], ProtocolResult]  # (evidence, seed)
    about: str
    sizes: dict[str, int]
    means: dict[str, str]  # what each score says, with its range and direction


def default_protocols(factors: FactorTable) -> tuple[str, ...]:
    """The protocols that suit these factors: `DEFAULT`, and those of attributes where every factor is yes or no."""
    return DEFAULT + (ATTRIBUTES if factors.max(initial=0) <= 1 else ())


def _common_rows(evidence: Evidence, count: int, seed: int) -> Tables:
    """`count` rows for a metric that has no training."""
    units, factors = evidence.units, evidence.factors
    drawn = rows_to_score(factors, count, np.random.RandomState(seed))
    return Tables(units[drawn], factors[drawn])


def _separate_rows(units: WideTable, factors: FactorTable, train: int, test: int, seed: int) -> tuple[Tables, Tables]:
    first, second = rows_to_train_and_test(factors, train, test, np.random.RandomState(seed))
    return Tables(units[first], factors[first]), Tables(units[second], factors[second])


def _on_rows(
    metric: Callable[[UnitTable, FactorTable], dict[str, float]], count: int = 10_000
) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        drawn = _common_rows(evidence, count, seed)
        return ProtocolResult(metric(*drawn), {"rows": len(drawn.units)})

    return run


def _on_seeded_rows(
    metric: Callable[[UnitTable, FactorTable, int], dict[str, float]], count: int = 10_000
) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        drawn = _common_rows(evidence, count, seed)
        return ProtocolResult(metric(*drawn, seed), {"rows": len(drawn.units)})

    return run


def _on_split(
    metric: Callable[[Tables, Tables, int], dict[str, float]], train: int = 10_000, test: int = 5_000
) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        parts = _separate_rows(evidence.units, evidence.factors, train, test, seed)
        return ProtocolResult(metric(*parts, seed), _sizes(parts))

    return run


def _sizes(parts: tuple[Tables, Tables]) -> dict[str, int]:
    return {"train": len(parts[0].units), "test": len(parts[1].units)}


def _mig(evidence: Evidence, seed: int) -> ProtocolResult:
    drawn = _common_rows(evidence, 10_000, seed)
    binned = metrics.information.discretise(drawn.units)
    information = metrics.information.mutual_information(binned, drawn.factors)
    return ProtocolResult(
        metrics.mig.mig_from_information(information, drawn.factors),
        {"rows": len(drawn.units)},
        {"information": information},
    )


def _dci(train: int, test: int) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        parts = _separate_rows(evidence.units, evidence.factors, train, test, seed)
        predicted = metrics.dci.predict_factors(*parts, seed=seed)
        return ProtocolResult(metrics.dci.dci_scores(predicted), _sizes(parts), {"importance": predicted.importance})

    return run


def _dci_of_groups(evidence: Evidence, seed: int) -> ProtocolResult:
    if evidence.groups is None:
        raise ValueError("which units belong together is not known: give groups, or score a run that can draw.")
    parts = _separate_rows(evidence.units, evidence.factors, 10_000, 5_000, seed)
    predicted = metrics.dci.predict_factors(*parts, seed=seed)
    return ProtocolResult(metrics.dci.dci_of_groups(predicted, evidence.groups, seed), _sizes(parts))


def _med(units: Callable[[Evidence], WideTable]) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        train, test = _separate_rows(units(evidence), evidence.factors, 10_000, 10_000, seed)
        scores = metrics.med.med_and_top(metrics.med.information_share(*train))
        return ProtocolResult(scores | metrics.med.informativeness(train, test), _sizes((train, test)))

    return run


def _med_null(units: Callable[[Evidence], WideTable]) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        train, _ = _separate_rows(units(evidence), evidence.factors, 10_000, 10_000, seed)  # those of MED
        return ProtocolResult(
            metrics.med.med_of_rotations(*train, np.random.RandomState(seed)), {"rows": len(train.units)}
        )

    return run


def _voting(
    metric: Callable[[UnitTable, FactorTable, np.random.RandomState], dict[str, float]], sizes: dict[str, int]
) -> Callable[[Evidence, int], ProtocolResult]:
    def run(evidence: Evidence, seed: int) -> ProtocolResult:
        return ProtocolResult(metric(evidence.units, evidence.factors, np.random.RandomState(seed)), dict(sizes))

    return run


def _unsupervised(evidence: Evidence, seed: int) -> ProtocolResult:
    drawn = _common_rows(evidence, 10_000, seed)
    scores = metrics.unsupervised.unsupervised(drawn.units)
    return ProtocolResult(
        {name: score for name, score in scores.items() if np.isfinite(score)}, {"rows": len(drawn.units)}
    )


_VOTES = {"rows": 10_000, "train": 10_000, "test": 5_000, "batch": 64}
_POINTS = {"train": 10_000, "test": 5_000, "batch": 64}
_SPLIT = {"train": 10_000, "test": 5_000}
_ROWS = {"rows": 10_000}
_HIGHER = "0 to 1, higher is better"
_ACCURACY = f"{_HIGHER}, chance is 1 / factors"
_DCI = {
    "disentanglement": f"{_HIGHER}: each unit speaks of one factor",
    "completeness": f"{_HIGHER}: one unit suffices for a factor",
    "informativeness": f"{_HIGHER}: accuracy on rows the classifiers have not seen",
    "informativeness_train": "0 to 1: accuracy on the training rows",
}
_DCI_OF_GROUPS = {
    **{name: meaning.replace("unit", "group") for name, meaning in _DCI.items() if name != "informativeness_train"},
    **{
        f"{prefix}_{name}": f"0 to 1: {partition}"
        for prefix, partition in (
            ("random", "mean over 20 random partitions of the same sizes"),
            ("labels", "each unit with the factor for which it is most important"),
            ("units", "of single units, as dci@1"),
        )
        for name in ("disentanglement", "completeness")
    },
    "groups": "how many there are",
}
_MED = {
    **_DCI,
    **{
        f"top{k}_{name}": f"{_HIGHER}: of the {k} best unit{'s' * (k > 1)} of each factor"
        for k in (1, 2)
        for name in ("disentanglement", "completeness")
    },
}
_MED_NULL = {
    name: meaning
    for score in ("disentanglement", "completeness")
    for key in (score, f"top1_{score}", f"top2_{score}")
    for name, meaning in (
        (key, "0 to 1: the score if axes meant nothing"),
        (f"{key}_spread", "standard deviation over rotations"),
    )
}
_INFOMEC = {
    "infom": f"{_HIGHER}: each active unit informs of one factor",
    "infoc": f"{_HIGHER}: one active unit informs of a factor",
    "infoe": "at most 1: log loss that a linear probe takes away, on the rows it is fitted to; beside infoe_null",
    "infoe_null": "the same with codes of other rows",
    "active_units": "units that count in infom and infoc",
}
_TAD = {
    "tad": "0 or more, higher is better: gap between the two best units, summed over captured attributes",
    "captured": "attributes that one unit detects and no other attribute explains",
}

PROTOCOLS = MappingProxyType({
    "mig@1": Protocol(
        _mig,
        "mutual information gap: 10,000 rows, 20 bins of equal width",
        _ROWS,
        {"mig": f"{_HIGHER}: each factor has one unit of its own"},
    ),
    "dci-mig@1": Protocol(
        _on_rows(lambda units, factors: metrics.dci_mig.dci_mig(units, factors)),
        "DCI-MIG (3CharM): gap between factors, of the best unit of each; 10,000 rows, 20 bins",
        _ROWS,
        {"dci_mig": f"{_HIGHER}: each factor has a unit that informs of no other"},
    ),
    "factorvae@1": Protocol(
        _voting(lambda units, factors, random: metrics.factorvae_score.factorvae_score(units, factors, random), _VOTES),
        "FactorVAE score: 10,000 + 5,000 votes of 64 rows; variances over 10,000 rows; threshold 0.05",
        _VOTES,
        {
            "eval_accuracy": f"{_ACCURACY}: the score",
            "train_accuracy": _ACCURACY,
            "active_units": "units with a standard deviation of 0.05 or more",
        },
    ),
    "betavae@1": Protocol(
        _voting(lambda units, factors, random: metrics.betavae_score.betavae_score(units, factors, random), _POINTS),
        "BetaVAE score: 10,000 + 5,000 points of 64 pairs, logistic regression",
        _POINTS,
        {"eval_accuracy": f"{_ACCURACY}: the score", "train_accuracy": _ACCURACY},
    ),
    "dci@1": Protocol(
        _dci(10_000, 5_000),
        "DCI: gradient boosting on 10,000 rows, tested on 5,000",
        _SPLIT,
        _DCI,
    ),
    "sap@1": Protocol(
        _on_split(lambda train, test, seed: metrics.sap.sap(train, test, seed=seed)),
        "SAP, categorical: linear support vector machine on one unit; 10,000 + 5,000 rows",
        _SPLIT,
        {"sap": f"{_HIGHER}: each factor has one unit that predicts it best"},
    ),
    "modularity@1": Protocol(
        _on_rows(lambda units, factors: metrics.modularity.modularity(units, factors)),
        "modularity: 10,000 rows, 20 bins",
        _ROWS,
        {"modularity": f"{_HIGHER}: each unit informs of one factor only"},
    ),
    "explicitness@1": Protocol(
        _on_split(lambda train, test, seed: metrics.explicitness.explicitness(train, test)),
        "explicitness: ROC area of logistic regression on all units; 10,000 + 5,000 rows",
        _SPLIT,
        {"explicitness": "0 to 1, chance is 0.5", "explicitness_train": "the same on the training rows"},
    ),
    "irs@1": Protocol(
        _on_rows(lambda units, factors: metrics.irs.irs_of_classes(units, factors)),
        "IRS: 10,000 rows, 99th percentile",
        _ROWS,
        {"irs": "at most 1, higher is better: units stay while other factors change", "active_units": "varying units"},
    ),
    "med@1": Protocol(
        _med(lambda evidence: evidence.units),
        "MED and top-k MED: 10,000 rows, 20 bins; informativeness by logistic regression on 10,000 others",
        {"train": 10_000, "test": 10_000},
        _MED,
    ),
    "med-null@1": Protocol(
        _med_null(lambda evidence: evidence.units),
        "the null of med@1: of the standardised code turned at random, mean and spread of 5 rotations; the same rows",
        _ROWS,
        _MED_NULL,
    ),
    "unsupervised@1": Protocol(
        _unsupervised,
        "dependence between units, without factors: 10,000 rows",
        _ROWS,
        {
            "gaussian_total_correlation": "nats, 0 or more, 0 is independent; absent where infinite",
            "gaussian_wasserstein_correlation": "0 or more, 0 is independent",
            "gaussian_wasserstein_correlation_normalised": "0 to 2, 0 is independent",
            "mutual_information": "nats, 0 or more: mean over pairs of units",
        },
    ),
    "dci-2k@1": Protocol(
        _dci(2_000, 1_000),
        "DCI: gradient boosting on 2,000 rows, tested on 1,000",
        {"train": 2_000, "test": 1_000},
        _DCI,
    ),
    "dci-factors@1": Protocol(
        _dci_of_groups,
        "dci@1 of the factors that are found without labels: importances added up over the units of each",
        _SPLIT,
        _DCI_OF_GROUPS,
    ),
    "med-unreduced@1": Protocol(
        _med(lambda evidence: evidence.unreduced),
        "med@1 on every number of every unit, where units are vectors",
        {"train": 10_000, "test": 10_000},
        _MED,
    ),
    "med-null-unreduced@1": Protocol(
        _med_null(lambda evidence: evidence.unreduced),
        "the null of med-unreduced@1, as med-null@1",
        _ROWS,
        _MED_NULL,
    ),
    "sap-continuous@1": Protocol(
        _on_rows(lambda units, factors: metrics.sap.sap_of_classes(units, factors)),
        "SAP for ordered factors: squared correlations; 10,000 rows",
        _ROWS,
        {"sap": f"{_HIGHER}: each factor has one unit that follows it best"},
    ),
    "mcc@1": Protocol(
        _on_rows(lambda units, factors: metrics.mcc.mcc(units, factors)),
        "mean correlation coefficient, Pearson; for ordered factors; 10,000 rows",
        _ROWS,
        {"mcc": f"{_HIGHER}: each factor is followed by a unit of its own"},
    ),
    "mcc-rotation@1": Protocol(
        _on_seeded_rows(lambda units, factors, seed: metrics.mcc.mcc_rotated(units, factors, seed=seed)),
        "MCC, and the mean over 1,000 random rotations of the same code; for ordered factors; 10,000 rows",
        _ROWS,
        {
            "mcc": f"{_HIGHER}: as mcc@1",
            "rotated": "0 to 1: the null, which is high where units are few",
            "excess": "at most 1, higher is better, 0 is chance: (mcc - rotated) / (1 - rotated)",
        },
    ),
    "mcc-spearman@1": Protocol(
        _on_rows(lambda units, factors: metrics.mcc.mcc_spearman(units, factors)),
        "mean correlation coefficient, Spearman; for ordered factors; 10,000 rows",
        _ROWS,
        {"mcc": f"{_HIGHER}: each factor is followed by a unit of its own"},
    ),
    "infomec-range@1": Protocol(
        _on_seeded_rows(
            lambda units, factors, seed: metrics.infomec.infomec(
                units, factors, metrics.infomec.prune_by_range, seed=seed
            )
        ),
        "InfoMEC (QLAE): 10,000 rows, 10 neighbours; units of a twentieth of the widest range count",
        _ROWS,
        _INFOMEC,
    ),
    "infomec-iqr@1": Protocol(
        _on_seeded_rows(
            lambda units, factors, seed: metrics.infomec.infomec(
                units, factors, metrics.infomec.prune_by_quartiles, seed=seed
            )
        ),
        "InfoMEC (Tripod): the same; units of a tenth of the widest interquartile range count",
        _ROWS,
        _INFOMEC,
    ),
    "infomec-values@1": Protocol(
        _on_seeded_rows(lambda units, factors, seed: metrics.infomec.infomec_of_values(units, factors, seed=seed)),
        "InfoMEC of units that take few values (QLAE): counts instead of neighbours; 10,000 rows",
        _ROWS,
        _INFOMEC,
    ),
    "snc@1": Protocol(
        _on_split(lambda train, test, seed: metrics.snc.snc(train, test)),
        "single-neuron classification: one unit a factor, cut into as many bins as classes; 10,000 + 5,000 rows",
        _SPLIT,
        {
            "snc": f"{_HIGHER}: accuracy of the one unit of each factor, on rows it was not cut on",
            "snc_train": "the same on the training rows",
            "chance": "what codes that know nothing have",
        },
    ),
    "nk@1": Protocol(
        _on_split(lambda train, test, seed: metrics.neuron_knockout.neuron_knockout(train, test, seed=seed)),
        "neuron knockout: accuracy of a network with and without the unit of each factor; 10,000 + 5,000 rows",
        _SPLIT,
        {
            "nk": "-1 to 1, higher is better, 0 for codes that know nothing: what taking the unit away costs",
            "accuracy": "of all units",
            "accuracy_without": "without the unit of the factor",
        },
    ),
    "dci-es@1": Protocol(
        _on_split(lambda train, test, seed: metrics.dci_es.dci_es(train, test, seed=seed)),
        "explicitness of DCI-ES: random forests of 100 trees, of depth 1 to 32; 10,000 + 5,000 rows",
        _SPLIT,
        {
            "explicitness": "at most 1, higher is better, 1 for codes that know nothing: read it with informativeness",
            "informativeness": f"{_HIGHER}: accuracy of the best depth",
            "size": "units per factor",
        },
    ),
    "tad@1": Protocol(
        _on_rows(lambda units, factors: metrics.tad.tad_folds(units, factors)),
        "TAD and captured attributes, as InfoDiffusion: exact areas, 5 folds of 10,000 rows; yes-or-no factors",
        _ROWS,
        {**_TAD, "tad_std": "spread over the folds", "captured_std": "spread over the folds"},
    ),
    "tad-grid-101@1": Protocol(
        _on_rows(lambda units, factors: metrics.tad.tad_grid(units, factors, levels=101), 1_000),
        "TAD as NashAE, on 1,000 rows: 101 thresholds, codes scaled to 0 .. 1; yes-or-no factors",
        {"rows": 1_000},
        _TAD,
    ),
    "tad-grid-11@1": Protocol(
        _on_rows(lambda units, factors: metrics.tad.tad_grid(units, factors, levels=11), 1_000),
        "TAD as DisDiff and EncDiff, on 1,000 rows: 11 thresholds, which flatters; yes-or-no factors",
        {"rows": 1_000},
        _TAD,
    ),
    "probe-ap@1": Protocol(
        _on_split(lambda train, test, seed: metrics.average_precision.average_precision(train, test)),
        "mean average precision of linear probes, as DiTi's; 10,000 + 5,000 rows; yes-or-no factors",
        _SPLIT,
        {
            "mean_average_precision": "chance to 1, higher is better",
            "chance": "the mean prevalence",
            "attributes": "attributes that both parts of the split have both ways",
            "attributes_left_out": "the others",
        },
    ),
})  # fmt: skip

DEFAULT = (
    "mig@1", "dci-mig@1", "factorvae@1", "betavae@1", "dci@1", "sap@1", "modularity@1", "explicitness@1", "irs@1",
    "med@1", "med-null@1", "unsupervised@1",
)  # fmt: skip
ATTRIBUTES = ("tad@1", "probe-ap@1")
GROUPED = ("dci-factors@1",)
"""Protocols of units that belong together: of a run, its factors, found without labels."""
NULLS = MappingProxyType({"med@1": "med-null@1", "med-unreduced@1": "med-null-unreduced@1"})
"""What a protocol gives for codes whose axes mean nothing: the same scores, and the `_spread` of each."""

OTHERS = MappingProxyType({
    "udr-lasso@1": "agreement of three or more runs by Lasso, 10,000 rows: `evaluate RUN RUN RUN`",
    "udr-spearman@1": "the same by rank correlation",
    "model-centrality@1": "how well runs tell which unit another holds fixed, 200 groups of 8: `compare RUN RUN RUN`",
    "jacobian-orthogonality@1": "whether units change pictures in directions of their own: `evaluate RUN --jacobian`",
    "swap-consistency@1": "share of a code's change that lands in the swapped unit, 128 pairs: `evaluate RUN --edits`",
    "edit-precision@1": "factors that swapped units change, 64 + 256 pairs, a probe of 5,000 images: the same command",
})  # fmt: skip
"""Protocols that need more than a table: several runs, or a model that draws."""
