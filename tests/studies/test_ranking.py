import numpy as np
import pytest

from unweave.evaluation.seeds import t_interval
from unweave.studies.ranking import difference, mean_ranks, rank_correlation, ranks, variance_shares


def test_a_paired_difference_does_not_see_what_seeds_share() -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(size=5)
    one, other = ({seed: float(luck[seed] + gap + 0.01 * rng.normal()) for seed in range(5)} for gap in (0.1, 0.0))
    found = difference(one, other, "other")
    assert found.paired
    assert found.interval == t_interval([one[seed] - other[seed] for seed in range(5)])
    assert 0.05 < found.interval.low < 0.1 < found.interval.high < 0.15


def test_without_a_common_seed_there_is_no_interval() -> None:
    found = difference({0: 1.0}, {1: 0.25}, "other")
    assert (found.paired, found.interval.mean, found.interval.low) == (False, 0.75, None)


def test_ranks_of_far_methods_are_sure_and_of_near_ones_are_not() -> None:
    values = {"far": [5.0, 5.5, 4.5, 5.2], "near": [0.0, 1.0, 0.4, 0.2], "nearer": [0.1, 0.9, 0.5, 0.2]}
    found = ranks({name: dict(enumerate(of_seed)) for name, of_seed in values.items()})
    assert (found["far"].place, found["far"].low, found["far"].high) == (1, 1, 1)
    assert {(found[name].low, found[name].high) for name in ("near", "nearer")} == {(2, 3)}
    assert sorted(rank.place for rank in found.values()) == [1, 2, 3]


def test_a_method_with_two_seeds_leaves_all_ranks_without_interval() -> None:
    found = ranks({"a": {0: 1.0, 1: 2.0}, "b": {0: 0.0, 1: 0.5, 2: 0.5}})
    assert found["a"].place == 1
    assert {rank.low for rank in found.values()} == {None}


def test_ranks_cover_the_true_one_nearly_as_often_as_they_say() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(40):
        found = ranks({str(i): dict(enumerate(rng.normal(0.3 * i, 0.5, 4))) for i in range(4)})
        hits += sum(found[str(i)].low <= 4 - i <= found[str(i)].high for i in range(4))
    assert hits / 160 > 0.9


def test_mean_ranks_are_over_methods_that_all_sets_have() -> None:
    scores = {seed: float(seed) / 100 for seed in range(3)}
    high = {seed: 1 + value for seed, value in scores.items()}
    found = mean_ranks({"x": {"a": high, "b": scores, "c": scores}, "y": {"a": high, "b": scores}})
    assert set(found) == {"a", "b"}
    assert (found["a"].mean, found["b"].mean) == (1, 2)
    assert mean_ranks({"x": {"a": high, "b": scores}}) == {}


def test_variance_shares_sum_to_one_and_know_where_it_comes_from() -> None:
    runs = [(method, f"{method} {beta}", base + tilt) for method, base in (("a", 0.0), ("b", 10.0))
            for beta, tilt in ((1, 0.0), (2, 1.0)) for _ in range(3)]  # fmt: skip
    shares = variance_shares(runs)
    assert shares.methods + shares.settings + shares.seeds == pytest.approx(1)
    assert shares.methods > 0.9
    assert shares.seeds == pytest.approx(0, abs=1e-12)
    assert variance_shares(runs[:1]) is None
    assert variance_shares([("a", "a", 1.0)] * 3) is None


def test_rank_correlation_needs_four_runs() -> None:
    assert rank_correlation([(1.0, 1.0), (2.0, 4.0), (3.0, 9.0), (4.0, 16.0)]) == pytest.approx(1)
    assert rank_correlation([(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]) is None
    assert rank_correlation([(1.0, 1.0)] * 5) is None
