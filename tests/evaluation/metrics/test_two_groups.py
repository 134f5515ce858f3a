import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from unweave.evaluation.metrics import two_groups
from unweave.evaluation.metrics.two_groups import ceiling, design, differences, smallest_p

RNG = np.random.default_rng(0)


def groups(a: int, b: int) -> np.ndarray:
    return np.arange(a + b) >= a


def test_delta_and_p_are_those_of_mann_and_whitney():
    values, in_b = RNG.normal(size=(60, 3)), groups(25, 35)
    values[in_b, 0] += 1
    got = differences(values, in_b)
    for k, difference in enumerate(got):
        assert difference.auroc == pytest.approx(roc_auc_score(in_b, values[:, k]))
        assert difference.p == pytest.approx(stats.mannwhitneyu(values[in_b, k], values[~in_b, k]).pvalue)
        assert difference.low < difference.delta < difference.high
    assert [d.adjusted for d in got] == pytest.approx(stats.false_discovery_control([d.p for d in got]).tolist())
    assert got[0].low > 0


def test_exchanging_the_groups_changes_the_sign():
    values, in_b = RNG.normal(size=(40, 2)), groups(15, 25)
    for there, back in zip(differences(values, in_b), differences(values, ~in_b)):
        assert back.delta == pytest.approx(-there.delta)
        assert back.p == pytest.approx(there.p)
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.02)


def test_the_interval_holds_the_true_value_as_often_as_it_says():
    true, held = stats.norm.cdf(0.6 / np.sqrt(2)) * 2 - 1, 0
    for _ in range(300):
        in_b = groups(40, 40)
        found = differences(RNG.normal(size=(80, 1)) + 0.6 * in_b[:, None], in_b)[0]
        held += found.low <= true <= found.high
    assert 0.91 <= held / 300 <= 0.99


def clustered(replicates: int, rows: int, spread: float = 1.0, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    each = np.repeat(np.arange(replicates), rows)
    return spread * RNG.normal(size=(replicates, columns))[each] + RNG.normal(size=(len(each), columns)), each


def test_random_splits_find_as_much_as_chance_allows():
    """200 random splits of one set: some difference is found in about 5 % of them, each column's in 5 %."""
    values = RNG.normal(size=(120, 10)) @ RNG.normal(size=(10, 10))
    found = [differences(values, RNG.permutation(groups(60, 60))) for _ in range(200)]
    assert 0.03 <= np.mean([[d.p < 0.05 for d in split] for split in found]) <= 0.07
    assert np.mean([any(d.adjusted < 0.05 for d in split) for split in found]) <= 0.09


def test_replicates_keep_the_share_of_false_findings_where_rows_alone_do_not(monkeypatch):
    monkeypatch.setattr(two_groups, "PERMUTATIONS", 199)
    alone, together = [], []
    for _ in range(60):
        values, each = clustered(16, 12)
        in_b = RNG.permutation(groups(8, 8))[each]
        alone += [d.p < 0.05 for d in differences(values, in_b)]
        together += [d.p < 0.05 for d in differences(values, in_b, each)]
    assert np.mean(alone) > 0.3
    assert np.mean(together) < 0.09


def test_replicates_with_both_groups_are_compared_inside(monkeypatch):
    monkeypatch.setattr(two_groups, "PERMUTATIONS", 199)
    values, each = clustered(10, 20, spread=5.0, columns=2)
    in_b = np.tile(groups(10, 10), 10)
    assert design(in_b, each) == "crossed"
    assert all(d.p > 0.01 for d in differences(values, in_b, each))
    values[in_b, 1] += 1.5
    assert differences(values, in_b, each)[1].p == pytest.approx(1 / 200)


def test_too_few_replicates_are_refused():
    in_b = groups(30, 30)
    with pytest.raises(ValueError, match="2 and 2 replicates: 3 of each are needed"):
        differences(RNG.normal(size=(60, 1)), in_b, np.arange(60) // 15)
    with pytest.raises(ValueError, match="have rows of both groups and the others of one"):
        design(in_b, np.concatenate([np.arange(29), [29, 29], np.arange(30, 59)]))
    with pytest.raises(ValueError, match="fewer than 3 rows"):
        design(groups(2, 30), None)


def test_three_replicates_leave_a_wide_interval_and_no_small_p():
    in_b, each = groups(30, 30), np.arange(60) // 10
    apart = differences(np.arange(60.0)[:, None], in_b, each)[0]
    assert apart.delta == 1
    assert apart.low < 0.7
    assert apart.p == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("replicates", "a", "least"), [(6, 3, 0.1), (8, 4, 2 / 70), (7, 3, 1 / 35), (40, 20, 1 / 10_000)]
)
def test_the_smallest_p_is_that_of_the_permutations(replicates, a, least):
    each = np.repeat(np.arange(replicates), 5)
    assert smallest_p(each >= a, each) == pytest.approx(least)


def test_pairs_and_rows_have_a_smallest_p_too():
    assert smallest_p(np.tile([False, True], 3), np.repeat(np.arange(3), 2)) == pytest.approx(2 / 8)
    assert smallest_p(groups(3, 3)) == pytest.approx(0.1)
    assert smallest_p(groups(5_000, 5_000)) == 0


def test_the_ceiling_is_chance_for_noise_and_one_for_what_is_apart():
    values, in_b = RNG.normal(size=(200, 4)), groups(100, 100)
    noise = ceiling(values, in_b)
    assert noise.low < 0.5 < noise.high or abs(noise.auroc - 0.5) < 0.1
    values[in_b, :2] += 2
    apart = ceiling(values, in_b)
    assert apart.auroc > 0.94
    assert apart.auroc > max(d.auroc for d in differences(values, in_b))


def test_the_ceiling_does_not_learn_replicates():
    values, each = clustered(20, 15, spread=3.0, columns=20)
    in_b = RNG.permutation(groups(10, 10))[each]
    assert ceiling(values, in_b).auroc > 0.75
    assert ceiling(values, in_b, each).auroc < 0.75
