import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from unweave.evaluation.metrics.tad import exact_auroc, grid_auroc, tad_folds, tad_grid

BOTH = pytest.mark.parametrize("measure", [tad_folds, tad_grid])


def tables(seed=0, rows=400, noise=0.7, units=3):
    """Three attributes, each told by one unit, and a fourth that says the opposite of the third."""
    rng = np.random.default_rng(seed)
    attributes = (rng.random((rows, 3)) < [0.5, 0.2, 0.4]).astype(np.int64)
    codes = attributes + noise * rng.normal(size=(rows, 3))
    return np.hstack([codes, rng.normal(size=(rows, 2))])[:, :units], np.hstack([attributes, 1 - attributes[:, 2:]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 5, 1000]))
def test_the_exact_area_is_scikit_learns(seed, values):
    rng = np.random.default_rng(seed)
    units = rng.integers(0, values, (50, 3)).astype(float)
    attributes = rng.integers(0, 2, (50, 2))
    attributes[:2] = [[0, 0], [1, 1]]
    expected = [[max(roc_auc_score(a, u), roc_auc_score(a, -u)) for a in attributes.T] for u in units.T]
    assert exact_auroc(units, attributes) == pytest.approx(np.array(expected), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 11, 101]))
def test_the_grid_area_is_the_sum_over_thresholds(seed, levels):
    rng = np.random.default_rng(seed)
    units, attribute = rng.normal(size=(60, 1)), rng.integers(0, 2, 60)
    attribute[:2] = 0, 1
    scaled = (units[:, 0] - units.min()) / np.ptp(units)
    areas = []
    for yes in ([scaled >= t for t in np.linspace(0, 1, levels)], [scaled < t for t in np.linspace(0, 1, levels)]):
        true, false = (np.sort([y[attribute == a].mean() for y in yes]) for a in (1, 0))
        areas.append(sum(true[k + 1] * (false[k + 1] - false[k]) for k in range(levels - 1)))
    assert grid_auroc(units, attribute[:, None], levels) == pytest.approx(max(areas), abs=1e-12)


def test_few_levels_inflate_the_area():
    rng = np.random.default_rng(0)
    attribute = rng.integers(0, 2, (5000, 1))
    units = attribute * 0.95 + rng.normal(size=(5000, 1))
    exact = exact_auroc(units, attribute)[0, 0]
    assert exact == pytest.approx(0.75, abs=0.02)
    assert exact < grid_auroc(units, attribute, 101)[0, 0] < exact + 0.02
    assert exact + 0.04 < grid_auroc(units, attribute, 11)[0, 0] < exact + 0.1


def test_the_score_of_the_folds_by_hand():
    units, attributes = tables()
    captured, total = [], []
    for part, _ in KFold(5, shuffle=True, random_state=0).split(units):
        area = np.sort(exact_auroc(units[part], attributes[part]), axis=0)
        counts = (area[-1] >= 0.75) & [True, True, False, False]  # the last two explain each other
        captured.append(counts.sum())
        total.append((area[-1] - area[-2])[counts].sum())
    assert tad_folds(units, attributes) == pytest.approx(
        {
            "tad": np.mean(total),
            "tad_std": np.std(total),
            "captured": np.mean(captured),
            "captured_std": np.std(captured),
        }
    )
    assert np.mean(captured) > 1


@BOTH
def test_one_clean_unit_per_attribute_scores_about_a_half_each(measure):
    units, attributes = tables(rows=4000, noise=0.1)
    scores = measure(units, attributes[:, :3])
    assert scores["captured"] == 3
    assert scores["tad"] == pytest.approx(1.5, abs=0.1)


def test_codes_of_few_levels_score_lower_on_the_grid_only():  # the counter-example: cleaner is not better
    units, attributes = tables(rows=4000, noise=0.001)
    assert tad_folds(units, attributes[:, :3])["tad"] == pytest.approx(1.5, abs=0.1)
    assert tad_grid(units, attributes[:, :3])["tad"] < 1.3
    assert tad_grid(units, attributes[:, :3], levels=11)["tad"] < 1


@BOTH
def test_random_codes_capture_nothing(measure):
    assert measure(np.random.default_rng(5).normal(size=(400, 4)), tables()[1])["tad"] == 0


@BOTH
def test_an_attribute_that_another_explains_is_not_captured(measure):
    units, attributes = tables(noise=0.05)
    assert measure(units, attributes[:, :3])["captured"] == 3
    assert measure(units, attributes)["captured"] == 2
    copied = np.hstack([attributes[:, :1], attributes[:, :1]])
    assert measure(units, copied)["captured"] == 0


@BOTH
def test_an_attribute_in_two_units_scores_zero(measure):
    units, attributes = tables()
    assert measure(units[:, [0, 0]], attributes[:, :1])["tad"] == pytest.approx(0)


@BOTH
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(3)), st.lists(st.sampled_from([-1.0, 2, -4]), min_size=3))
def test_order_sign_and_scale_do_not_matter(measure, seed, order, scale):
    units, attributes = tables(seed % 1000)
    plain = measure(units, attributes)
    changed = measure(units[:, order] * np.array(scale[:3]), attributes)
    assert 0 <= plain["tad"] <= 0.5 * attributes.shape[1]
    tolerance = 1e-9 if measure is tad_folds else 0.02  # reversed thresholds meet the codes from the other side
    assert changed["tad"] == pytest.approx(plain["tad"], abs=tolerance)
    assert changed["captured"] == plain["captured"]


@BOTH
def test_a_turned_attribute_counts_the_same(measure):
    units, attributes = tables()
    assert measure(units, 1 - attributes)["tad"] == pytest.approx(measure(units, attributes)["tad"], abs=0.05)


def test_a_small_scale_loses_everything_on_the_grid_only():  # the counter-example
    units, attributes = tables(noise=0.05)
    assert tad_grid(units * 0.1, attributes) == {"tad": 0.0, "captured": 0.0}
    assert tad_folds(units * 0.1, attributes)["captured"] == 2


@BOTH
def test_a_rising_warp_changes_the_grid_only(measure):
    units, attributes = tables(noise=0.3)
    same = measure(np.exp(5 * units), attributes)["tad"] == pytest.approx(measure(units, attributes)["tad"])
    assert same == (measure is tad_folds)


@BOTH
def test_constants_and_a_single_unit(measure):
    units, attributes = tables(noise=0.01)
    more = np.hstack([attributes[:, :3], np.zeros((400, 1), np.int64), np.ones((400, 1), np.int64)])
    assert measure(units, more) == measure(units, attributes[:, :3])
    assert measure(units, more * 0)["captured"] == 0
    assert measure(np.full((400, 2), 0.1), attributes)["captured"] == 0
    assert measure(units[:, :1], attributes[:, :1])["tad"] == pytest.approx(0.5, abs=0.02)


@BOTH
def test_what_cannot_be_measured_is_refused(measure):
    units, attributes = tables()
    with pytest.raises(ValueError, match="0 or 1, got 3 values"):
        measure(units, np.arange(len(units))[:, None] % 3)
    assert measure(units, 2 * attributes) == measure(units, attributes)
    with pytest.raises(ValueError, match="NaN"):
        measure(units * np.nan, attributes)


def test_too_few_rows_and_levels_are_refused():
    units, attributes = tables(rows=4)
    with pytest.raises(ValueError, match="folds"):
        tad_folds(units, attributes)
    with pytest.raises(ValueError, match="levels"):
        tad_grid(units, attributes, levels=1)
