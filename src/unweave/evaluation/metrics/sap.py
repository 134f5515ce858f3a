"""SAP: is each factor predicted from one unit better than from any other?"""

import numpy as np
from jaxtyping import Float
from sklearn.svm import LinearSVC

from unweave.evaluation.metrics.checks import as_split, as_tables, varying_factors
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.types import FactorTable, TableLike, UnitTable


def sap(train: Tables, test: Tables, *, seed: int = 0) -> dict[str, float]:
    """The separated attribute predictability of categorical factors, in [0, 1], higher is better.

    Parameters
    ----------
    train
        Codes and factors of the rows that classifiers learn from.
    test
        Codes and factors of the rows that they are tested on.
    seed
        Of the solver, which draws nothing here.

    Returns
    -------
    dict of str to float
        `sap`.

    Notes
    -----
    Mean over factors of A(1) - A(2), the two best test accuracies of a linear support vector machine (scikit-learn's
    LinearSVC, C = 0.01, balanced classes) that sees one unit. Section 3 of arXiv:1711.00848 with the constants of
    disentanglement_lib. A class that only the test rows have is never predicted.

    A factor that is constant in the training rows is left out (the reference fails). One unit is compared with a unit
    of zeros. `seed` reaches the solver, which draws nothing where rows outnumber units, as here.
    Known defects: C is absolute, so the score moves with the scale and the origin of a unit; cuts along one axis tell
    few of many classes apart, so a perfect unit scores far below 1 (about 0.2 with 16 classes); a factor copied into
    two units scores 0.
    """
    train, test = as_split(train, test)
    varying = np.flatnonzero(varying_factors(train.factors, "predict", "the training rows")).tolist()
    accuracy = np.array([[_accuracy(train, test, i, j, seed) for j in varying] for i in range(train.units.shape[1])])
    if len(accuracy) == 1:
        constant = [Tables(np.zeros_like(part.units), part.factors) for part in (train, test)]
        accuracy = np.vstack([accuracy, [_accuracy(constant[0], constant[1], 0, j, seed) for j in varying]])
    return {"sap": _gap(accuracy)}


def sap_continuous(units: TableLike, factors: TableLike) -> dict[str, float]:
    """The separated attribute predictability of ordered factors, in [0, 1], higher is better.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.

    Returns
    -------
    dict of str to float
        `sap`.

    Notes
    -----
    Mean over factors of the gap between the two largest squared correlations of a unit with the factor's class index,
    0 where the unit's variance is 1e-12 or less. Section 3 of arXiv:1711.00848 with the constants of
    disentanglement_lib. Constant factors are left out (the reference divides by 0); with one unit the second is 0.

    Known defects: linear, so a unit that follows a factor along a curve scores low, and one that follows a circular or
    unordered factor scores by the order of its class indices; a factor copied into two units scores 0.
    """
    return sap_of_classes(*as_tables(units, factors))


def sap_of_classes(units: UnitTable, factors: FactorTable) -> dict[str, float]:
    """`sap_continuous` of classes that are numbered already, of which these rows may lack some."""
    varying = varying_factors(factors, "predict")
    z, y = (table - table.mean(0) for table in (units.astype(np.float64), factors[:, varying].astype(np.float64)))
    moves = (z**2).sum(0) / (len(z) - 1) > 1e-12
    z = np.where(moves, z, 0)
    scale = np.where(moves, (z**2).sum(0), 1)[:, None] * (y**2).sum(0)
    correlation = np.minimum((z.T @ y) ** 2 / scale, 1)  # (unit, factor), squared
    return {"sap": _gap(np.pad(correlation, ((1, 0), (0, 0))))}


def _accuracy(train: Tables, test: Tables, unit: int, factor: int, seed: int) -> float:
    model = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
    model.fit(train.units[:, [unit]], train.factors[:, factor])
    return float(np.mean(model.predict(test.units[:, [unit]]) == test.factors[:, factor]))


def _gap(score: Float[np.ndarray, "units factors"]) -> float:
    ranked = np.sort(score, axis=0)
    return float((ranked[-1] - ranked[-2]).mean())
