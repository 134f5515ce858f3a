"""The verb that moves one attribute of an image, along the direction of a linear classifier of codes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from unweave import progress
from unweave.config import nearest
from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.editing.attribute_direction import Direction, FitSettings, fit_direction, move_codes
from unweave.editing.decoding import decode
from unweave.editing.edit import Edit, grid_edit
from unweave.editing.inputs import SAMPLING, read_inputs
from unweave.editing.start import start_label
from unweave.method import Sampling, evaluating
from unweave.runs.codes import encode_images, encode_rows
from unweave.runs.data import dataset_for, view_settings
from unweave.runs.images import ImageNames
from unweave.runs.run import Run

AMOUNTS = (-0.6, -0.3, 0.0, 0.3, 0.6)
MAX_ROWS = 20_000


@dataclass(frozen=True)
class AttributeClassifier:
    """What a direction was learnt from and how well its classifier does."""

    attribute: str
    kept: list[int]  # the numbers of the code that it goes by
    average_precision: float | None  # on test rows, in [0, 1]; None where those are all of one class
    prevalence: float  # of the attribute in the test rows: the average precision of chance
    rows: dict[str, int]  # of the training and the test part
    amounts: list[float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def manipulate(
    run: Run | str | Path,
    attribute: str,
    images: ImageNames | None = None,
    amounts: Sequence[float] = AMOUNTS,
    *,
    kept: int = 16,
    rows: int = MAX_ROWS,
    data: str | None = None,
    seed: int | None = None,
    sampling: Sampling = SAMPLING,
) -> tuple[Edit, AttributeClassifier]:
    """Images with one attribute moved by each amount, [image, amount, channel, height, width], and the classifier.

    The attribute is a yes-or-no factor by name, or a class of another factor as NAME=CLASS (against all others). Its
    direction is learnt from the training split (or a random 80 %) of the run's data, at most `rows` rows, and its
    average precision is measured on the test split. x_T is the inverted one unless there is a seed. 0.3 is the amount
    of DiTi's release. Raises LookupError for an attribute that there is not.
    """
    inputs = read_inputs(run, images, 4, sampling)
    if data is None:
        inputs.run.check_data()
    method, dataset = inputs.method, dataset_for(inputs.run, data, "all")
    factors = dataset.factors(np.arange(len(dataset)))
    labels = attribute_labels(dataset.factor_names, dataset.factor_sizes, factors, attribute)
    train, test = train_and_test_rows(dataset, view_settings(inputs.run).split_seed, rows)
    if len(set(labels[train].tolist())) < 2:
        raise ValueError(
            f"{attribute} is the same in all training rows of {dataset.name}, so nothing tells it: choose another."
        )
    progress.message(f"learning the direction of {attribute} from {len(train):,} rows")
    train_codes, test_codes = (
        torch.from_numpy(encode_rows(method, dataset, part)).flatten(1) for part in (train, test)
    )
    with progress.task("fitting the classifier") as task:

        def tick(step: int, total: int) -> None:
            task.update(step, total=total)

        direction = fit_direction(train_codes, torch.from_numpy(labels[train]), FitSettings(kept=kept), tick=tick)
    classifier = AttributeClassifier(
        attribute=attribute,
        kept=np.flatnonzero(direction.weight.numpy()).tolist(),
        average_precision=direction_precision(direction, test_codes, labels[test]),
        prevalence=float(labels[test].mean()),
        rows={"train": len(train), "test": len(test)},
        amounts=list(amounts),
    )
    start = inputs.start(sampling, seed)
    with evaluating(method):
        codes = encode_images(method, inputs.images, 64)
        moved = [move_codes(codes.flatten(1), direction, amount).view_as(codes) for amount in amounts]
        edited = torch.stack([decode(method, code, start, sampling=sampling, batch=64) for code in moved], 1)
    edit = grid_edit(
        edited,
        list(torch.cat([inputs.images[:, None], edited], 1)),
        inputs.labels,
        ["image", *(f"{amount:+g}" for amount in amounts)],
        f"{attribute}, by a classifier of {len(classifier.kept)} numbers ({start_label(seed)})",
    )
    return edit, classifier


def train_and_test_rows(dataset: Dataset, split_seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` random rows of the training split, and at most 20,000 of the test split."""
    rng = np.random.default_rng(0)
    train = rng.permutation(views.split_rows(dataset, "train", split_seed))[:count]
    return train, rng.permutation(views.split_rows(dataset, "test", split_seed))[:MAX_ROWS]


def attribute_labels(
    names: Sequence[str], sizes: Sequence[int], factors: np.ndarray | None, attribute: str
) -> np.ndarray:
    """0 or 1 for every row. Raises LookupError or ValueError for what is no attribute of the data."""
    name, _, value = attribute.partition("=")
    if factors is None or name not in names:
        near = nearest(name, list(names))
        raise LookupError(f"there is no attribute {name!r}.{near} There is: {', '.join(names) or 'none'}.")
    column, size = factors[:, list(names).index(name)], sizes[list(names).index(name)]
    if value == "" and size != 2:
        raise ValueError(
            f"{name} has {size} classes: say which one against all others, as {name}=0 .. {name}={size - 1}."
        )
    positive = 1 if value == "" else int(value) if value.isdecimal() else -1
    if not 0 <= positive < size:
        raise ValueError(f"{name} has the classes 0..{size - 1}, got {value!r}.")
    return (column == positive).astype(np.int64)


def direction_precision(direction: Direction, codes: torch.Tensor, labels: np.ndarray) -> float | None:
    """Of the classifier on these rows; None where they are all of one class."""
    if not 0 < labels.mean() < 1:
        return None
    scores = ((codes - direction.mean) / direction.deviation) @ direction.weight
    return float(average_precision_score(labels, scores.numpy()))
