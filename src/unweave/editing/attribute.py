"""The verb that moves one attribute of an image, along the direction of a linear classifier of codes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from unweave.config import nearest
from unweave.data import views
from unweave.editing.attribute_direction import Direction, FitSettings, fit_direction, move_codes
from unweave.editing.decoding import decode
from unweave.editing.start import make_start
from unweave.editing.verbs import SAMPLING, Edit, place_for, said
from unweave.figures.grid import grid
from unweave.figures.save import save_picture
from unweave.method import Sampling, evaluating
from unweave.models.diffusion.sampling import check_sampling
from unweave.runs.codes import check_generative, encode_images, encode_rows
from unweave.runs.data import dataset_for
from unweave.runs.images import ImageNames, random_rows, read_images
from unweave.runs.run import Run

AMOUNTS = (-0.6, -0.3, 0.0, 0.3, 0.6)
ROWS = 20_000


def manipulate(
    run: Run | str | Path,
    attribute: str,
    images: ImageNames | None = None,
    amounts: Sequence[float] = AMOUNTS,
    *,
    kept: int = 16,
    rows: int = ROWS,
    data: str | None = None,
    seed: int | None = None,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Edit, dict[str, Any]]:
    """Images with one attribute moved by each amount, [image, amount, channel, height, width], and the classifier.

    The attribute is a yes-or-no factor by name, or a class of another factor as NAME=CLASS (against all others). Its
    direction is learnt from the training split (or a random 80 %) of the run's data, at most `rows` rows, and its
    average precision is measured on the test split. x_T is the inverted one unless there is a seed. 0.3 is the amount
    of DiTi's release. Raises LookupError for an attribute that there is not.
    """
    opened = run if isinstance(run, Run) else Run(run)
    target = place_for(opened, "manipulate", output, overwrite)
    check_sampling(sampling)
    given = read_images(opened, images if images is not None else random_rows(opened, 4))
    generative = check_generative(opened.method())
    dataset = dataset_for(opened, data, "all")
    values = labels(dataset.factor_names, dataset.factor_sizes, dataset.factors(np.arange(len(dataset))), attribute)
    random = np.random.default_rng(0)
    split_seed = views.parse_view(opened.settings.data.get("view", {})).split_seed
    parts = {
        name: random.permutation(views.split_rows(dataset, name, split_seed))[:most]
        for name, most in (("train", rows), ("test", ROWS))
    }
    if len(set(values[parts["train"]].tolist())) < 2:
        raise ValueError(
            f"{attribute} is the same in all training rows of {dataset.name}, so nothing tells it: choose another."
        )
    codes = {name: torch.from_numpy(encode_rows(generative, dataset, part)).flatten(1) for name, part in parts.items()}

    def tick(done: int, total: int) -> None:
        if progress and done % (total // 20 or 1) == 0:
            progress(f"learning the direction of {attribute}", done - 1, total)

    direction = fit_direction(
        codes["train"], torch.from_numpy(values[parts["train"]]), FitSettings(kept=kept), tick=tick
    )
    facts: dict[str, Any] = {
        "attribute": attribute,
        "kept": np.flatnonzero(direction.weight.numpy()).tolist(),
        "average_precision": _precision(direction, codes["test"], values[parts["test"]]),
        "prevalence": float(values[parts["test"]].mean()),
        "rows": {name: len(part) for name, part in parts.items()},
        "amounts": list(amounts),
    }
    start = make_start(generative, given.images, sampling=sampling, seed=seed)
    with evaluating(generative):
        own = encode_images(generative, given.images, 64)
        table = []
        for amount in amounts:
            code = move_codes(own.flatten(1), direction, amount).view_as(own)
            table.append(decode(generative, code, start, sampling=sampling, batch=64))
    made = torch.stack(table, 1)
    picture = grid(
        list(torch.cat([given.images[:, None], made], 1)),
        given.labels,
        ["image", *(f"{amount:+g}" for amount in amounts)],
        title=f"{attribute}, by a classifier of {len(facts['kept'])} numbers ({said(seed)})",
    )
    return Edit(made, picture, [save_picture(picture, target, overwrite=overwrite)]), facts


def labels(names: Sequence[str], sizes: Sequence[int], factors: np.ndarray | None, attribute: str) -> np.ndarray:
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
    wanted = 1 if value == "" else int(value) if value.isdecimal() else -1
    if not 0 <= wanted < size:
        raise ValueError(f"{name} has the classes 0..{size - 1}, got {value!r}.")
    return (column == wanted).astype(np.int64)


def _precision(direction: Direction, codes: torch.Tensor, truth: np.ndarray) -> float | None:
    if not 0 < truth.mean() < 1:
        return None
    scores = ((codes - direction.mean) / direction.deviation) @ direction.weight
    return float(average_precision_score(truth, scores.numpy()))
