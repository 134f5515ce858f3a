import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.dci import disentanglement
from unweave.evaluation.metrics.med import (
    information_share,
    informativeness,
    med,
    med_and_top,
    med_of_rotations,
    med_scores,
    top_units,
)
from unweave.evaluation.metrics.preparation import prepare, random_rotation, standardise
from unweave.evaluation.metrics.row_sampling import Tables

GRID = np.stack(np.unravel_index(np.arange(60), (5, 3, 4)), axis=1)
RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (3, 2), (300, 2))
UNITS = FACTORS @ np.array([[1, 0.3, 0], [0, 1, 0.5]]) + 0.2 * RNG.normal(size=(300, 3))


def halves(units, factors=FACTORS):
    return Tables(units[:200], factors[:200]), Tables(units[200:], factors[200:])


def top_med(units, factors, k=1):
    """The scores of the k best units of each factor, and how many units those are."""
    share = information_share(units, factors)
    best = share[top_units(share, k)]
    return med_scores(best) | {"units": float(len(best))}


def test_golden(golden):
    rows = golden.rows["train"]
    tables, expected = (golden.units[rows], golden.factors[rows]), golden.scores["med"]
    names = ("disentanglement", "completeness")
    assert med(*tables) == pytest.approx({name: expected[name] for name in names}, abs=1e-6)
    top = top_med(*tables)
    assert {name: top[name] for name in names} == pytest.approx(
        {name: expected[f"top1_{name}"] for name in names}, abs=1e-6
    )


def test_golden_informativeness(golden):
    parts = [Tables(golden.units[golden.rows[r]], golden.factors[golden.rows[r]]) for r in ("train", "test_10000")]
    scores, expected = informativeness(*parts, n_jobs=1), golden.scores["med"]
    assert scores["informativeness"] == pytest.approx(expected["informativeness_test"], abs=2e-3)
    assert scores["informativeness_train"] == pytest.approx(expected["informativeness_train"], abs=2e-3)


def test_a_unit_per_factor_scores_one():
    perfect = {"disentanglement": 1, "completeness": 1}
    assert med(GRID.astype(float), GRID) == pytest.approx(perfect)
    assert top_med(GRID.astype(float), GRID) == pytest.approx({**perfect, "units": 3})


def test_copies_lower_completeness_only_and_the_best_unit_restores_it():
    twice = np.repeat(GRID, 2, axis=1).astype(float)
    assert med(twice, GRID) == pytest.approx(
        {"disentanglement": 1, "completeness": 1 - np.log(2) / np.log(6)}, abs=1e-6
    )
    assert top_med(twice, GRID)["completeness"] == pytest.approx(1)
    assert top_med(twice, GRID, k=2) == pytest.approx({**med(twice, GRID), "units": 6})


def test_the_share_of_each_factor_sums_to_one_or_to_zero_if_no_unit_knows_it():
    share = information_share(GRID[:, :2].astype(float), GRID)
    assert share == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]))
    assert information_share(np.ones((60, 2)), GRID).sum() == 0
    assert med(np.ones((60, 2)), GRID) == pytest.approx({"disentanglement": 0, "completeness": 0}, abs=1e-9)


def test_the_purest_units_come_first_and_a_factor_takes_k():
    share = np.array([[0.5, 0.1], [0.3, 0.0], [0.2, 0.2], [0.0, 0.7], [0.0, 0.0]])
    assert sorted(top_units(share)) == [1, 3]
    assert sorted(top_units(share, k=2)) == [0, 1, 3]
    assert top_units(share, k=9).tolist()[2:] == [0, 2, 4]
    assert top_units(share[[0, 0, 1]]).tolist() == [2]
    with pytest.raises(ValueError, match="k must be 1 or more, got 0"):
        top_units(share, k=0)


def test_the_rows_of_the_best_units_are_not_normalised_again():
    units = np.concatenate([UNITS, UNITS[:, :1] + RNG.normal(size=(300, 1))], axis=1)
    share = information_share(units, FACTORS)
    best = share[top_units(share)]
    scores = top_med(units, FACTORS)
    assert len(best) == scores["units"] == 2
    assert scores["disentanglement"] == disentanglement(best)
    assert scores["completeness"] == disentanglement(best.T)


def test_one_factor_one_unit_and_constant_factors():
    assert med(UNITS, FACTORS[:, :1])["disentanglement"] == 1
    assert med(UNITS[:, :1], FACTORS)["completeness"] == 1
    more = np.pad(FACTORS, ((0, 0), (1, 0)))
    assert med(UNITS, more) == med(UNITS, FACTORS)
    assert top_med(UNITS, more) == top_med(UNITS, FACTORS)
    assert informativeness(*halves(UNITS, more), n_jobs=1) == informativeness(*halves(UNITS), n_jobs=1)


