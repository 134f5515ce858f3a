import numpy as np
import pytest

from unweave.evaluation.metrics.model_centrality import centrality, vote_accuracy
from unweave.evaluation.metrics.preparation import random_rotation

GROUPS, IMAGES, UNITS = 80, 8, 4


def drawn(seed=0, units=UNITS):
    """Codes of groups of pictures, one unit of each held fixed."""
    codes = np.random.default_rng(seed).normal(size=(GROUPS, IMAGES, units))
    fixed = np.arange(GROUPS) % units
    codes[np.arange(GROUPS), :, fixed] = codes[np.arange(GROUPS), :1, fixed]
    return codes[..., None], fixed


def turned(codes, seed=0):
    turn = random_rotation(codes.shape[2], np.random.RandomState(seed))
    return np.einsum("giud,uv->givd", codes, turn)


def test_a_model_of_the_same_units_tells_which_was_fixed():
    codes, fixed = drawn()
    assert vote_accuracy(codes, fixed) == 1
    blurred = codes + 0.1 * np.random.default_rng(1).normal(size=codes.shape)
    assert vote_accuracy(blurred, fixed) > 0.95


def test_a_turned_model_tells_less_and_one_that_sees_nothing_tells_little():
    codes, fixed = drawn()
    assert vote_accuracy(turned(codes), fixed) < 0.85
    assert vote_accuracy(np.random.default_rng(1).normal(size=codes.shape), fixed) < 0.5
    assert vote_accuracy(np.zeros(codes.shape), fixed) == pytest.approx(1 / UNITS)


def test_the_order_and_the_scale_of_units_do_not_matter():
    codes, fixed = drawn()
    blurred = codes + np.random.default_rng(1).normal(size=codes.shape)
    changed = blurred[:, :, [2, 0, 3, 1]] * np.array([1.0, -50, 0.1, 3])[:, None] + 7
    assert vote_accuracy(changed, fixed) == vote_accuracy(blurred, fixed)


def test_a_constant_unit_does_not_vote_and_vectors_vote_as_one():
    codes, fixed = drawn()
    assert vote_accuracy(np.concatenate([codes, np.ones_like(codes[:, :, :1])], axis=2), fixed) == 1
    assert vote_accuracy(np.concatenate([codes, -codes], axis=3), fixed) == 1
    codes[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        vote_accuracy(codes, fixed)


def test_the_model_that_the_others_agree_with_is_central():
    accuracy = np.array([[0, 0.9, 0.3], [0.7, 0, 0.5], [0.3, 0.3, 0]])
    assert centrality(accuracy) == pytest.approx([(0.8 + 0.3) / 2, (0.8 + 0.4) / 2, (0.3 + 0.4) / 2])
    assert centrality(accuracy + 5 * np.eye(3)) == pytest.approx(centrality(accuracy))


def test_the_turned_model_among_equal_ones_is_the_least_central():
    codes, fixed = drawn()
    tables = np.ones((4, 4))
    for other in range(3):  # what the turned one reads from the others, and they from it
        tables[3, other] = vote_accuracy(turned(codes), fixed)
        tables[other, 3] = vote_accuracy(turned(drawn(other)[0], seed=1), fixed)
    assert centrality(tables).argmin() == 3


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("shape", [(2, 2), (3, 4)])
def test_two_models_have_no_centre(shape):
    with pytest.raises(ValueError, match="three or more"):
        centrality(np.ones(shape))
