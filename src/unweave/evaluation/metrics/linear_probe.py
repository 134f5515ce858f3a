"""Linear probes with a validation split, per factor: what a linear model reads from frozen codes.

Three kinds of targets: classes (accuracy), attributes of yes and no (average precision), numbers (Pearson r and mean
squared error). The strength of the penalty is chosen on the validation rows, never on the test rows. `adam` is the
protocol of DiTi's release (arXiv:2401.11430) instead, with its choice of the epoch.
"""

import typing
import warnings
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score

from unweave import types
from unweave.evaluation.metrics import checks
from unweave.types import UnitTable

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""C of scikit-learn's logistic regression, large is free; for ridge regression rows · 0.001 / C."""

EPOCHS = 15

Kind = Literal["classes", "attributes", "numbers"]


class Part(NamedTuple):
    """Codes and targets of the same rows; classes and attributes are whole numbers."""

    units: UnitTable
    targets: Float[np.ndarray, "rows targets"] | Int[np.ndarray, "rows targets"]


class Parts(NamedTuple):
    train: Part
    valid: Part  # for the choice of a penalty or an epoch
    test: Part


class Probed(NamedTuple):
    """One number per target; NaN where it cannot be measured (a target that is constant in some part)."""

    scores: dict[str, list[float]]
    chance: dict[str, list[float]]  # of the scores that have one
    chosen: list[float]  # the penalty (C), or the epoch, of each target


def few(part: Part, target: int, labels: int, random: np.random.RandomState) -> Int[np.ndarray, "rows"]:
    """Up to `labels` random rows of each class of a target."""
    column = part.targets[:, target]
    return np.concatenate([random.permutation(np.flatnonzero(column == value))[:labels] for value in np.unique(column)])


def classes(parts: Parts, *, labels: int | None = None, seed: int = 0) -> Probed:
    """Accuracy of multinomial logistic regression on the test rows; in [0, 1], higher is better.

    With `labels`, that many random training rows of each class, and as many validation rows of each (a fifth of it, one
    at least). `chance` is the share of the most frequent class of the test rows. Codes are standardised by the training
    rows. Raises ValueError where tables do not fit together.
    """
    return _each(parts, "classes", labels, seed)


def attributes(parts: Parts, *, labels: int | None = None, seed: int = 0) -> Probed:
    """Average precision and accuracy of logistic regression for targets of 0 and 1; chance is the prevalence, and the
    share of the more frequent value.

    Otherwise as `classes`. DiTi quotes the mean over the 40 attributes of CelebA, by the protocol of `adam`. Raises
    ValueError for other targets than 0 and 1.
    """
    for part in parts:
        if not np.isin(part.targets, (0, 1)).all():
            raise ValueError("attributes are 0 or 1: for factors of several classes, use the kind 'classes'.")
    return _each(parts, "attributes", labels, seed)


def numbers(parts: Parts) -> Probed:
    """Pearson's r, in [-1, 1], and the mean squared error of ridge regression on the test rows; `chance` is 0.

    `r2` is 1 - MSE / variance of the test targets. Otherwise as `classes`.
    """
    return _each(parts, "numbers", None, 0)


