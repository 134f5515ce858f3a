"""Agreement of lines, circles and states: the same under rising functions, turns and reflections."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from unweave.factors.agreement import Ranks, bins_of, rank_agreement, ranks_of, state_agreement, states_of
from unweave.factors.factor import Mode

ROWS = 400
U = np.random.default_rng(0).random(ROWS)
OTHER = np.random.default_rng(1).random(ROWS)
AS_THEY_ARE = np.arange(ROWS)[None]


def line(values: np.ndarray) -> Ranks:
    return ranks_of(values, circular=False)


def circle(values: np.ndarray) -> Ranks:
    return ranks_of(values, circular=True)


def test_lines_agree_by_spearman() -> None:
    from scipy.stats import spearmanr

    noisy = U + 0.3 * OTHER
    assert rank_agreement(line(U), line(noisy)) == pytest.approx(spearmanr(U, noisy).statistic)
    assert rank_agreement(line(U), line(-np.exp(U))) == pytest.approx(1)


@pytest.mark.parametrize("other", [(U + 0.37) % 1, (0.2 - U) % 1, (U**2 + 0.8) % 1])
def test_circles_agree_wherever_they_begin_and_whichever_way_they_run(other: np.ndarray) -> None:
    assert rank_agreement(circle(U), circle(other)) > 0.95


@pytest.mark.parametrize("start", [0, 0.25, 0.61])
def test_a_line_bent_to_a_circle_agrees_with_it(start: float) -> None:
    assert rank_agreement(line(U), circle((U + start) % 1)) > 0.85
    assert rank_agreement(circle((U + start) % 1), line(U)) > 0.85


@pytest.mark.parametrize(
    ("one", "other"), [(line(U), line(OTHER)), (circle(U), line(OTHER)), (circle(U), circle(OTHER))]
)
def test_what_is_independent_does_not_agree(one: Ranks, other: Ranks) -> None:
    assert rank_agreement(one, other) < 0.2


def test_a_distance_on_a_circle_is_not_a_place_on_it() -> None:
    assert rank_agreement(circle(U), circle(np.cos(2 * np.pi * U) / 2 + 0.5)) < 0.8


def test_undefined_values_count_as_the_middle() -> None:
    holes = np.where(OTHER < 0.4, np.nan, U)
    assert 0.5 < rank_agreement(line(U), line(holes)) < rank_agreement(line(U), line(U))
    assert rank_agreement(line(U), line(np.full(ROWS, np.nan))) == 0
    assert rank_agreement(circle(U), circle(np.full(ROWS, np.nan))) == 0


def test_states_agree_by_adjusted_mutual_information() -> None:
    states = tuple(Mode(position, 1 / 3) for position in (0.1, 0.5, 0.9))
    classes = states_of(U, states, closed=False)
    assert (classes.argmax(1) == np.digitize(U, [0.3, 0.7])).all()
    bins = bins_of(np.sin(9 * U) + 0.3 * OTHER)
    expected = adjusted_mutual_info_score(classes.argmax(1), bins.argmax(1), average_method="min")
    orders = np.array([np.arange(ROWS), np.random.default_rng(2).permutation(ROWS)])
    found, shuffled = state_agreement(classes, bins, orders)
    assert found == pytest.approx(expected)
    assert shuffled < 0.05


def test_states_on_a_circle_meet_at_its_ends() -> None:
    states = (Mode(0.0, 0.5), Mode(0.5, 0.5))
    assert states_of(np.array([0.05, 0.4, 0.95]), states, closed=True).argmax(1).tolist() == [0, 1, 0]


def test_one_state_tells_nothing() -> None:
    classes = states_of(U, (Mode(0.5, 1.0),), closed=False)
    assert state_agreement(classes, bins_of(OTHER), AS_THEY_ARE).tolist() == [0]
