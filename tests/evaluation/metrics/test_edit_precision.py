"""On worlds whose images are their factors, where every right answer can be counted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.data.factors import FactorGrid
from unweave.evaluation.metrics.edit_precision import Editor, edit_precision, render_from_grid, summary
from unweave.evaluation.metrics.image_probe import Probe

GRID = FactorGrid(("a", "b", "c"), (4, 3, 5))
ROWS = np.arange(len(GRID))
FACTORS = GRID.factors(ROWS)
PROBE = Probe(lambda images: images[:, 0, 0].astype(np.int64), [1.0, 0.9, 0.8])


def draw(factors):
    """Images of one pixel whose channels are the classes."""
    return np.asarray(factors).astype(np.uint8)[:, None, None, :]


def images(rows):
    return draw(GRID.factors(rows))


def oracle(moves, reconstruct=images):
    """A model whose unit i carries the factors moves[i]."""

    def edit(first, second, unit):
        classes = GRID.factors(first)
        classes[:, moves[unit]] = GRID.factors(second)[:, moves[unit]]
        return draw(classes)

    return Editor(len(moves), edit, reconstruct)


def measure(editor, **options):
    return edit_precision(editor, PROBE, ROWS, FACTORS, **{"pairs": (100, 300), **options})


def test_one_unit_per_factor_scores_one():
    measured = measure(oracle([[2], [0], [1], []]), render=render_from_grid(GRID, images))
    assert (measured.precision, measured.reach) == (1, 1)
    assert measured.unit == [1, 2, 0]
    assert measured.changes == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert measured.ceiling == ([1, 1, 1], [1, 1, 1])
    assert measured.random_unit.precision == pytest.approx([1 / 4] * 3)
    assert measured.random_unit.reach == pytest.approx([1 / 4] * 3)
    assert measured.unedited_changes == measured.unedited_reach == [0, 0, 0]
    assert measured.probe_accuracy == [1.0, 0.9, 0.8]


def test_a_unit_of_two_factors_has_precision_a_half():
    measured = measure(oracle([[0, 1], [2]]))
    assert measured.unit == [0, 0, 1]
    assert measured.assigned.precision == pytest.approx([0.5, 0.5, 1])
    assert measured.assigned.reach == [1, 1, 1]
    assert measured.ceiling is None


def test_a_clean_unit_goes_before_a_mixed_one_that_changes_as_much():
    measured = measure(oracle([[0, 1, 2], [1], [2], [0]]))
    assert measured.unit == [3, 1, 2]
    assert measured.precision == 1


def test_units_that_do_nothing_have_neither_precision_nor_reach():
    measured = measure(oracle([[], []]))
    assert (measured.precision, measured.reach) == (0, 0)
    assert measured.unit == [0, 0, 0]


def test_an_edit_that_gives_the_partner_reaches_everything():
    measured = measure(oracle([[0, 1, 2]]))
    assert measured.reach == 1
    assert measured.precision == pytest.approx(1 / 3)
    assert measured.assigned == measured.random_unit


def test_random_images_are_near_chance():
    random = np.random.default_rng(0)
    editor = Editor(5, lambda first, second, unit: images(random.integers(len(GRID), size=len(first))), images)
    measured = measure(editor, pairs=(500, 1500))
    assert measured.precision == pytest.approx(1 / 3, abs=0.05)
    assert measured.assigned.reach == pytest.approx([1 / 4, 1 / 3, 1 / 5], abs=0.05)


def test_the_right_factor_to_the_wrong_value_has_precision_without_reach():
    def edit(first, second, unit):
        classes, theirs = GRID.factors(first), GRID.factors(second)
        differ = classes[:, unit] != theirs[:, unit]
        size = GRID.sizes[unit]
        other = (classes[:, unit] + 1) % size
        other = np.where(other == theirs[:, unit], (other + 1) % size, other)
        classes[:, unit] = np.where(differ & (size > 2), other, classes[:, unit])
        return draw(classes)

    measured = measure(Editor(3, edit, images))
    assert measured.precision == 1
    assert measured.assigned.reach[0] == measured.assigned.reach[2] == 0


def test_changes_are_counted_against_the_reconstruction():
    """A decoder that always draws c as 0, and else swaps rightly: the loss of c is no edit."""

    def forget(rows):
        return draw(GRID.factors(rows) * [1, 1, 0])

    def edit(first, second, unit):
        classes = GRID.factors(first) * [1, 1, 0]
        classes[:, unit] = GRID.factors(second)[:, unit]
        return draw(classes)

    measured = measure(Editor(2, edit, forget), render=render_from_grid(GRID, images))
    assert measured.changes == [[1, 0, 0], [0, 1, 0]]
    assert measured.assigned == ([1, 1, 0], [1, 1, pytest.approx(measured.unedited_reach[2])])
    assert measured.unedited_changes[:2] == [0, 0]
    assert measured.unedited_changes[2] == pytest.approx(4 / 5, abs=0.1)
    assert measured.unedited_reach[2] == pytest.approx(1 / 5, abs=0.1)
    assert measured.ceiling.precision == [1, 1, 1]


def test_a_poor_probe_lowers_the_ceiling_too():
    """A probe that takes class 0 of a for class 1 misses changes; one that mixes a into b sees too many."""
    blind = Probe(lambda images: np.maximum(images[:, 0, 0].astype(int), [1, 0, 0]), [0.75, 1, 1])
    render = render_from_grid(GRID, images)
    measured = edit_precision(oracle([[0], [1], [2]]), blind, ROWS, FACTORS, render=render, pairs=(200, 600))
    assert measured.assigned == measured.ceiling
    assert measured.precision == 1
    assert measured.assigned.reach[0] == pytest.approx(3 / 4, abs=0.06)
    mixing = Probe(lambda images: images[:, 0, 0].astype(int) + images[:, 0, 0, :1] * [[0, 1, 0]], [1, 0.3, 1])
    measured = edit_precision(oracle([[0], [1], [2]]), mixing, ROWS, FACTORS, render=render)
    assert measured.assigned == measured.ceiling
    share = measured.changes[0][1]  # of the pairs that differ in b, those that differ in a
    assert share == pytest.approx(3 / 4, abs=0.06)
    assert measured.assigned.precision == pytest.approx([1 / (1 + share), 1, 1])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), order=st.permutations(range(4)))
def test_scores_are_in_range_and_the_order_of_the_units_does_not_matter(seed, order):
    moves = [[0, 1], [1], [], [2]]
    measured = measure(oracle(moves), seed=seed)
    turned = measure(oracle([moves[i] for i in order]), seed=seed)
    assert turned.assigned == measured.assigned
    assert turned.precision == measured.precision
    shares = np.array([*measured.assigned, *measured.random_unit, *measured.changes])
    assert ((shares >= 0) & (shares <= 1)).all()


def test_the_same_seed_draws_the_same_pairs_and_the_halves_are_apart():
    row_sets = []

    def edit(first, second, unit):
        row_sets.append((set(first.tolist()), set(second.tolist())))
        assert (first != second).all()
        return oracle([[0]]).edit(first, second, 0)

    places = ROWS[10:50]
    editor = Editor(1, edit, images)
    measured = edit_precision(editor, PROBE, places, FACTORS[10:50], pairs=(400, 400), seed=3)
    (first, second), (third, fourth) = row_sets
    assert first == second
    assert third == fourth
    assert first | third == set(places.tolist())
    assert not first & third
    assert measured == edit_precision(editor, PROBE, places, FACTORS[10:50], pairs=(400, 400), seed=3)
    assert measured != edit_precision(editor, PROBE, places, FACTORS[10:50], pairs=(400, 400), seed=4)


def test_a_constant_factor_is_left_out_and_the_result_is_plain():
    rows = ROWS[FACTORS[:, 1] == 2]
    editor = oracle([[0], [1], [2]])
    measured = edit_precision(editor, PROBE, rows, FACTORS[rows], render=render_from_grid(GRID, images))
    assert measured.factors == [0, 2]
    assert measured.unit == [0, 2]
    assert measured.probe_accuracy == [1.0, 0.8]
    assert (measured.precision, measured.ceiling) == (1, ([1, 1], [1, 1]))
    assert json.loads(json.dumps(measured._asdict(), allow_nan=False))["precision"] == 1


def test_the_summary_holds_the_means():
    measured = measure(oracle([[0, 1], [2]]))
    short = summary(measured)
    assert short["edit_precision"] == measured.precision == pytest.approx(2 / 3)
    assert (short["reach"], short["unedited_changes"]) == (1, 0)
    assert short["probe_accuracy"] == pytest.approx(0.9)
    assert short["random_unit_precision"] == pytest.approx(np.mean([0.25, 0.25, 0.5]))
    assert "ceiling_reach" not in short
    assert summary(measure(oracle([[0]]), render=render_from_grid(GRID, images)))["ceiling_reach"] == 1


def test_errors():
    editor = oracle([[0]])
    with pytest.raises(ValueError, match="got 5 rows, factors of shape"):
        edit_precision(editor, PROBE, ROWS[:5], FACTORS)
    with pytest.raises(ValueError, match="4 in all, got 3"):
        edit_precision(editor, PROBE, ROWS[:3], FACTORS[:3])
    with pytest.raises(ValueError, match="every factor is constant"):
        edit_precision(editor, PROBE, ROWS[:9], FACTORS[:9] * 0)
    with pytest.raises(ValueError, match="0 units"):
        measure(editor._replace(units=0))
    with pytest.raises(ValueError, match="1 pair or more in each half, got 0"):
        measure(editor, pairs=(5, 0))
    with pytest.raises(ValueError, match=r"among 1 pairs of .* give more `pairs`"):
        measure(editor, pairs=(1, 1))
    with pytest.raises(ValueError, match=r"expected labels of shape \(100, 3\), got \(100, 2\)"):
        edit_precision(
            editor, PROBE._replace(label=lambda x: x[:, 0, 0, :2].astype(int)), ROWS, FACTORS, pairs=(100, 100)
        )
    with pytest.raises(ValueError, match="edit gave 99 images for 100 pairs"):
        measure(editor._replace(edit=lambda first, second, unit: images(first[1:])))