def _each(parts: Parts, kind: Kind, labels: int | None, seed: int) -> Probed:
    _check(parts)
    names = {"classes": ("accuracy",), "attributes": ("average_precision", "accuracy"), "numbers": ("r", "mse", "r2")}
    scores: dict[str, list[float]] = {name: [] for name in names[kind]}
    chance: dict[str, list[float]] = {}
    chosen = []
    random = np.random.RandomState(seed)
    for j in range(parts.train.targets.shape[1]):
        train, valid = parts.train, parts.valid
        if labels is not None:
            train, valid = (
                _rows(train, few(train, j, labels, random)),
                _rows(valid, few(valid, j, max(1, labels // 5), random)),
            )
        columns = [part.targets[:, j] for part in (train, valid, parts.test)]
        for name, value in _chance(columns[2], kind).items():
            chance.setdefault(name, []).append(value)
        if any(np.ptp(column) == 0 for column in columns):
            chosen.append(float("nan"))
            for values in scores.values():
                values.append(float("nan"))
            continue
        codes = _standardised(train.units, valid.units, parts.test.units)
        fits = [_fit(codes[0], columns[0], kind, c) for c in PENALTIES]
        best = int(np.argmax([_merit(fit(codes[1]), columns[1], kind) for fit in fits]))
        chosen.append(PENALTIES[best])
        for name, value in _scored(fits[best](codes[2]), columns[2], kind).items():
            scores[name].append(value)
    return Probed(scores, chance, chosen)


class _Said(NamedTuple):
    """What a fitted model says of rows: labels and scores, or numbers."""

    labels: np.ndarray
    values: np.ndarray


def _fit(x: np.ndarray, y: np.ndarray, kind: Kind, c: float) -> typing.Callable[[np.ndarray], _Said]:
    if kind == "numbers":
        ridge = Ridge(alpha=len(x) * 0.001 / c).fit(x, y)
        return lambda z: _Said(ridge.predict(z), ridge.predict(z))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=300).fit(x, y)
    return lambda z: _Said(model.predict(z), model.decision_function(z))


def _merit(said: _Said, truth: np.ndarray, kind: Kind) -> float:
    """What the penalty is chosen by: the first score of the kind; for numbers the error."""
    scores = _scored(said, truth, kind)
    return -scores["mse"] if kind == "numbers" else next(iter(scores.values()))


def _scored(said: _Said, truth: np.ndarray, kind: Kind) -> dict[str, float]:
    if kind == "numbers":
        error = float(np.mean((said.values - truth) ** 2))
        still = np.ptp(said.values) <= 1e-9 * np.abs(said.values).max()
        r = 0.0 if still else float(np.corrcoef(said.values, truth)[0, 1])
        return {"r": r, "mse": error, "r2": 1 - error / float(np.var(truth))}
    accuracy = {"accuracy": float(np.mean(said.labels == truth))}
    if kind == "classes":
        return accuracy
    return {"average_precision": float(average_precision_score(truth, said.values)), **accuracy}


def _chance(truth: np.ndarray, kind: Kind) -> dict[str, float]:
    """What a probe that knows nothing of the codes reaches."""
    if kind == "numbers":
        return {"r": 0.0}
    most = float(np.unique(truth, return_counts=True)[1].max() / len(truth))
    return {"average_precision": float(truth.mean()), "accuracy": most} if kind == "attributes" else {"accuracy": most}


def adam(
    parts: Parts,
    kind: Literal["attributes", "numbers"],
    *,
    select: Literal["valid", "test"] | None = None,
    seed: int = 0,
) -> Probed:
    """One linear layer for all targets at once, by Adam, as DiTi's release trains it; the epoch is one for all targets.

    Learning rate 1e-3, 15 epochs, codes as they are. Attributes: binary cross-entropy, batches of 128 in the order of
    the rows (the release does not shuffle), the epoch of the best mean average precision on the validation rows.
    Numbers: squared error, shuffled batches of 64, and the release keeps the epoch that is best on the *test* rows,
    which flatters: that is `select` "test" (None is the release's choice of either kind). Images are not flipped, since
    codes are computed once. Initialised as torch does (uniform in ± 1 / sqrt(units)).
    """
    _check(parts)
    if select is None:
        select = "valid" if kind == "attributes" else "test"
    random = np.random.RandomState(seed)
    x = parts.train.units.astype(np.float64)
    y = parts.train.targets.astype(np.float64)
    bound = 1 / np.sqrt(x.shape[1])
    weights = random.uniform(-bound, bound, (x.shape[1] + 1, y.shape[1]))  # the last row is the bias
    x = np.hstack([x, np.ones((len(x), 1))])
    first, second, step = np.zeros_like(weights), np.zeros_like(weights), 0
    size = 128 if kind == "attributes" else 64
    best, kept = -np.inf, (weights, 0)
    judged = parts.valid if select == "valid" else parts.test
    if not np.ptp(judged.targets, axis=0).any():
        where = "validation" if select == "valid" else "test"
        raise ValueError(
            f"every target is constant in the {where} rows, so they cannot choose an epoch: give more rows."
        )
    for epoch in range(1, EPOCHS + 1):
        order = np.arange(len(x)) if kind == "attributes" else random.permutation(len(x))
        for rows in np.split(order, range(size, len(x), size)):
            said = x[rows] @ weights
            error = (1 / (1 + np.exp(-said)) if kind == "attributes" else said) - y[rows]
            slope = x[rows].T @ error * ((1 if kind == "attributes" else 2) / error.size)
            step += 1
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            weights = weights - 1e-3 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        merit = np.nanmean(_columns(judged, weights, kind)["average_precision" if kind == "attributes" else "r"])
        if merit > best:
            best, kept = float(merit), (weights, epoch)
    each = [_chance(column, kind) for column in parts.test.targets.T]
    chance = {name: [one[name] for one in each] for name in each[0]}
    return Probed(_columns(parts.test, kept[0], kind), chance, [float(kept[1])] * y.shape[1])


def _columns(part: Part, weights: np.ndarray, kind: Kind) -> dict[str, list[float]]:
    """The scores of every target; NaN where it is constant in these rows."""
    said = part.units.astype(np.float64) @ weights[:-1] + weights[-1]
    found: dict[str, list[float]] = {}
    for values, truth in zip(said.T, part.targets.T):
        scores = _scored(_Said((values > 0).astype(np.int64), values), truth, kind) if np.ptp(truth) else None
        for name in ("average_precision", "accuracy") if kind == "attributes" else ("r", "mse", "r2"):
            found.setdefault(name, []).append(float("nan") if scores is None else scores[name])
    return found


def _rows(part: Part, rows: Int[np.ndarray, "rows"]) -> Part:
    return Part(part.units[rows], part.targets[rows])


def _standardised(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """All tables with the training mean 0 and standard deviation 1; a unit that is constant there becomes 0."""
    x = train.astype(np.float64)
    deviation = np.where(np.ptp(x, axis=0) > 0, x.std(0), np.inf)
    return [(table.astype(np.float64) - x.mean(0)) / deviation for table in (train, *others)]


def _check(parts: Parts) -> None:
    for part in parts:
        checks.tables(part.units, np.zeros(part.targets.shape, np.int64))  # targets may be negative
        types.check_finite(part.targets, "targets")
    checks.same_columns(parts.train, parts.valid)
    checks.same_columns(parts.train, parts.test)
