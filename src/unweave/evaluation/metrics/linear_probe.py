"""Linear probes with a validation split, per factor: what a linear model reads from frozen codes.

Three kinds of targets: classes (accuracy), attributes of yes and no (average precision), numbers (Pearson r and mean
squared error). The strength of the penalty is chosen on the validation rows, never on the test rows.
`probe_with_adam` is the protocol of DiTi's release (arXiv:2401.11430) instead, with its choice of the epoch.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score

from unweave.evaluation.metrics.checks import check_same_columns, check_tables
from unweave.types import UnitTable, check_finite

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""C of scikit-learn's logistic regression, large is free; for ridge regression rows · 0.001 / C."""

EPOCHS = 15

TargetKind = Literal["classes", "attributes", "numbers"]

SCORES = {"classes": ("accuracy",), "attributes": ("average_precision", "accuracy"), "numbers": ("r", "mse", "r2")}
"""Of each kind, by name; the first of classes and attributes is what a penalty, or an epoch, is chosen by."""


class ProbeTable(NamedTuple):
    """Codes and targets of the same rows; classes and attributes are whole numbers."""

    units: UnitTable
    targets: Float[np.ndarray, "rows targets"] | Int[np.ndarray, "rows targets"]


class ProbeSplit(NamedTuple):
    train: ProbeTable
    valid: ProbeTable  # for the choice of a penalty or an epoch
    test: ProbeTable


class ProbeScores(NamedTuple):
    """One number per target; NaN where it cannot be measured (a target that is constant in some part)."""

    scores: dict[str, list[float]]
    chance: dict[str, list[float]]  # of the scores that have one
    chosen: list[float]  # the penalty (C), or the epoch, of each target


def rows_per_class(
    part: ProbeTable, target: int, labels: int, random: np.random.RandomState
) -> Int[np.ndarray, "rows"]:
    """Up to `labels` random rows of each class of a target."""
    column = part.targets[:, target]
    return np.concatenate([random.permutation(np.flatnonzero(column == value))[:labels] for value in np.unique(column)])


def probe_classes(split: ProbeSplit, *, labels: int | None = None, seed: int = 0) -> ProbeScores:
    """Accuracy of multinomial logistic regression on the test rows; in [0, 1], higher is better.

    With `labels`, that many random training rows of each class, and as many validation rows of each (a fifth of it, one
    at least). `chance` is the share of the most frequent class of the test rows. Codes are standardised by the training
    rows. Raises ValueError where tables do not fit together.
    """
    return _probe_every_target(split, "classes", labels, seed)


def probe_attributes(split: ProbeSplit, *, labels: int | None = None, seed: int = 0) -> ProbeScores:
    """Average precision and accuracy of logistic regression for targets of 0 and 1; chance is the prevalence, and the
    share of the more frequent value.

    Otherwise as `probe_classes`. DiTi quotes the mean over the 40 attributes of CelebA, by the protocol of
    `probe_with_adam`. Raises ValueError for other targets than 0 and 1.
    """
    for part in split:
        if not np.isin(part.targets, (0, 1)).all():
            raise ValueError("attributes are 0 or 1: for factors of several classes, use the kind 'classes'.")
    return _probe_every_target(split, "attributes", labels, seed)


def probe_numbers(split: ProbeSplit) -> ProbeScores:
    """Pearson's r, in [-1, 1], and the mean squared error of ridge regression on the test rows; `chance` is 0.

    `r2` is 1 - MSE / variance of the test targets. Otherwise as `probe_classes`.
    """
    return _probe_every_target(split, "numbers", None, 0)


