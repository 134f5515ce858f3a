"""TAD, the total AUROC difference: is each binary attribute told by one unit alone?

For each attribute and unit take the AUROC of the unit as a detector of the attribute, best of both signs; A1 >= A2 are
the two best units of the attribute. An attribute is captured if A1 >= 0.75 and no other attribute explains more than
0.2 of its entropy, max_b I(a; b) / H(a) <= 0.2 (the code bases write 1 - (H - max) / H). TAD is the sum over captured
attributes of A1 - A2, in [0, attributes / 2] (see `tad_grid` for an exception), higher is better; the number captured
is reported beside it. From NashAE; what is written here follows the code of NashAE, InfoDiffusion, DisDiff and EncDiff.

The two protocols differ in how AUROC is measured and on which rows. Their values do not compare.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata
from sklearn.model_selection import KFold

from unweave.evaluation.metrics.checks import as_tables
from unweave.evaluation.metrics.information import entropies, mutual_information
from unweave.types import FactorTable, TableLike, UnitTable


def tad_folds(units: TableLike, attributes: TableLike, *, folds: int = 5, seed: int = 0) -> dict[str, float]:
    """TAD with exact AUROC, the mean over training folds, as InfoDiffusion's code reports it (on 10,000 images).

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    attributes
        Yes-or-no attributes [rows, attributes], 0 or 1.
    folds
        Parts of the split, at least 2.
    seed
        Of the folds.

    Returns
    -------
    dict of str to float
        `tad`, `captured`, `tad_std` and `captured_std`.

    Notes
    -----
    `tad` and `captured` are means and `tad_std`, `captured_std` standard deviations (ddof 0) over the training parts of
    a shuffled k-fold split. The folds overlap, so the deviations say less than those over runs. The code base
    standardises the codes first, which changes no AUROC and is left out here.

    Attributes that are constant in a fold are not captured there (the code base fails); with one unit A2 is 0.5, chance
    (0 in the code base). Known defects: an attribute told by two units counts 0 however clean each is, and the filter
    depends on which other attributes were labelled.

    Raises ValueError for attributes other than 0 and 1, fewer rows than folds, and what every metric refuses.
    """
    units, attributes = _as_attributes(units, attributes)
    if not 2 <= folds <= len(units):
        raise ValueError(f"folds must be in 2..{len(units)}, the number of rows, got {folds}.")
    parts = [part for part, _ in KFold(folds, shuffle=True, random_state=seed).split(units)]
    scores = [_tad(exact_auroc(units[part], attributes[part]), attributes[part]) for part in parts]
    (tad, captured), (tad_std, captured_std) = np.mean(scores, axis=0), np.std(scores, axis=0)
    return {
        "tad": float(tad),
        "tad_std": float(tad_std),
        "captured": float(captured),
        "captured_std": float(captured_std),
    }


def tad_grid(units: TableLike, attributes: TableLike, *, levels: int = 101) -> dict[str, float]:
    """TAD with the AUROC of NashAE's code: codes are compared with `levels` evenly spaced thresholds.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    attributes
        Yes-or-no attributes [rows, attributes], 0 or 1.
    levels
        Thresholds of the area.

    Returns
    -------
    dict of str to float
        `tad` and `captured`.

    Notes
    -----
    NashAE has 101 levels; DisDiff and EncDiff changed it to 11, which inflates AUROC by 0.05 to 0.09 and captures more
    attributes. All of them use one random batch of about 1,000 images. See `grid_auroc` for the area. Constant
    attributes and a single unit are treated as in `tad_folds`, and its known defects hold too. Also, a unit with a
    range of 0.2 or less counts as chance, so the score depends on the scale of the codes; and codes that keep to few
    levels, clean ones among them, inflate the area of unrelated units (0.6 at 101 levels, 0.8 at 11), which lowers TAD.
    For few rows or levels an area can also fall below 0.5 for both signs, so that A1 - A2 may exceed 0.5 and the range
    is [0, attributes]; and the sign of a unit moves the score, as the thresholds meet it from the other side.

    Raises ValueError for attributes other than 0 and 1, fewer than two levels, and what every metric refuses.
    """
    units, attributes = _as_attributes(units, attributes)
    if levels < 2:
        raise ValueError(f"levels must be 2 or more, got {levels}; NashAE has 101, DisDiff and EncDiff 11.")
    tad, captured = _tad(grid_auroc(units, attributes, levels), attributes)
    return {"tad": tad, "captured": captured}


def exact_auroc(units: UnitTable, attributes: FactorTable) -> Float[np.ndarray, "units factors"]:
    """The area under the ROC curve of every unit for every attribute, best of both signs, in [0.5, 1].

    (sum of the ranks of the positives - p (p + 1) / 2) / (p n) with mean ranks for ties (Mann-Whitney), p positives
    and n negatives; 0.5 for a constant attribute.
    """
    positives = attributes.sum(0)
    negatives = len(attributes) - positives
    ranks = rankdata(units, axis=0).T @ attributes.astype(np.float64)  # (unit, attribute)
    area = (ranks - positives * (positives + 1) / 2) / np.where(positives * negatives > 0, positives * negatives, 1)
    return np.where(positives * negatives > 0, np.maximum(area, 1 - area), 0.5)


def grid_auroc(units: UnitTable, attributes: FactorTable, levels: int) -> Float[np.ndarray, "units factors"]:
    """The area that NashAE's code finds for every unit and attribute, best of both signs.

    Codes are scaled to [0, 1] by their minimum and maximum; a detector says yes at or above a threshold, the reversed
    one below it. False and true positive rates over the thresholds are sorted each on its own; the area is the sum of
    the true positive rate at the right end of each step in the false positive rate, which is too much for a rising
    curve; the corner that the thresholds do not reach is not added. Units of range 0.2 or less, and constant
    attributes, get 0.5.
    """
    positives = attributes.sum(0)
    negatives = len(attributes) - positives
    varying = (positives > 0) & (negatives > 0)
    area = np.full((units.shape[1], attributes.shape[1]), 0.5)
    for unit, column in enumerate(units.astype(np.float64).T):
        low, high = column.min(), column.max()
        if high - low <= 0.2:
            continue
        order = np.argsort(column)
        below = np.searchsorted((column[order] - low) / (high - low), np.linspace(0, 1, levels), side="left")
        yes = attributes[order][:, varying].cumsum(0)
        hits = np.vstack([np.zeros_like(yes[:1]), yes])[below]  # (level, attribute): positives below each threshold
        true = hits / positives[varying]
        false = (below[:, None] - hits) / negatives[varying]
        area[unit, varying] = np.maximum(_right_ends(1 - false[::-1], 1 - true[::-1]), _right_ends(false, true))
    return area


def _right_ends(
    false: Float[np.ndarray, "levels factors"], true: Float[np.ndarray, "levels factors"]
) -> Float[np.ndarray, "factors"]:
    return (np.diff(false, axis=0) * true[1:]).sum(0)


def _tad(area: Float[np.ndarray, "units factors"], attributes: FactorTable) -> tuple[float, float]:
    chance = np.full((int(len(area) == 1), area.shape[1]), 0.5)  # one unit has no second to compare with
    ranked = np.sort(np.vstack([area, chance]), axis=0)
    captured = (ranked[-1] >= 0.75) & _unexplained_attributes(attributes)
    return float((ranked[-1] - ranked[-2])[captured].sum()), float(captured.sum())


def _unexplained_attributes(attributes: FactorTable) -> Bool[np.ndarray, "factors"]:
    """Which attributes vary and share at most 0.2 of their entropy with any other."""
    entropy = entropies(attributes)
    shared = mutual_information(attributes, attributes)
    np.fill_diagonal(shared, 0)
    return (entropy > 0) & (shared.max(1) <= 0.2 * entropy)


def _as_attributes(units: TableLike, attributes: TableLike) -> tuple[UnitTable, FactorTable]:
    codes, classes = as_tables(units, attributes)
    if classes.max() > 1:
        raise ValueError(
            f"attributes are 0 or 1, got {classes.max() + 1} values; make a column of each class, (factor == class)."
        )
    return codes, classes
