import numpy as np

from unweave.evaluation.report.unit_values import followed_factors, unit_states, value_facts
from unweave.runs.unit_ranges import measure_values
from unweave.runs.units import UnitGroup


def test_units_that_copy_and_units_that_are_dead_are_folded() -> None:
    free = np.random.default_rng(0).normal(size=(500, 2))
    values = np.stack([free[:, 0], -2 * free[:, 0] + 0.01 * free[:, 1], free[:, 1], free[:, 1] ** 2], 1)
    states = unit_states(values, [0, 1, 2, 3], [True, True, True, False])
    assert [unit.state for unit in states] == ["live", "copy", "live", "dead"]
    assert [unit.copy_of for unit in states] == [None, 0, None, None]
    assert [unit.state for unit in unit_states(values, [1, 0, 2, 3], [True] * 4)][:2] == ["copy", "live"]


def test_a_unit_follows_what_it_tells_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 2, 400), rng.integers(0, 40, 400), np.arange(400), np.zeros(400, int)], 1)
    values = np.stack([factors[:, 0] + 0.1 * rng.normal(size=400), rng.normal(size=400)], 1)
    first, second = followed_factors(values, factors, ["two", "forty", "row", "still"])
    assert first.factor == "two"
    assert first.information > 0.9
    assert first.purity > 0.8
    assert set(first.shares) == {"two", "forty"}
    assert second is None
    assert followed_factors(values, factors[:, 2:], ["row", "still"]) == [None, None]


def test_values_have_a_range_a_histogram_and_correlations() -> None:
    codes = np.random.default_rng(0).normal(size=(300, 3, 1))
    codes[:, 1] = -codes[:, 0]
    facts = value_facts(measure_values(codes, [UnitGroup(f"unit {i}", [i], str(i)) for i in range(3)]))
    assert facts[0].correlations["1"] < -0.999
    assert abs(facts[0].correlations["2"]) < 0.2
    assert facts[0].range.low < facts[0].range.median < facts[0].range.high
    assert sum(facts[2].histogram.counts) == 300
