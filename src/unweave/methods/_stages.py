"""Where the stages of DiTi end: times at which a frozen model is about to lose something new."""

from collections.abc import Sequence

from unweave.config import SettingsError
from unweave.models.attribute_loss import FactorLosses, first_time, half_lost
from unweave.models.diffusion.noising import STEPS
from unweave.models.frozen_error import ErrorCurve

KEPT_FACTOR = 0.01
"""A factor whose loss is below this is not lost at all."""
KEPT_COMPONENT = 0.05
"""A principal component of whose variance the frozen model's error is less than this share is not lost at all."""


def edges_of_factors(losses: FactorLosses, stages: int) -> list[int]:
    """Edges at the last times before the factors of the next stage begin to be lost; found with labels.

    Raises SettingsError where that gives no rising edges.
    """
    halves = [half_lost(losses.times, loss) for loss in losses.of_factors.values()]
    return edges(losses.times, list(losses.of_factors.values()), halves, KEPT_FACTOR, stages, "factors")


def edges_of_errors(curve: ErrorCurve, stages: int) -> list[int]:
    """The same of the principal components of the images, whose errors take the place of losses; without labels.

    A component is half lost where the frozen model's error is half of its variance. Raises SettingsError where that
    gives no rising edges.
    """
    halves = [first_time(curve.times, errors, 0.5) for errors in curve.components]
    return edges(curve.times, curve.components, halves, KEPT_COMPONENT, stages, "auto")


def edges(
    times: Sequence[int],
    curves: Sequence[Sequence[float]],
    halves: Sequence[float | None],
    kept: float,
    stages: int,
    name: str,
) -> list[int]:
    """Things in the order in which they are half lost, split where two are farthest apart, make the stages; each ends
    at the last time at which every thing of the later ones is below `kept`."""
    lost = [float(STEPS) if half is None else half for half in halves]
    order = sorted(range(len(curves)), key=lambda i: lost[i])
    gaps = sorted(range(1, len(order)), key=lambda i: lost[order[i]] - lost[order[i - 1]], reverse=True)
    found = []
    for split in sorted(gaps[: stages - 1]):
        last = [max((t for t, value in zip(times, curves[i]) if value < kept), default=0) for i in order[split:]]
        found.append(min(last))
    if len(found) < stages - 1 or sorted({0, *found, STEPS}) != [0, *found, STEPS]:
        raise SettingsError(
            f"method.edges={name} finds no {stages} stages ({len(curves)} things to tell apart; edges at {found}): "
            "give method.widths fewer numbers, set method.edges, or train the denoiser for longer."
        )
    return [*found, STEPS]
