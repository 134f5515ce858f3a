"""A direction in the code that changes one attribute, with a learnt mask of the few numbers it needs.

Yue et al., DiTi (arXiv:2401.11430), manipulation; steps and constants as we know those of its release, not checked
against its text.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


class FitSettings(NamedTuple):
    """Defaults are the release's, for the 162,770 images of CelebA; fewer images take more epochs."""

    kept: int = 16  # numbers of the code that the mask keeps in the end
    epochs: int = 10
    steps: int = 12_700  # at least: with fewer the scores of 512 numbers do not settle
    batch: int = 128
    rate: float = 1e-4
    average: float = 0.999


RELEASED_SETTINGS = FitSettings()


class Direction(NamedTuple):
    """Where to go, in standardised codes, and how the codes are standardised."""

    weight: Float[Tensor, "dim"]
    score: Float[Tensor, "dim"]  # of each number of the code, in [0, 1]: how much the mask keeps it
    mean: Float[Tensor, "dim"]
    deviation: Float[Tensor, "dim"]


@torch.inference_mode(False)
@torch.enable_grad()
def fit_direction(
    codes: Float[Tensor, "rows dim"],
    labels: Int[Tensor, "rows"],
    settings: FitSettings = RELEASED_SETTINGS,
    seed: int = 0,
    tick: Callable[[int, int], None] = lambda step, total: None,
) -> Direction:
    """A linear classifier of one attribute (labels 0 and 1) on standardised codes, trained with a probabilistic mask.

    Each number of the code has a score in [0, 1]; while training, a mask is drawn by the binary-concrete relaxation of
    these probabilities, and after every step the scores are projected to sum to d' numbers, which falls from all to
    `kept` by a cubic ramp between 10 and 40 % of training. The logits of the mask are multiplied by a temperature
    1 / (0.97 (1 - progress) + 0.03) that hardens it. The weight is the running average of the classifier's, with the
    mask. `tick(step, total)` is called after each step. Raises ValueError for labels of one class or other values than
    0 and 1.
    """
    rows, dim = codes.shape
    if sorted(labels.unique().tolist()) != [0, 1]:
        raise ValueError("an attribute has both values, 0 and 1, in the rows that a direction is learnt from.")
    rng = torch.Generator().manual_seed(seed)
    codes, labels = codes.clone(), labels.clone()  # out of inference mode
    mean = codes.mean(0)
    deviation = codes.std(0).clamp(min=1e-6 * float(codes.std()) + 1e-12)
    x, y = (codes - mean) / deviation, labels.float()
    kept = min(settings.kept, dim)
    weight = torch.zeros(dim, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    score = torch.ones(dim, requires_grad=True)
    average = torch.zeros(dim)
    optimiser = torch.optim.Adam([weight, bias, score], settings.rate)
    batches = -(-rows // settings.batch)
    epochs = max(settings.epochs, -(-settings.steps // batches))
    total = epochs * batches
    step = 0
    for _ in range(epochs):
        for batch in torch.randperm(rows, generator=rng).split(settings.batch):
            progress = step / total
            mask = draw_mask(score, 1 / (0.97 * (1 - progress) + 0.03), rng)
            loss = functional.binary_cross_entropy_with_logits(x[batch] @ (mask * weight) + bias, y[batch])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([score], 3.0)
            optimiser.step()
            step += 1
            with torch.no_grad():
                score.copy_(project_scores(score, mask_budget(step / total, dim, kept)))
                average.lerp_(weight, 1 - min(settings.average, step / (step + 9)))
            tick(step, total)
    final = score.detach()
    final_mask = torch.zeros(dim)
    final_mask[final.topk(kept).indices] = 1
    return Direction(average * final_mask, final, mean, deviation)


def draw_mask(score: Float[Tensor, "dim"], sharpness: float, rng: torch.Generator) -> Float[Tensor, "dim"]:
    """A relaxed draw of 0 or 1 with these probabilities: binary concrete (arXiv:1611.00712).

    Scores within 1e-6 of 0 or 1 get no gradient; only Adam's momentum brings one back. This is our choice: we do not
    know what the release does.
    """
    probability = score.clamp(1e-6, 1 - 1e-6)
    uniform = torch.rand(score.shape, generator=rng).clamp(1e-6, 1 - 1e-6)
    return (sharpness * (torch.logit(probability) + torch.logit(uniform))).sigmoid()


def project_scores(score: Float[Tensor, "dim"], total: float) -> Float[Tensor, "dim"]:
    """The scores in [0, 1] nearest to these that sum to at most `total`, by bisection."""
    clipped = score.clamp(0, 1)
    if float(clipped.sum()) <= total:
        return clipped
    low, high = 0.0, float(score.max())
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if float((score - middle).clamp(0, 1).sum()) > total else (low, middle)
    return (score - high).clamp(0, 1)


def mask_budget(progress: float, dim: int, kept: int) -> float:
    """How many numbers the mask may keep at this share of training: all, then a cubic ramp, then `kept`."""
    ramp = min(1.0, max(0.0, (progress - 0.1) / 0.3))
    return kept + (dim - kept) * (1 - ramp) ** 3


def move_codes(codes: Float[Tensor, "batch dim"], direction: Direction, amount: float) -> Float[Tensor, "batch dim"]:
    """mean + deviation (z + amount · sqrt(dim) · w / |w|), z the standardised code; the release's amount is 0.3.

    Raises ValueError where the classifier found nothing to go by.
    """
    norm = direction.weight.norm()
    if float(norm) == 0:
        raise ValueError("the classifier learnt nothing of this attribute: there is no direction to go.")
    mean, deviation, weight = (part.to(codes) for part in (direction.mean, direction.deviation, direction.weight))
    step = amount * codes.shape[1] ** 0.5 * weight / norm.to(codes)
    return mean + deviation * ((codes - mean) / deviation + step)
