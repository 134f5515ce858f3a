import numpy as np
import pytest
from scipy import stats

from unweave.evaluation.seeds import over_runs, t_interval


def test_it_is_students_interval():
    values = [0.2, 0.5, 0.6, 0.4]
    interval = t_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert interval == pytest.approx((np.mean(values), low, high, 4))


def test_it_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = [low <= 0 <= high for _, low, high, _ in (t_interval(rng.normal(size=3).tolist()) for _ in range(2000))]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_two_runs_have_no_interval():
    assert t_interval([1.0, 2.0]) == (1.5, None, None, 2)


def run(value, **more):
    return {"protocols": {"mig@1": {"mig": {"value": value, "low": 0, "high": 1}}, **more}}


def test_over_runs_keeps_what_all_have():
    scores = [run(0.1, extra={"x": {"value": 1}}), run(0.2), run(0.3)]
    intervals = over_runs(scores)
    assert set(intervals) == {"mig@1"}
    assert intervals["mig@1"]["mig"].mean == pytest.approx(0.2)
