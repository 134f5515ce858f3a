import numpy as np
import pytest

from unweave.factors.states import find_states

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [1_000, 5_000])
@pytest.mark.parametrize("states", [2, 4, 10])
def test_states_are_found_where_they_are(rows: int, states: int) -> None:
    places = (np.arange(states) + 0.5) / states
    which = RNG.permutation(np.arange(rows) % states)
    modes = find_states((places[which] + RNG.normal(0, 0.01, rows)).clip(0, 1), closed=False)
    assert [mode.position for mode in modes] == pytest.approx(places, abs=0.02)
    assert [mode.share for mode in modes] == pytest.approx([1 / states] * states, abs=0.01)


def test_shares_are_those_of_the_states() -> None:
    modes = find_states(np.repeat([0.2, 0.8], [300, 700]) + RNG.normal(0, 0.02, 1_000), closed=False)
    assert [mode.share for mode in modes] == pytest.approx([0.3, 0.7])


@pytest.mark.parametrize("rows", [500, 1_500, 5_000])
@pytest.mark.parametrize("closed", [False, True])
def test_a_smooth_coordinate_has_none(rows: int, closed: bool) -> None:
    assert find_states(RNG.random(rows), closed) == ()
    assert find_states(RNG.beta(2, 3, rows), closed) == ()


def test_a_state_at_the_seam_of_a_closed_coordinate_is_one() -> None:
    positions = (RNG.choice([0.0, 1 / 3, 2 / 3], 1_200) + RNG.normal(0, 0.02, 1_200)) % 1
    assert len(find_states(positions, closed=True)) == 3
    assert len(find_states(positions, closed=False)) == 4


def test_one_state_alone_is_none() -> None:
    assert find_states(np.full(1_000, 0.5), closed=False) == ()


def test_few_rows_have_none() -> None:
    positions = np.tile([0.2, 0.8], 500)
    assert find_states(positions[:-1], closed=False) == ()
    assert len(find_states(positions, closed=False)) == 2


def test_every_value_of_a_discrete_coordinate_is_a_state() -> None:
    values = np.arange(26) / 25
    modes = find_states(RNG.permutation(np.repeat(values, [12, *[40] * 25])), closed=False)
    assert [mode.position for mode in modes] == pytest.approx(values)
    assert modes[0].share == pytest.approx(12 / 1_012)
