"""Gradient-boosted trees for DCI: the algorithm of scikit-learn's GradientBoostingClassifier at its defaults, faster.

Friedman, "Greedy function approximation: a gradient boosting machine", 2001. 100 rounds; in each, one tree of depth 3
per class (one for two classes) is fitted to the gradient of the deviance with exact splits by squared error, its leaves
take one Newton step, and 0.1 of it is added. What scikit-learn sorts anew in every node is sorted here once: a level of
a tree is one pass over each feature's order, and the first level is one pass for all classes at once.
"""

import itertools
import typing
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from jaxtyping import Float, Int

from unweave.files import compiled

ROUNDS = 100
LEARNING_RATE = 0.1
TIE_TOLERANCE = 1e-12  # gains that differ by less, relatively, differ by rounding: a tie


class BoostingResult(typing.NamedTuple):
    """How much each feature served the classifier, and the classes that it predicts."""

    importance: Float[np.ndarray, "features"]  # adds up to 1; zeros where no tree has a split
    train: Int[np.ndarray, "rows"]
    test: Int[np.ndarray, "test"]


def fit_boosted_trees(
    features: Float[np.ndarray, "rows features"],
    classes: Int[np.ndarray, "rows"],
    test_features: Float[np.ndarray, "test features"],
    *,
    seed: int = 0,
    n_jobs: int | None = None,
) -> BoostingResult:
    """Fit the classes 0 .. K - 1 of the rows, K of 2 or more, and predict them and those of the test rows.

    Importances are decreases of squared error, added over all trees and divided by their sum. Features that split a
    node equally well are taken in a random order of that node, named by `seed`, as in scikit-learn; the two draw other
    numbers, so they agree as two seeds of scikit-learn do. Numbers are compared in float32, and values that lie within
    1e-7 are one value, as there. The classes of a round are shared out to `n_jobs` threads (default: one per core),
    which does not change the result.
    """
    X = np.ascontiguousarray(features.T, np.float32)  # (feature, row)
    order = np.argsort(X, axis=1, kind="stable").astype(np.uint32)
    ranked = np.take_along_axis(X, order, axis=1)
    test_columns = np.ascontiguousarray(test_features.T, np.float32)
    n_classes = int(classes.max()) + 1
    trees = n_classes if n_classes > 2 else 1  # in each round
    target = (classes == np.arange(n_classes)[-trees:, None]).astype(np.float64)  # (class, row)
    share = target.mean(1, keepdims=True)
    start = np.log(share) if trees > 1 else np.log(share / (1 - share))
    raw, raw_test = start.repeat(X.shape[1], axis=1), start.repeat(test_columns.shape[1], axis=1)
    importance = np.zeros((trees, len(X)))
    step = LEARNING_RATE * ((n_classes - 1) / n_classes if trees > 1 else 1)
    inverse = 1 / np.arange(X.shape[1] + 1).clip(1)
    workers = min(n_jobs or joblib.cpu_count(), trees)
    bounds = np.linspace(0, trees, workers + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        for round_number in range(ROUNDS):
            chance = _softmax(raw) if trees > 1 else 1 / (1 + np.exp(-raw))
            residual = target - chance
            jobs = [
                pool.submit(
                    _grow, X, order, ranked, inverse, test_columns, residual, chance, raw, raw_test, importance,
                    low, high, step, seed * ROUNDS + round_number,
                )
                for low, high in itertools.pairwise(bounds)
            ]  # fmt: skip
            for job in jobs:
                job.result()
    total = importance.sum(0)
    return BoostingResult(total / total.sum() if total.any() else total, _decide(raw), _decide(raw_test))


def _softmax(raw: Float[np.ndarray, "classes rows"]) -> Float[np.ndarray, "classes rows"]:
    powers = np.exp(raw - raw.max(0))
    return powers / powers.sum(0)


def _decide(raw: Float[np.ndarray, "classes rows"]) -> Int[np.ndarray, "rows"]:
    return raw.argmax(0) if len(raw) > 1 else (raw[0] >= 0).astype(np.int64)


@compiled(nogil=True, error_model="numpy")
@typing.no_type_check
def _grow(X, order, ranked, inverse, test_columns, residual, chance, raw, raw_test, importance, low, high, step, salt):  # type: ignore
    """One tree for each of the classes low .. high - 1: adds to their predictions and importances.

    Nodes are numbered 1 .. 15, the children of n are 2 n and 2 n + 1; 8 .. 15 are never split.
    """
    features, rows = X.shape
    gains, splits, cuts = _roots(order, ranked, inverse, residual[low:high], low, salt)
    node = np.empty(rows, np.uint8)
    size, total, squares = np.empty(16, np.uint64), np.empty(16), np.empty(16)
    feature, threshold = np.empty(16, np.int64), np.empty(16, np.float32)
    best, tie, cut = np.empty(16), np.empty(16, np.uint64), np.empty(16, np.uint64)
    seen, left, last = np.empty(16, np.uint64), np.empty(16), np.empty(16, np.float32)
    gain, best_position, one = np.empty(16), np.empty(16, np.uint64), np.uint64(1)
    curvature, value = np.empty(16), np.empty(16)
    for k in range(low, high):
        r, p = residual[k], chance[k]
        node[:] = 1
        feature[:] = -1
        size[:], total[:], squares[:] = 0, 0, 0
        size[1], total[1], squares[1] = rows, r.sum(), (r * r).sum()
        best[:] = -np.inf
        best[1], feature[1], cut[1] = gains[k - low], splits[k - low], cuts[k - low]
        for level in range(3):
            first = 1 << level
            if level:
                for f in range(features):
                    _scan(order[f], ranked[f], inverse, node, r, total, size, left, seen, last, gain, best_position)
                    for n in range(first, 2 * first):
                        if gain[n] > -np.inf and gain[n] >= best[n] * (1 - TIE_TOLERANCE):
                            rank = _rank(salt, k, n, f)
                            if gain[n] > best[n] * (1 + TIE_TOLERANCE) or rank < tie[n]:
                                best[n], tie[n], feature[n], cut[n] = gain[n], rank, f, best_position[n]
            for n in range(first, 2 * first):
                if best[n] == -np.inf or squares[n] / size[n] - (total[n] / size[n]) ** 2 <= 2.220446049250313e-16:
                    feature[n] = -1
                    continue
                threshold[n] = _middle(order[feature[n]], ranked[feature[n]], node, cut[n])
                importance[k, feature[n]] += max(best[n] - total[n] ** 2 / size[n], 0.0) / rows
            for i in range(rows):
                n = node[i]
                if n >= first and feature[n] >= 0:
                    n = 2 * n + (X[feature[n], i] > threshold[n])
                    node[i] = n
                    size[n] += one
                    total[n] += r[i]
                    squares[n] += r[i] * r[i]
        curvature[:] = 0
        for i in range(rows):
            curvature[node[i]] += p[i] * (1 - p[i])
        for n in range(1, 16):
            value[n] = step * total[n] / curvature[n] if curvature[n] > 1e-150 else 0.0
        for i in range(rows):
            raw[k, i] += value[node[i]]
        for i in range(test_columns.shape[1]):
            n = 1
            while feature[n] >= 0:
                n = 2 * n + (test_columns[feature[n], i] > threshold[n])
            raw_test[k, i] += value[n]


@compiled(nogil=True, error_model="numpy")
@typing.no_type_check
def _roots(order, ranked, inverse, residual, low, salt):  # type: ignore
    """The best split of all rows for each class: its gain, its feature, its position in the feature's order."""
    features, rows = order.shape
    classes = len(residual)
    tiny = np.float32(1e-7)
    part = np.ascontiguousarray(residual.T)
    total = np.zeros(classes)
    for i in range(rows):
        total += part[i]
    best, feature, cut = np.full(classes, -np.inf), np.full(classes, -1), np.zeros(classes, np.uint64)
    tie = np.empty(classes, np.uint64)
    left, gain, best_position = np.empty(classes), np.empty(classes), np.empty(classes, np.int64)
    for f in range(features):
        left[:] = part[order[f, 0]]
        gain[:] = -np.inf
        best_position[:] = 0
        for position in range(1, rows):
            i = order[f, position]
            if ranked[f, position] > np.float32(ranked[f, position - 1] + tiny):
                below, above = inverse[position], inverse[rows - position]
                for k in range(classes):
                    a, b = left[k], total[k] - left[k]
                    g = a * a * below + b * b * above
                    better = g > gain[k]
                    gain[k] = g if better else gain[k]
                    best_position[k] = position if better else best_position[k]
            for k in range(classes):
                left[k] += part[i, k]
        for k in range(classes):
            if gain[k] > -np.inf and gain[k] >= best[k] * (1 - TIE_TOLERANCE):
                rank = _rank(salt, low + k, 1, f)
                if gain[k] > best[k] * (1 + TIE_TOLERANCE) or rank < tie[k]:
                    best[k], tie[k], feature[k], cut[k] = gain[k], rank, f, best_position[k]
    return best, feature, cut


@compiled(nogil=True, error_model="numpy")
@typing.no_type_check
def _scan(order, ranked, inverse, node, r, total, size, left, seen, last, gain, best_position):  # type: ignore
    """The best cut of every node along one feature: `gain`, and `best_position`, that of the first row above it.

    The gain is left^2 / rows left + right^2 / rows right, of sums of r: the squared error but for a constant. All
    indices are unsigned, which spares a test for negative ones in this innermost loop of all.
    """
    tiny = np.float32(1e-7)
    one = np.uint64(1)
    seen[:] = 0
    left[:] = 0
    gain[:] = -np.inf
    last[:] = np.inf  # no value lies above it: nothing can be cut off before the first row of a node
    for position in range(len(order)):
        i = order[position]
        x = ranked[position]
        n = node[i]
        a = left[n]
        if x > last[n]:
            b = total[n] - a
            g = a * a * inverse[seen[n]] + b * b * inverse[size[n] - seen[n]]
            if g > gain[n]:
                gain[n] = g
                best_position[n] = position
        left[n] = a + r[i]
        seen[n] += one
        last[n] = x + tiny


@compiled(nogil=True)
@typing.no_type_check
def _middle(order, ranked, node, cut):  # type: ignore
    """The threshold between the row at position `cut` and the one before it in its node, as scikit-learn rounds it."""
    above = np.int64(cut)
    below = above - 1
    while node[order[below]] != node[order[above]]:
        below -= 1
    middle = np.float32(ranked[below] / np.float32(2) + ranked[above] / np.float32(2))
    return ranked[below] if middle == ranked[above] else middle


@compiled(nogil=True)
@typing.no_type_check
def _rank(salt, k, node, feature):  # type: ignore
    """A number that is as good as random for every tree, node and feature (the finaliser of splitmix64)."""
    z = np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(k) * np.uint64(0xD1342543DE82EF95)
    z += np.uint64(node) * np.uint64(0xA0761D6478BD642F) + np.uint64(feature) * np.uint64(0xE7037ED1A0B428DB)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
