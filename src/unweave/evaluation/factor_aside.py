"""What is still read of a factor that a run sets aside: from its units, and from pictures before and after."""

import numpy as np
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from unweave.data.corrected import CorrectedDataset, PictureClasses
from unweave.data.dataset import Dataset
from unweave.data.reading.image_files import resize_pixels
from unweave.data.views import base_dataset, base_rows
from unweave.evaluation.factor_names import EncodedRows
from unweave.runs.report_facts import AsideFacts

ROWS = 3_000
COMPONENTS, SIDE = 50, 32  # of pictures, and how many pixels wide they are for them

ReadNumbers = Float[np.ndarray, "row number"]


def measure_aside(encoded: EncodedRows, seed: int) -> AsideFacts | None:
    """How well what is set aside is read (see `read`) from the units of at most 3,000 rows, and from 50 principal
    components of their pictures, at most 32 pixels wide, as they were and as the run sees them. None of a set that sets
    nothing aside, and where fewer than ten of the rows have another class than the largest."""
    whole = base_dataset(encoded.dataset)
    if not isinstance(whole, CorrectedDataset):
        return None
    positions = np.sort(np.random.default_rng(seed).permutation(len(encoded.rows))[:ROWS])
    rows = base_rows(encoded.dataset, encoded.rows[positions])
    classes = whole.classes(rows)
    if np.bincount(classes).max() > len(classes) - 10:
        return None
    tables = encoded.codes[positions].reshape(len(rows), -1), components(whole.base, rows), components(whole, rows)
    units, before, after = (read(table, classes, seed) for table in tables)
    return AsideFacts(whole.aside, units, before, after, float(np.bincount(classes).max() / len(classes)), len(rows))


def read(table: ReadNumbers, classes: PictureClasses, seed: int) -> float:
    """The share of classes that the better of two fresh readers, a logistic regression and a random forest, tells
    right on the half of the rows that neither has seen, which is chosen by that half. The numbers are standardised."""
    readers = LogisticRegression(max_iter=1_000), RandomForestClassifier(200, random_state=seed)
    few = np.bincount(classes).min(initial=2, where=np.bincount(classes) > 0) < 2
    learned, tested, known, asked = train_test_split(
        table, classes, test_size=0.5, random_state=seed, stratify=None if few else classes
    )
    return max(
        float(make_pipeline(StandardScaler(), each).fit(learned, known).score(tested, asked)) for each in readers
    )


def components(dataset: Dataset, rows: Int[np.ndarray, "row"]) -> ReadNumbers:
    """The pictures at these rows by their first principal components."""
    side = min(SIDE, *dataset.shape[1:])
    pixels = np.concatenate([resize_pixels(dataset.images(part), (side, side)) for part in np.array_split(rows, 12)])
    pixels = pixels.reshape(len(rows), -1).astype(np.float32)
    return PCA(min(COMPONENTS, *pixels.shape), random_state=0).fit_transform(pixels)