def _probe_every_target(split: ProbeSplit, kind: TargetKind, labels: int | None, seed: int) -> ProbeScores:
    _check_tables(split)
    scores: list[dict[str, float]] = []
    chosen = []
    random = np.random.RandomState(seed)
    for j in range(split.train.targets.shape[1]):
        train, valid = split.train, split.valid
        if labels is not None:
            train = _select(train, rows_per_class(train, j, labels, random))
            valid = _select(valid, rows_per_class(valid, j, max(1, labels // 5), random))
        columns = [part.targets[:, j] for part in (train, valid, split.test)]
        chosen.append(float("nan"))
        scores.append({})
        if all(np.ptp(column) for column in columns):
            codes = _standardised(train.units, valid.units, split.test.units)
            fits = [_fit(codes[0], columns[0], kind, c) for c in PENALTIES]
            best = int(np.argmax([_selection_score(fit(codes[1]), columns[1], kind) for fit in fits]))
            chosen[-1], scores[-1] = PENALTIES[best], _target_scores(fits[best](codes[2]), columns[2], kind)
    return ProbeScores(_by_name(scores, SCORES[kind]), _chance(split.test, kind), chosen)


def _by_name(by_target: Sequence[Mapping[str, float]], names: Iterable[str]) -> dict[str, list[float]]:
    """The scores of every target, NaN where it has none."""
    return {name: [scores.get(name, float("nan")) for scores in by_target] for name in names}


class _Predictions(NamedTuple):
    """What a fitted model predicts of rows: labels and scores, or numbers."""

    labels: np.ndarray
    values: np.ndarray


def _fit(x: np.ndarray, y: np.ndarray, kind: TargetKind, c: float) -> Callable[[np.ndarray], _Predictions]:
    if kind == "numbers":
        ridge = Ridge(alpha=len(x) * 0.001 / c).fit(x, y)
        return lambda z: _Predictions(ridge.predict(z), ridge.predict(z))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=300).fit(x, y)
    return lambda z: _Predictions(model.predict(z), model.decision_function(z))


def _selection_score(predictions: _Predictions, truth: np.ndarray, kind: TargetKind) -> float:
    """What the penalty is chosen by: the first score of the kind; for numbers the error."""
    scores = _target_scores(predictions, truth, kind)
    return -scores["mse"] if kind == "numbers" else next(iter(scores.values()))


def _target_scores(predictions: _Predictions, truth: np.ndarray, kind: TargetKind) -> dict[str, float]:
    if kind == "numbers":
        error = float(np.mean((predictions.values - truth) ** 2))
        is_constant = np.ptp(predictions.values) <= 1e-9 * np.abs(predictions.values).max()
        r = 0.0 if is_constant else float(np.corrcoef(predictions.values, truth)[0, 1])
        return {"r": r, "mse": error, "r2": 1 - error / float(np.var(truth))}
    accuracy = {"accuracy": float(np.mean(predictions.labels == truth))}
    if kind == "classes":
        return accuracy
    return {"average_precision": float(average_precision_score(truth, predictions.values)), **accuracy}


def _chance(test: ProbeTable, kind: TargetKind) -> dict[str, list[float]]:
    """What a probe that knows nothing of the codes reaches: the prevalence, the share of the most frequent class."""
    columns = test.targets.T
    frequent = [float(np.unique(column, return_counts=True)[1].max() / len(column)) for column in columns]
    chance = {
        "average_precision": [float(column.mean()) for column in columns],
        "accuracy": frequent,
        "r": [0.0] * len(columns),
    }
    return {name: values for name, values in chance.items() if name in SCORES[kind]}


def probe_with_adam(
    split: ProbeSplit,
    kind: Literal["attributes", "numbers"],
    *,
    select: Literal["valid", "test"] | None = None,
    seed: int = 0,
) -> ProbeScores:
    """One linear layer for all targets at once, by Adam, as DiTi's release trains it; the epoch is one for all targets.

    Learning rate 1e-3, 15 epochs, codes as they are. Attributes: binary cross-entropy, batches of 128 in the order of
    the rows (the release does not shuffle), the epoch of the best mean average precision on the validation rows.
    Numbers: squared error, shuffled batches of 64, and the release keeps the epoch that is best on the *test* rows,
    which flatters: that is `select` "test" (None is the release's choice of either kind). Images are not flipped, since
    codes are computed once. Initialised as torch does (uniform in ± 1 / sqrt(units)). By hand, since scikit-learn's
    linear models know no Adam, and its MLP no choice of the epoch by other rows.
    """
    _check_tables(split)
    if select is None:
        select = "valid" if kind == "attributes" else "test"
    random = np.random.RandomState(seed)
    x = split.train.units.astype(np.float64)
    y = split.train.targets.astype(np.float64)
    bound = 1 / np.sqrt(x.shape[1])
    weights = random.uniform(-bound, bound, (x.shape[1] + 1, y.shape[1]))  # the last row is the bias
    x = np.hstack([x, np.ones((len(x), 1))])
    first, second, step = np.zeros_like(weights), np.zeros_like(weights), 0
    size = 128 if kind == "attributes" else 64
    best_score, best_weights, best_epoch = -np.inf, weights, 0
    selection = split.valid if select == "valid" else split.test
    if not np.ptp(selection.targets, axis=0).any():
        where = "validation" if select == "valid" else "test"
        raise ValueError(
            f"every target is constant in the {where} rows, so they cannot choose an epoch: give more rows."
        )
    for epoch in range(1, EPOCHS + 1):
        order = np.arange(len(x)) if kind == "attributes" else random.permutation(len(x))
        for rows in np.split(order, range(size, len(x), size)):
            predictions = x[rows] @ weights
            error = (1 / (1 + np.exp(-predictions)) if kind == "attributes" else predictions) - y[rows]
            slope = x[rows].T @ error * ((1 if kind == "attributes" else 2) / error.size)
            step += 1
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            weights = weights - 1e-3 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        scores = _linear_scores(selection, weights, kind)
        score = float(np.nanmean(scores["average_precision" if kind == "attributes" else "r"]))
        if score > best_score:
            best_score, best_weights, best_epoch = score, weights, epoch
    scores = _linear_scores(split.test, best_weights, kind)
    return ProbeScores(scores, _chance(split.test, kind), [float(best_epoch)] * y.shape[1])


def _linear_scores(part: ProbeTable, weights: np.ndarray, kind: TargetKind) -> dict[str, list[float]]:
    """The scores of every target; NaN where it is constant in these rows."""
    predicted = part.units.astype(np.float64) @ weights[:-1] + weights[-1]
    by_target = [
        _target_scores(_Predictions((values > 0).astype(np.int64), values), truth, kind) if np.ptp(truth) else {}
        for values, truth in zip(predicted.T, part.targets.T)
    ]
    return _by_name(by_target, SCORES[kind])


def _select(part: ProbeTable, rows: Int[np.ndarray, "rows"]) -> ProbeTable:
    return ProbeTable(part.units[rows], part.targets[rows])


def _standardised(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """All tables with the training mean 0 and standard deviation 1; a unit that is constant there becomes 0."""
    x = train.astype(np.float64)
    deviation = np.where(np.ptp(x, axis=0) > 0, x.std(0), np.inf)
    return [(table.astype(np.float64) - x.mean(0)) / deviation for table in (train, *others)]


def _check_tables(split: ProbeSplit) -> None:
    for part in split:
        check_tables(part.units, np.zeros(part.targets.shape, np.int64))  # targets may be negative
        check_finite(part.targets, "targets")
    check_same_columns(split.train, split.valid)
    check_same_columns(split.train, split.test)
