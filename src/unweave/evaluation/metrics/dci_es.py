"""Explicitness and size of DCI-ES: how large a classifier does a code need?"""

import joblib
import numpy as np
from jaxtyping import Float, Int
from sklearn.ensemble import RandomForestClassifier

from unweave.evaluation.metrics.checks import as_split, varying_factors
from unweave.evaluation.metrics.row_sampling import Tables

DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)
TREES = 100


def dci_es(
    train: Tables, test: Tables, *, seed: int = 0, trees: int = TREES, n_jobs: int | None = None
) -> dict[str, float]:
    """Explicitness beside the informativeness without which it says nothing, and the size of the code.

    Parameters
    ----------
    train
        Codes and factors of the rows that forests learn from.
    test
        Codes and factors of the rows that they are tested on.
    seed
        Of the forests.
    trees
        Trees of each forest.
    n_jobs
        Threads; one for each core if None.

    Returns
    -------
    dict of str to float
        `explicitness`, at most 1, higher is better; `informativeness` in [0, 1], the accuracy of the best depth;
        `size`, units per factor, 1 is smallest.

    Notes
    -----
    Per factor random forests of depth 1 to 32; with l(d) the least error on test rows up to depth d, explicitness is
    1 - 2 (area under l - min l) / ((32 - 1) (1 - 1 / classes)), mean over factors: high where shallow trees do as well
    as deep ones. Eastwood et al., "DCI-ES: an extended disentanglement framework", ICLR 2023, arXiv:2210.00364, with
    the depths and the 100 trees of its authors' release; its other probes (perceptrons, random features) are not here,
    and disentanglement and completeness are those of `dci`.

    Deviates in that a forest is grown once, to depth 32, and cut: the first levels of a tree are a tree of that depth,
    though not the one that the release would have drawn. Every factor counts as classes, where the release has R^2 for
    ordered ones, which shallow trees reach sooner: its values are higher. Constant factors are left out.
    Known defect: the area is above the code's own least error, so that a code that knows nothing has an explicitness of
    about 1: compare it only between codes of like informativeness.
    """
    train, test = as_split(train, test)
    varying = np.flatnonzero(varying_factors(train.factors, "predict", "the training rows"))
    explicit, informed = [], []
    for factor in varying:
        forest = RandomForestClassifier(
            trees, max_depth=max(DEPTHS), random_state=seed, n_jobs=n_jobs or joblib.cpu_count()
        ).fit(train.units, train.factors[:, factor])
        predicted = forest.classes_[_probabilities(forest, test.units).argmax(2)]  # (depth, row)
        error = np.minimum.accumulate((predicted != test.factors[:, factor]).mean(1))
        explicit.append(1 - 2 * area_above_least(error) / (1 - 1 / len(forest.classes_)))
        informed.append(1 - error[-1])
    return {
        "explicitness": float(np.mean(explicit)),
        "informativeness": float(np.mean(informed)),
        "size": train.units.shape[1] / len(varying),
    }


def area_above_least(error: Float[np.ndarray, "depths"]) -> float:
    """The area between the errors of DEPTHS and the least of them, as a share of the range of depths."""
    return float(np.trapezoid(error - error.min(), DEPTHS) / (DEPTHS[-1] - DEPTHS[0]))


def _probabilities(
    forest: RandomForestClassifier, units: Float[np.ndarray, "rows units"]
) -> Float[np.ndarray, "depths rows classes"]:
    """What the forest predicts where each tree is cut at each of DEPTHS."""
    numbers = units.astype(np.float32)  # as trees compare them
    total = np.zeros((len(DEPTHS), len(units), len(forest.classes_)))
    every = np.arange(len(units))
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        share = tree.value[:, 0] / tree.value[:, 0].sum(1, keepdims=True)  # (node, class)
        node: Int[np.ndarray, "rows"] = np.zeros(len(units), np.int64)
        for depth in range(1, max(DEPTHS) + 1):
            inner = tree.children_left[node] >= 0
            left = numbers[every, tree.feature[node].clip(min=0)] <= tree.threshold[node]
            node = np.where(inner, np.where(left, tree.children_left[node], tree.children_right[node]), node)
            if depth in DEPTHS:
                total[DEPTHS.index(depth)] += share[node]
    return total
