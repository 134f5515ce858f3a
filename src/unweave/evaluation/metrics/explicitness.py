"""Explicitness: can a linear classifier read each factor off the whole code?"""

import warnings
from typing import NamedTuple

import joblib
import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from unweave.evaluation.metrics.checks import as_split, varying_factors
from unweave.evaluation.metrics.row_sampling import Tables


class FactorProbabilities(NamedTuple):
    """What the classifier of one factor predicts: a probability for every row and class of the training rows."""

    factor: int
    classes: Int[np.ndarray, "classes"]
    train: Float[np.ndarray, "train classes"]
    test: Float[np.ndarray, "test classes"]


def explicitness(train: Tables, test: Tables, *, n_jobs: int | None = None) -> dict[str, float]:
    """The area under the ROC curve of a linear classifier, on test and training rows; in [0, 1], 0.5 is chance.

    Parameters
    ----------
    train
        Codes and factors of the rows that classifiers learn from.
    test
        Codes and factors of the rows that they are tested on.
    n_jobs
        Processes; one for each core if None.

    Returns
    -------
    dict of str to float
        `explicitness` and `explicitness_train`.

    Notes
    -----
    Per factor one logistic regression (see `predict_probabilities`); per class the area with which its probability
    tells its rows from all others; mean over classes, then over factors. Section 3 of arXiv:1802.05312 as in
    disentanglement_lib, whose modularity_explicitness reports it beside `modularity`.

    A class that the test rows lack is left out there; one that only they have has no probability and counts 0.5. A
    factor that is constant in the training rows, or on the test rows, is left out of that mean; where none is left,
    ValueError. The reference fails in each of these cases.
    Known defects: the linear classifier blames the code for any curve, and a hundred units that each know a little
    score as well as one that knows all: it measures information, not disentanglement.
    """
    train, test = as_split(train, test)
    predictions = predict_probabilities(train, test, n_jobs=n_jobs)
    areas = {
        "explicitness": [_mean_area(p.test, p.classes, test.factors[:, p.factor]) for p in predictions],
        "explicitness_train": [_mean_area(p.train, p.classes, train.factors[:, p.factor]) for p in predictions],
    }
    if np.isnan(areas["explicitness"]).all():
        raise ValueError("every factor is constant in the test rows: a ROC curve needs two classes; give more rows.")
    return {name: float(np.nanmean(values)) for name, values in areas.items()}


def predict_probabilities(train: Tables, test: Tables, *, n_jobs: int | None = None) -> list[FactorProbabilities]:
    """One logistic regression per factor that varies in the training rows, and the probabilities it gives to all rows.

    Multinomial, with scikit-learn's defaults (C = 1, 100 iterations of L-BFGS), on units standardised by the mean and
    standard deviation of the training rows; a constant unit stays constant. It computes in the dtype of the codes.

    Factors are fitted in `n_jobs` processes of one thread; by default one per core, or LOKY_MAX_CPU_COUNT.
    Raises ValueError where the tables cannot be measured, their widths differ, or no factor varies.
    """
    train, test = as_split(train, test)
    varying = np.flatnonzero(varying_factors(train.factors, "predict", "the training rows")).tolist()
    scaler = StandardScaler().fit(train.units)
    z = scaler.transform(train.units), scaler.transform(test.units)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(n_jobs=min(n_jobs or joblib.cpu_count(), len(varying)))
        return list(parallel(joblib.delayed(_fit_factor)(*z, train.factors[:, j], j) for j in varying))


def _fit_factor(
    train: Float[np.ndarray, "train units"],
    test: Float[np.ndarray, "test units"],
    labels: Int[np.ndarray, "train"],
    factor: int,
) -> FactorProbabilities:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 100 iterations are the protocol
        model = LogisticRegression().fit(train, labels)
    return FactorProbabilities(factor, model.classes_, model.predict_proba(train), model.predict_proba(test))


def _mean_area(
    probability: Float[np.ndarray, "rows classes"], classes: Int[np.ndarray, "classes"], labels: Int[np.ndarray, "rows"]
) -> float:
    """The mean area over the classes among `labels`: the share of pairs (own row, other row) in the right order."""
    present = np.unique(labels)
    if len(present) == 1:
        return float("nan")
    columns = dict(zip(classes.tolist(), probability.T))
    areas = [roc_auc_score(labels == own, columns[own]) if own in columns else 0.5 for own in present.tolist()]
    return float(np.mean(areas))
