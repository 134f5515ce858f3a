import pytest

from unweave.config import SettingsError
from unweave.methods._stages import edges_of_errors, edges_of_factors
from unweave.models.attribute_loss import FactorLosses
from unweave.models.frozen_error import ErrorCurve

TIMES = tuple(range(0, 1000, 20))


def ramp(begins: int, ends: int, high: float) -> list[float]:
    """0 until a time, `high` from another on."""
    return [high * min(1.0, max(0.0, (time - begins) / (ends - begins))) for time in TIMES]


def losses(**ramps: tuple[int, int]) -> FactorLosses:
    return FactorLosses(TIMES, {name: ramp(*ends, 0.5) for name, ends in ramps.items()})


def curve(*ramps: tuple[int, int]) -> ErrorCurve:
    return ErrorCurve(TIMES, (0.0,) * len(TIMES), 1.0, tuple(tuple(ramp(*ends, 1.0)) for ends in ramps))


def test_a_stage_ends_before_the_next_factor_begins_to_be_lost() -> None:
    found = edges_of_factors(losses(wall=(700, 900), dot=(200, 600), centre=(500, 800)), 3)
    assert found == [500, 700, 1000]


def test_factors_that_are_lost_together_share_a_stage() -> None:
    found = edges_of_factors(losses(a=(100, 300), b=(120, 320), c=(600, 800), d=(580, 860)), 2)
    assert found == [580, 1000]


def test_a_factor_that_is_never_lost_is_the_last() -> None:
    assert edges_of_factors(losses(a=(100, 300), b=(2000, 3000)), 2) == [980, 1000]


def test_components_stand_for_factors_without_labels() -> None:
    components = ((700, 900), (710, 910), (200, 600), (210, 590), (500, 800))
    assert edges_of_errors(curve(*components), 3) == [500, 700, 1000]


@pytest.mark.parametrize("ramps", [[(100, 300)], [(100, 300), (-100, 800)]])
def test_where_no_edges_are_found_the_remedy_is_named(ramps: list[tuple[int, int]]) -> None:
    with pytest.raises(SettingsError, match=r"method\.edges=auto finds no 2 stages.*method\.widths"):
        edges_of_errors(curve(*ramps), 2)
