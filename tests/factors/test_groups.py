import numpy as np
import pytest
from tests.factors.hand_made import Values, World, hue_and_brightness, hues, world

from unweave.factors.coordinate import fit_coordinate, position_of
from unweave.factors.groups import UnitGroups, group_units

ROWS = pytest.mark.parametrize("rows", [500, 5_000])


def uniform(rows: int, factors: int = 2) -> Values:
    return np.random.default_rng(1).random((rows, factors))


def normal(rows: int, correlation: float) -> Values:
    values = np.random.default_rng(1).standard_normal((rows, 2))
    values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
    return values / 4


def noise(rows: int, units: int, deviation: float) -> np.ndarray:
    return deviation * np.random.default_rng(2).standard_normal((rows, units))


def found(made: World) -> UnitGroups:
    result = group_units(made.codes, made.effects, 0)
    assert result.stable
    return result


def groups_of(made: World) -> set[tuple[int, ...]]:
    return set(found(made).groups)


@ROWS
def test_one_factor_over_three_units_is_one_group_on_an_open_curve(rows: int) -> None:
    def encode(values: Values) -> np.ndarray:
        first, second = values[:, 0], values[:, 1]
        units = [first, first**3, np.tanh(4 * (first - 0.5)), second]
        return np.stack(units, 1) + noise(rows, 4, 0.03)

    def decode(codes: np.ndarray) -> Values:
        parts = [codes[:, 0], np.cbrt(codes[:, 1]), np.arctanh(codes[:, 2].clip(-0.97, 0.97)) / 4 + 0.5]
        return np.stack([np.mean(parts, 0), codes[:, 3]], 1)

    made = world(uniform(rows), encode, decode, hues)
    assert groups_of(made) == {(0, 1, 2), (3,)}
    coordinate = fit_coordinate(made.codes[:, :3, 0])
    assert coordinate is not None
    assert not coordinate.closed
    ranks = [
        np.argsort(np.argsort(column)) for column in (position_of(coordinate, made.codes[:, :3, 0]), made.values[:, 0])
    ]
    assert abs(np.corrcoef(ranks)[0, 1]) > 0.95


@ROWS
def test_a_circle_is_one_group_on_a_closed_curve_though_its_units_change_different_colours(rows: int) -> None:
    def encode(values: Values) -> np.ndarray:
        angle = 2 * np.pi * values[:, 0]
        return np.stack([np.cos(angle), np.sin(angle), values[:, 1]], 1) + noise(rows, 3, 0.05)

    def decode(codes: np.ndarray) -> Values:
        return np.stack([np.arctan2(codes[:, 1], codes[:, 0]) / (2 * np.pi), codes[:, 2]], 1)

    made = world(uniform(rows), encode, decode, hues)
    assert groups_of(made) == {(0, 1), (2,)}
    coordinate = fit_coordinate(made.codes[:, :2, 0])
    assert coordinate is not None
    assert coordinate.closed


@ROWS
@pytest.mark.parametrize("turn", [np.pi / 4, np.pi / 6])
def test_two_factors_turned_into_two_units_are_one_group_without_a_coordinate(rows: int, turn: float) -> None:
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    made = world(uniform(rows), lambda values: values @ turned, lambda codes: codes @ turned.T, hues)
    assert groups_of(made) == {(0, 1)}
    assert fit_coordinate(made.codes[:, :, 0]) is None


@ROWS
def test_two_factors_mixed_in_units_are_one_group_without_a_coordinate(rows: int) -> None:
    mixing = np.array([[1.0, 0.4], [0.2, 1.0]])
    made = world(uniform(rows), lambda values: values @ mixing, lambda codes: codes @ np.linalg.inv(mixing), hues)
    assert groups_of(made) == {(0, 1)}
    assert fit_coordinate(made.codes[:, :, 0]) is None


