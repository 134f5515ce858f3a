import numpy as np
import pytest

from unweave.factors.coordinate import codes_at, fit_coordinate, position_of
from unweave.factors.factor import Coordinate

RNG = np.random.default_rng(0)
TURNS = RNG.random(600)
CIRCLE = np.stack([np.cos(2 * np.pi * TURNS), np.sin(2 * np.pi * TURNS)], 1) + RNG.normal(0, 0.05, (600, 2))
PARABOLA = np.stack([TURNS, 4 * (TURNS - 0.5) ** 2], 1) + RNG.normal(0, 0.02, (600, 2))


def fitted(codes: np.ndarray) -> Coordinate:
    coordinate = fit_coordinate(codes)
    assert coordinate is not None
    return coordinate


def test_a_circle_is_closed_and_its_position_is_the_angle() -> None:
    coordinate = fitted(CIRCLE)
    assert coordinate.closed
    turned = np.exp(2j * np.pi * position_of(coordinate, CIRCLE))
    agreement = max(abs(np.mean(turned * np.exp(sign * 2j * np.pi * TURNS))) for sign in (-1, 1))
    assert agreement > 0.99


@pytest.mark.parametrize(("turn", "closed"), [(1.0, True), (0.85, False), (0.7, False)])
def test_an_exact_circle_is_closed_and_a_part_of_it_open(turn: float, closed: bool) -> None:
    for seed in range(8):
        angles = 2 * np.pi * turn * np.random.default_rng(seed).random(300)
        assert fitted(np.stack([np.cos(angles), np.sin(angles)], 1)).closed == closed


def test_ten_states_on_a_circle_close_it() -> None:
    for seed in range(4):
        angles = 2 * np.pi * np.random.default_rng(seed).integers(0, 10, 600) / 10
        assert fitted(np.stack([np.cos(angles), np.sin(angles)], 1)).closed


def test_position_one_of_a_closed_curve_is_position_zero() -> None:
    coordinate = fitted(CIRCLE)
    np.testing.assert_allclose(codes_at(coordinate, np.array([1.0, 1.25])), codes_at(coordinate, np.array([0.0, 0.25])))


def test_an_arc_is_open_and_its_position_rises_with_the_factor() -> None:
    coordinate = fitted(PARABOLA)
    assert not coordinate.closed
    assert abs(np.corrcoef(position_of(coordinate, PARABOLA), TURNS)[0, 1]) > 0.95
    ends = codes_at(coordinate, np.array([-1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(ends[[0, 3]], ends[[1, 2]])


@pytest.mark.parametrize("codes", [CIRCLE, PARABOLA], ids=["closed", "open"])
def test_a_point_of_the_curve_has_the_position_it_was_asked_for(codes: np.ndarray) -> None:
    coordinate, positions = fitted(codes), np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(position_of(coordinate, codes_at(coordinate, positions)), positions, atol=1e-6)


@pytest.mark.parametrize("codes", [CIRCLE, PARABOLA], ids=["closed", "open"])
def test_the_error_is_what_the_curve_leaves(codes: np.ndarray) -> None:
    coordinate = fitted(codes)
    rest = codes - codes_at(coordinate, position_of(coordinate, codes))
    assert coordinate.error == pytest.approx(np.square(rest).sum(1).mean() / codes.var(0).sum(), rel=0.5)
    assert (np.diff(coordinate.levels) >= 0).all()


def test_one_number_is_its_own_curve() -> None:
    coordinate = fitted(TURNS[:, None])
    assert (coordinate.closed, coordinate.error) == (False, 0.0)
    np.testing.assert_allclose(codes_at(coordinate, position_of(coordinate, TURNS[:, None])), TURNS[:, None])


@pytest.mark.parametrize("rows", [500, 5_000])
def test_what_fills_a_plane_or_more_is_near_no_curve(rows: int) -> None:
    rng = np.random.default_rng(0)
    turns, others = 2 * np.pi * rng.random((2, rows))
    torus = np.stack([np.cos(turns), np.sin(turns), np.cos(others), np.sin(others)], 1)
    grid = rng.integers(0, 3, (rows, 2)) + rng.normal(0, 0.05, (rows, 2))
    for codes in (rng.random((rows, 2)), rng.standard_normal((rows, 3)), torus, torus[:, :3], grid):
        assert fit_coordinate(codes) is None


@pytest.mark.parametrize("states", [3, 4, 6])
def test_a_few_states_in_several_numbers_are_near_a_curve(states: int) -> None:
    which = RNG.integers(0, states, 900)
    codes = RNG.standard_normal((states, 3))[which] + RNG.normal(0, 0.05, (900, 3))
    assert fitted(codes).error < 0.05


def test_constant_codes_and_too_few_have_no_coordinate() -> None:
    assert fit_coordinate(np.ones((500, 2))) is None
    assert fit_coordinate(CIRCLE[:50]) is None
