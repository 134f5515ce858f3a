import numpy as np
import pytest

from unweave.evaluation.metrics.preparation import random_rotation, standardise
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.evaluation.metrics.snc import NO_UNIT, align_units, snc

RNG = np.random.default_rng(0)
FACTORS = np.stack(np.unravel_index(RNG.permutation(600) % 60, (5, 3, 4)), axis=1)
REFERENCE = {"aligned-0": 0.857, "rotated-1": 0.539, "duplicated-2": 0.955, "mixed-4": 0.288, "random-3": 0.163}


def halves(units, factors=FACTORS):
    half = len(units) // 2
    return Tables(units[:half], factors[:half]), Tables(units[half:], factors[half:])


def test_golden(golden, request):
    train, test = (golden.rows[name] for name in ("train", "test_5000"))
    tables = (Tables(golden.units[rows], golden.factors[rows]) for rows in (train[:10_000], test))
    scores = snc(*tables)
    kind = request.node.callspec.params["golden"]
    assert scores["snc_train"] == pytest.approx(REFERENCE[kind], abs=2e-3)
    assert scores["snc"] == pytest.approx(REFERENCE[kind], abs=0.02)
    assert scores["chance"] == pytest.approx((1 / 3 + 1 / 6 + 1 / 10 + 1 / 16 + 1 / 16) / 5)


def test_a_unit_for_each_factor_is_right_and_finds_its_factor_whatever_the_names_of_classes():
    renamed = np.stack([np.random.default_rng(j).permutation(5)[column] for j, column in enumerate(FACTORS.T)], axis=1)
    units = FACTORS[:, [2, 0, 1]] * [-1.0, 3, 1]
    full = Tables(units, renamed)
    assert align_units(full).unit.tolist() == [1, 2, 0]
    assert snc(full, full) == pytest.approx({"snc": 1, "snc_train": 1, "chance": (1 / 5 + 1 / 3 + 1 / 4) / 3})


def test_copies_cost_nothing_and_turning_costs_much():
    full = Tables(np.repeat(FACTORS, 2, axis=1).astype(float), FACTORS)
    assert snc(full, full)["snc"] == 1
    turned = Tables(standardise(FACTORS.astype(float)) @ random_rotation(3, np.random.RandomState(1)), FACTORS)
    assert snc(turned, turned)["snc"] < 0.8


def test_codes_that_know_nothing_have_chance():
    rng = np.random.default_rng(1)
    factors = rng.integers(0, (5, 3), (8000, 2))
    scores = snc(*halves(rng.normal(size=(8000, 4)), factors))
    assert scores["snc"] == pytest.approx(scores["chance"], abs=0.03)


def test_a_factor_without_a_unit_counts_chance():
    full = Tables(FACTORS[:, :1].astype(float), FACTORS[:, :2])
    assert align_units(full).unit.tolist() == [0, NO_UNIT]
    assert snc(full, full)["snc"] == pytest.approx((1 + 1 / 3) / 2)


def test_classes_of_unequal_frequency_are_missed_at_the_edges():
    factors = (np.arange(100) < 80).astype(np.int64)[:, None]
    full = Tables(factors.astype(float) + 1e-3 * np.arange(100)[:, None], factors)
    assert snc(full, full)["snc"] == pytest.approx(0.7)