@ROWS
def test_units_that_are_uncorrelated_but_tell_of_each_other_are_one_group(rows: int) -> None:
    def encode(values: Values) -> np.ndarray:
        centred = values[:, 0] - 0.5
        return np.stack([4 * centred**2, 2 * centred, values[:, 1]], 1) + noise(rows, 3, 0.02)

    def decode(codes: np.ndarray) -> Values:
        size = np.sqrt(codes[:, 0].clip(0)) / 2
        return np.stack([0.5 + (codes[:, 1] / 2 + np.sign(codes[:, 1]) * size) / 2, codes[:, 2]], 1)

    made = world(uniform(rows), encode, decode, hues)
    assert abs(np.corrcoef(made.codes[:, :2, 0].T)[0, 1]) < 0.15
    assert groups_of(made) == {(0, 1), (2,)}


@ROWS
def test_units_of_which_any_two_vary_freely_stay_apart_though_two_determine_the_third(rows: int) -> None:
    def encode(values: Values) -> np.ndarray:
        first, second = (values > 0.5).T
        return np.stack([first, second, first ^ second], 1) + noise(rows, 3, 0.1)

    def decode(codes: np.ndarray) -> Values:
        return np.stack([codes[:, 0] / 2 + codes[:, 2] / 4, codes[:, 1] / 2 + codes[:, 2] / 4], 1)

    assert groups_of(world(uniform(rows), encode, decode, hues)) == {(0,), (1,), (2,)}


@ROWS
@pytest.mark.parametrize("correlation", [0.5, 0.7, 0.9])
def test_correlated_factors_of_different_places_stay_apart(rows: int, correlation: float) -> None:
    made = world(normal(rows, correlation), lambda values: values, lambda codes: codes, hues)
    assert groups_of(made) == {(0,), (1,)}


@ROWS
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.7])
def test_different_factors_of_one_place_stay_apart(rows: int, correlation: float) -> None:
    made = world(normal(rows, correlation), lambda values: values, lambda codes: codes, hue_and_brightness)
    assert groups_of(made) == {(0,), (1,)}


@ROWS
def test_noise_and_dead_units_stay_alone(rows: int) -> None:
    def encode(values: Values) -> np.ndarray:
        units = [values[:, 0], values[:, 0], values[:, 1], np.zeros(rows), values[:, 0]]
        return np.stack(units, 1) + np.c_[noise(rows, 3, 0.02), noise(rows, 2, 0.02)[:, ::-1]]

    def decode(codes: np.ndarray) -> Values:
        return np.stack([codes[:, :2].mean(1), codes[:, 2]], 1)  # neither noise nor the last copy changes anything

    result = found(world(uniform(rows), encode, decode, hues))
    assert set(result.groups) == {(0, 1), (2,), (3,), (4,)}
    assert set(result.dead) == {3, 4}


def test_vectors_are_grouped_as_numbers_are() -> None:
    made = world(
        uniform(1_000),
        lambda values: np.c_[values[:, [0, 0, 1, 1]]] + noise(1_000, 4, 0.03),
        lambda codes: np.c_[codes[:, :2].mean(1), codes[:, 2:].mean(1)],
        hues,
    )
    wide = np.concatenate([made.codes, made.codes[::-1] * 0.01], 2)
    assert set(group_units(wide, made.effects).groups) == {(0, 1), (2, 3)}


def test_groups_that_depend_on_the_rows_are_said_to_be_unstable() -> None:
    chain = np.eye(9, 8) + np.eye(9, 8, -1)  # each unit holds two of nine values, one of them the next unit's as well

    def decode(codes: np.ndarray) -> Values:
        return np.stack([codes.sum(1), np.zeros(len(codes))], 1)

    made = world(uniform(500, 9), lambda values: values @ chain, decode, hues)
    assert not group_units(made.codes, made.effects).stable


def test_what_is_joined_is_a_group() -> None:
    def encode(values: Values) -> np.ndarray:
        return np.stack([values[:, 0], values[:, 1], values[:, 0] ** 3], 1)

    def decode(codes: np.ndarray) -> Values:
        return np.stack([(codes[:, 0] + np.cbrt(codes[:, 2])) / 2, codes[:, 1]], 1)

    made = world(uniform(500), encode, decode, hues)
    assert set(group_units(made.codes, made.effects).groups) == {(0, 2), (1,)}
    joined = group_units(made.codes, made.effects, joint=[(1, 2), ()])
    assert set(joined.groups) == {(1, 2), (0,)}
    assert sum(joined.effects) == pytest.approx(sum(group_units(made.codes, made.effects).effects))
