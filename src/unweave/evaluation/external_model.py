"""Any model as a function of images: its codes, for the metrics. Needs no run, and no torch of ours."""

from collections.abc import Callable
from typing import Any

import numpy as np

from unweave import types
from unweave.evaluation.scores import Scores, evaluate_tables
from unweave.runs import reduction
from unweave.types import FactorTable, Pixels

Encode = Callable[[Pixels], Any]
"""uint8 images [rows, height, width, channel] -> codes [rows, units] or [rows, unit, dim]: an array or a tensor."""


def encode_in_batches(encode: Encode, images: Pixels, *, batch: int = 250) -> np.ndarray:
    """The codes that a function gives for images, [rows, units] or [rows, unit, dim], in batches of `batch`.

    A tensor is taken to the CPU and into NumPy; the function sets its own device and eval mode. Raises ValueError for
    codes of another shape, another number of rows, or numbers that are not finite.
    """
    if not len(images):
        raise ValueError("there are no images to encode.")
    if batch < 1:
        raise ValueError(f"batch must be 1 or more, got {batch}.")
    parts = []
    for first in range(0, len(images), batch):
        chunk = images[first : first + batch]
        encoded = encode(chunk)
        part = np.asarray(encoded.detach().cpu() if callable(getattr(encoded, "detach", None)) else encoded)
        if part.ndim not in (2, 3) or len(part) != len(chunk) or part.dtype.kind not in "fiu":
            raise ValueError(
                f"encode gave {part.dtype} of shape {list(part.shape)} for {len(chunk)} images; "
                "expected numbers of shape [rows, units] or [rows, unit, dim]."
            )
        parts.append(part if part.dtype in (np.float32, np.float64) else part.astype(np.float64))
    codes = np.concatenate(parts)
    types.check_finite(codes, "codes of this function")
    return codes


def evaluate_model(encode: Encode, images: Pixels, factors: FactorTable, *, batch: int = 250, **options: Any) -> Scores:
    """The scores of any model's units: `evaluation.scores.evaluate_tables` of what `encode` gives for these images.

    Row i of `factors` is image i. Vector units are reduced to their first principal component each. `options` are
    those of `evaluate_tables`: protocols, repeats, seed, factor_names.
    """
    codes = encode_in_batches(encode, images, batch=batch)
    if codes.ndim == 2:
        return evaluate_tables(codes, factors, **options)
    fitted = reduction.fit(codes)
    unreduced, explained = codes.reshape(len(codes), -1), fitted.explained.tolist()
    return evaluate_tables(reduction.apply(fitted, codes), factors, unreduced=unreduced, explained=explained, **options)
