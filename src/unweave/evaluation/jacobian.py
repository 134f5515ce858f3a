"""What a small change of each unit does to the pictures of a run, and how far these changes are orthogonal."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from unweave import progress
from unweave.data.sampling import sample_rows
from unweave.devices import best_device
from unweave.editing.decoding import decode
from unweave.evaluation.factor_swaps import SAMPLING
from unweave.evaluation.metrics.jacobian_orthogonality import UnitProducts, jacobian_orthogonality
from unweave.method import Generative, Sampling, Start, evaluating
from unweave.runs import reduction
from unweave.runs.codes import check_generative, code_table
from unweave.runs.data import dataset_for
from unweave.runs.run import Run
from unweave.types import Weights

IMAGES, ROWS = 32, 2_000
"""Images whose Jacobians are taken, and rows that say how far units vary."""

STEP = 0.25  # of a unit's deviation, to either side
MAX_UNITS = 32  # that are looked at; the ones that vary most
BATCH = 8  # images at a time: the changes of all units of each are held at once


@dataclass(frozen=True)
class JacobianScores:
    """How orthogonal the changes are that units make (`metrics.jacobian_orthogonality`); None: too few live units."""

    orthogonality: float | None
    turned: float | None
    live: list[int]  # units
    looked_at: int
    units: int
    images: int
    seed: int
    scored_weights: Weights

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_jacobian(
    run: Run | str | Path,
    *,
    data: str | None = None,
    split: str | None = None,
    seed: int = 0,
    weights: Weights | None = None,
    sampling: Sampling = SAMPLING,
) -> JacobianScores:
    """`jacobian-orthogonality@1` of a run on 32 random rows of its data; no labels.

    The column of a unit is the difference quotient of decoded pictures over a quarter of its standard deviation to
    either side, from one x_T, with three steps of DPM-Solver++ where the decoder has steps; that of a vector unit is
    along its first principal component. Of many units the 32 that vary most. Raises TypeError for a run
    without a decoder.
    """
    run = run if isinstance(run, Run) else Run(run)
    weights = weights or run.scored_weights()
    method = check_generative(run.method(weights), run)
    dataset = dataset_for(run, data, split)
    codes = code_table(run, dataset, sample_rows(len(dataset), ROWS, seed), seed, weights)
    drawn = codes[np.sort(np.random.default_rng(seed).permutation(len(codes))[:IMAGES])]
    fitted = reduction.fit(codes)
    deviation = reduction.apply(fitted, codes).std(0, dtype=np.float64)
    looked_at = np.sort(np.argsort(-deviation, kind="stable")[:MAX_UNITS])
    directions = np.zeros((len(looked_at), *codes.shape[1:]))  # (look, unit, dim): one unit of each is not zero
    directions[np.arange(len(looked_at)), looked_at] = (fitted.direction * deviation[:, None])[looked_at]
    products = unit_products(method, drawn, directions.astype(np.float32), sampling, seed)
    measured = jacobian_orthogonality(products, seed=seed)
    return JacobianScores(
        orthogonality=measured.orthogonality,
        turned=measured.turned,
        live=looked_at[measured.live].tolist(),
        looked_at=len(looked_at),
        units=codes.shape[1],
        images=len(drawn),
        seed=seed,
        scored_weights=weights,
    )


def unit_products(
    method: Generative,
    codes: Float[np.ndarray, "rows unit dim"],
    directions: Float[np.ndarray, "direction unit dim"],
    sampling: Sampling,
    seed: int,
) -> UnitProducts:
    """The inner products of the changes of pixels along each direction of the code, at each of these codes."""
    device = best_device()
    moves = torch.from_numpy(directions).to(device)
    parts = []
    with progress.task("moving units", len(codes), "images") as task, evaluating(method):
        start: Start = method.start(len(codes), torch.Generator().manual_seed(seed))
        for first in range(0, len(codes), BATCH):
            units = torch.from_numpy(codes[first : first + BATCH]).to(device)
            chunk_start = start[first : first + BATCH] if isinstance(start, torch.Tensor) else start
            changes = []
            for move in STEP * moves:
                above, below = (
                    decode(method, units + side * move, chunk_start, sampling=sampling, batch=BATCH) for side in (1, -1)
                )
                changes.append((above - below).flatten(1).cpu().double() / (2 * STEP))
            columns = torch.stack(changes, 1)  # (image, direction, pixel)
            parts.append((columns @ columns.mT).numpy())
            task.update(first + len(units))
    return np.concatenate(parts)
