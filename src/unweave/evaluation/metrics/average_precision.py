"""Mean average precision of linear probes: how well do frozen codes tell attributes to a linear model?

DiTi trains one linear layer with Adam (learning rate 1e-3, 15 epochs, codes not standardised) and keeps the best epoch
(that is `linear_probe.probe_with_adam`). Here the same linear models are fitted to convergence on standardised codes
with a small L2 penalty: no epochs to choose, no seed. Values are therefore close to DiTi's but not of its protocol.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import average_precision_score

from unweave.evaluation.metrics.checks import as_split
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.types import UnitTable


def average_precision(train: Tables, test: Tables) -> dict[str, float]:
    """How well a linear classifier ranks the test rows of each binary attribute; in [0, 1], higher is better.

    `mean_average_precision` is the mean over attributes of the area under the precision-recall steps
    (scikit-learn's average_precision_score) of an L2-regularised logistic regression per attribute (C = 1), fitted on
    the training rows. DiTi quotes it for the 40 attributes of CelebA. `chance` is what random codes get: the mean
    prevalence of the attributes in the test rows. Compare it before comparing data sets.

    Attributes that are constant in the training or test rows are left out: `attributes` says how many were scored,
    `attributes_left_out` how many were not. Known defects: rare attributes have a low chance level and weigh as much as
    common ones; wide codes win, disentangled or not.

    Raises ValueError for attributes other than 0 and 1, training and test tables that do not fit, or no attribute left.
    """
    train, test = as_split(train, test)
    classes = max(part.factors.max() for part in (train, test)) + 1
    if classes > 2:
        raise ValueError(
            f"attributes are 0 or 1, got {classes} values; make one column per class, as in (factor == class)."
        )
    varying = (np.ptp(train.factors, axis=0) > 0) & (np.ptp(test.factors, axis=0) > 0)
    if not varying.any():
        raise ValueError("every attribute is constant in the training or the test rows; pass more rows.")
    codes, test_codes = _standardised(train.units, test.units)
    truth = test.factors[:, varying]
    scores = logistic_scores(codes, train.factors[:, varying], test_codes)
    precision = [average_precision_score(t, s) for t, s in zip(truth.T, scores.T)]
    return {
        "mean_average_precision": float(np.mean(precision)),
        "chance": float(truth.mean()),
        "attributes": float(varying.sum()),
        "attributes_left_out": float((~varying).sum()),
    }


def logistic_scores(
    codes: Float[np.ndarray, "rows units"],
    attributes: Int[np.ndarray, "rows attributes"],
    test: Float[np.ndarray, "test units"],
) -> Float[np.ndarray, "test attributes"]:
    """The logits of one logistic regression per attribute, those of scikit-learn's LogisticRegression (C = 1).

    All attributes are fitted in one L-BFGS over a matrix of weights, after a change of variables that makes a bound of
    the Hessian (a quarter of the Gram matrix, plus the penalty) the identity: correlated codes then take no more steps
    than uncorrelated ones.
    """
    rows, width = codes.shape
    y = attributes.astype(np.float64)
    root = cholesky(codes.T @ codes / (4 * rows) + np.eye(width) / rows)  # upper: rootᵀ root bounds the Hessian
    x = solve_triangular(root, codes.T, trans="T").T  # codes @ inverse(root)
    shape = width + 1, y.shape[1]

    def loss(flat: Float[np.ndarray, "n"]) -> tuple[float, Float[np.ndarray, "n"]]:
        V, b = flat.reshape(shape)[:-1], flat.reshape(shape)[-1]
        W = solve_triangular(root, V)
        logits = x @ V + b / 0.5
        error = (expit(logits) - y) / rows
        value = (np.logaddexp(0, logits) - y * logits).sum() / rows + (W**2).sum() / (2 * rows)
        slope = np.vstack([x.T @ error + solve_triangular(root, W, trans="T") / rows, error.sum(0) / 0.5])
        return float(value), slope.ravel()

    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 20}
    solution = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(shape)
    return test @ solve_triangular(root, solution[:-1]) + solution[-1] / 0.5


def _standardised(
    train: UnitTable, test: Float[np.ndarray, "test units"]
) -> tuple[Float[np.ndarray, "rows units"], Float[np.ndarray, "test units"]]:
    """Both tables in float64 with the training mean 0 and standard deviation 1; a unit constant there becomes 0."""
    x = train.astype(np.float64)
    varies = np.ptp(x, axis=0) > 0
    mean, deviation = x.mean(0), np.where(varies, x.std(0), np.inf)
    return (x - mean) / deviation, (test - mean) / deviation