def test_only_constant_factors_are_refused():
    for score in (med, top_med):
        with pytest.raises(ValueError, match="constant"):
            score(UNITS, FACTORS * 0)
    with pytest.raises(ValueError, match="constant"):
        informativeness(*halves(UNITS, FACTORS * 0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_range_and_invariances(seed, rows, width, count, k):
    rng = np.random.default_rng(seed)
    factors = np.concatenate([rng.integers(0, 4, (rows, count)), [[1] * count]])
    factors[0, 0] = 0
    units = rng.normal(size=(rows + 1, width))
    plain, top = med(units, factors), top_med(units, factors, k=k)
    values = [*plain.values(), top["disentanglement"], top["completeness"]]
    assert -1e-9 <= min(values) <= max(values) <= 1 + 1e-9
    assert top["units"] <= min(width, count * k)
    order, columns = rng.permutation(width), rng.permutation(count)
    changed = med(units[:, order] * 2.0 ** rng.integers(-3, 4, width), factors[:, columns])
    assert changed == pytest.approx(plain, abs=1e-9)


def test_noise_pulls_med_down_but_not_top_med():
    noisy = np.concatenate([UNITS, RNG.normal(size=(300, 60))], axis=1)
    assert med(noisy, FACTORS)["disentanglement"] < med(UNITS, FACTORS)["disentanglement"] - 0.1
    assert top_med(UNITS, FACTORS)["disentanglement"] > 0.4


def test_codes_that_know_nothing_score_little_with_enough_rows():
    rng = np.random.default_rng(0)
    scores = med(rng.normal(size=(10_000, 10)), rng.integers(0, 4, (10_000, 4)))
    assert max(scores.values()) < 0.05


def test_informativeness_is_an_accuracy():
    clear = FACTORS + 0.01 * RNG.normal(size=(300, 2))
    assert set(informativeness(*halves(clear), n_jobs=1).values()) == {1.0}
    noise = informativeness(*halves(RNG.normal(size=(300, 2))), n_jobs=1)
    assert noise["informativeness"] == pytest.approx((1 / 3 + 1 / 2) / 2, abs=0.1)
    train, test = halves(clear)
    later = Tables(test.units, test.factors + np.array([10, 0]))
    assert informativeness(train, later, n_jobs=1)["informativeness"] == 0.5


def test_order_signs_and_scale_hardly_matter_to_informativeness():
    changed = UNITS[:, [2, 0, 1]] * [-1, 1000, 0.001] + 3
    plain = informativeness(*halves(UNITS), n_jobs=1)
    assert informativeness(*halves(changed), n_jobs=1) == pytest.approx(plain, abs=0.01)


# Controls: 10,000 rows of the grid of 3D Shapes, codes that are its standardised factors with noise of 0.02.

SHAPES = np.random.default_rng(0).integers(0, (10, 10, 10, 8, 4, 15), (10_000, 6))


def clean_codes(noise_units=0):
    """The factors with a little noise, and so many units of noise alone."""
    rng = np.random.default_rng(1)
    codes = standardise(SHAPES.astype(float)) + 0.02 * rng.normal(size=SHAPES.shape)
    return np.concatenate([codes, rng.normal(size=(len(codes), noise_units))], axis=1)


def controls(codes):
    scores = med_and_top(information_share(codes, SHAPES))
    return [scores[name] for name in ("disentanglement", "top1_disentanglement", "top2_disentanglement")]


@pytest.mark.slow
def test_controls_of_codes_whose_axes_are_the_factors():
    assert controls(clean_codes()) == pytest.approx([0.950, 0.950, 0.950], abs=0.01)
    few, many = clean_codes(58), clean_codes(500)
    assert controls(many) == pytest.approx([0.355, 0.952, 0.933], abs=0.01)
    assert controls(prepare(few, "standardised")) == pytest.approx([0.794, 0.951, 0.938], abs=0.01)
    assert controls(prepare(few, "unit-length")) == pytest.approx([0.759, 0.925, 0.919], abs=0.01)
    assert controls(many[:, 6:]) == pytest.approx([0.003, 0.012, 0.011], abs=0.01)


@pytest.mark.slow
def test_turned_factors_have_the_score_of_axes_that_mean_nothing():
    random = np.random.RandomState(0)
    turned = [controls(clean_codes() @ random_rotation(6, random))[0] for _ in range(20)]
    assert 0.18 <= min(turned) < max(turned) <= 0.42
    null = med_of_rotations(clean_codes(), SHAPES, random)
    assert min(turned) < null["disentanglement"] < max(turned)
    assert 0 < null["disentanglement_spread"] < 0.1
    again = med_of_rotations(clean_codes() @ random_rotation(6, random), SHAPES, random)
    assert again["top1_disentanglement"] == pytest.approx(null["top1_disentanglement"], abs=0.1)


@pytest.mark.slow
def test_the_null_of_top_k_grows_with_the_width_and_that_of_med_does_not():
    random, expected = np.random.RandomState(0), {16: (0.27, 0.39), 64: (0.28, 0.54), 256: (0.29, 0.64)}
    for width, (plain, best) in expected.items():
        mixed = standardise(SHAPES.astype(float)) @ random.normal(size=(6, width))
        assert controls(mixed)[:2] == pytest.approx([plain, best], abs=0.08)
    tiled = np.tile(clean_codes(), 100)
    assert controls(tiled @ random_rotation(600, random))[1] > 0.6


def test_the_null_sees_neither_origin_nor_scale():
    changed = UNITS * [8.0, 0.5, 3.0] + [1.0, -2.0, 0.5]
    first, second = (med_of_rotations(units, FACTORS, np.random.RandomState(0)) for units in (UNITS, changed))
    assert second == pytest.approx(first, abs=1e-9)


def test_a_rotation_keeps_lengths_and_is_drawn_by_its_seed():
    turn = random_rotation(5, np.random.RandomState(0))
    assert turn @ turn.T == pytest.approx(np.eye(5), abs=1e-12)
    assert (turn == random_rotation(5, np.random.RandomState(0))).all()
    assert abs(random_rotation(1, np.random.RandomState(0))) == 1
    with pytest.raises(ValueError, match="2 or more, got 1"):
        med_of_rotations(UNITS, FACTORS, np.random.RandomState(0), rotations=1)
