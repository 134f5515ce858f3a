"""On models whose encoder and decoder are known, where every share can be worked out."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.edit_precision import Editor
from unweave.evaluation.metrics.swap_consistency import swap_consistency

CODES = np.random.default_rng(0).integers(0, 200, (60, 3))
ROWS = np.arange(60)


def draw(codes):
    """Images of one pixel whose channels are the codes."""
    return np.asarray(codes).astype(np.uint8)[:, None, None, :]


def encode(images):
    return images[:, 0, 0].astype(np.float64)


def oracle(moves, codes=CODES):
    """A model whose unit i carries the columns moves[i] of the image."""

    def edit(first, second, unit):
        edited = codes[first].copy()
        edited[:, moves[unit]] = codes[second][:, moves[unit]]
        return draw(edited)

    return Editor(len(moves), edit, lambda rows: draw(codes[rows]))


CLEAN = oracle([[0], [1], [2]])


def test_a_unit_that_is_read_back_alone_scores_one():
    measured = swap_consistency(CLEAN, encode, ROWS)
    assert measured.consistency == 1
    assert measured.shares == [1, 1, 1]
    assert measured.landing == np.eye(3).tolist()
    assert measured.live == [0, 1, 2]


def test_a_swap_that_moves_two_units_shares_its_change():
    measured = swap_consistency(oracle([[0, 1], [1], [2]]), encode, ROWS, pairs=5000)
    assert measured.shares == pytest.approx([0.5, 1, 1], abs=0.02)
    assert measured.landing[0] == pytest.approx([0.5, 0.5, 0], abs=0.02)
    assert measured.consistency == pytest.approx(2.5 / 3, abs=0.01)


def test_a_swap_that_moves_another_unit_scores_zero():
    measured = swap_consistency(oracle([[1], [2], [0]]), encode, ROWS)
    assert measured.consistency == 0
    assert measured.live == [0, 1, 2]


def test_a_swap_that_changes_nothing_is_dead_and_left_out():
    measured = swap_consistency(oracle([[0], [], [2]]), encode, ROWS)
    assert measured.live == [0, 2]
    assert measured.shares == [1, 0, 1]
    assert measured.landing[1] == [0, 0, 0]
    assert measured.consistency == 1


def test_a_still_unit_is_dead_and_its_noise_is_left_out():
    def read(images):
        codes = encode(images)
        return np.column_stack([codes, 0.01 * codes[:, 0] + 0.01 * codes[:, 2], np.ones(len(codes))])

    measured = swap_consistency(oracle([[0], [1], [2], [2], []]), read, ROWS)
    assert measured.live == [0, 1, 2]
    assert measured.shares == [1, 1, 1, 0, 0]
    assert measured.spread[4] == 0
    assert 0 < measured.spread[3] < 0.05 * max(measured.spread)


def test_no_live_unit_scores_zero():
    for editor in (oracle([[], [], []]), oracle([[0], [1], [2]], CODES * 0)):
        measured = swap_consistency(editor, encode, ROWS)
        assert (measured.consistency, measured.live, measured.shares) == (0, [], [0, 0, 0])
        json.dumps(measured._asdict(), allow_nan=False)


def test_random_images_are_near_one_over_the_units():
    random = np.random.default_rng(0)
    editor = CLEAN._replace(edit=lambda first, second, unit: draw(CODES[random.permutation(len(first)) % 60]))
    measured = swap_consistency(editor, encode, ROWS, pairs=2000)
    assert measured.shares == pytest.approx([1 / 3] * 3, abs=0.03)


def test_the_change_is_counted_from_the_reconstruction():
    """A decoder that draws everything 20 too bright: what it gets wrong anyway is no change."""
    editor = oracle([[0], [1], [2]], CODES + 20)
    assert swap_consistency(editor, encode, ROWS).consistency == 1


def test_a_leak_is_squared():
    """Unit 0 moves unit 1 half as far as itself, in standard deviations: 1 / (1 + 1/4)."""
    bits = 100 + 40 * (np.arange(64)[:, None] >> np.arange(3) & 1)

    def edit(first, second, unit):
        edited = bits[first].copy()
        edited[:, unit] = bits[second, unit]
        edited[:, 1] += (edited[:, 0] - bits[first, 0]) // 2
        return draw(edited)

    measured = swap_consistency(Editor(3, edit, lambda rows: draw(bits[rows])), encode, np.arange(64), pairs=20_000)
    assert measured.shares == pytest.approx([0.8, 1, 1], abs=0.01)


def vectors(images):
    """Every channel as a unit of two dimensions on a circle."""
    angle = encode(images) / 40
    return np.stack([np.cos(angle), np.sin(angle)], axis=2)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), scale=st.tuples(*[st.floats(0.5, 2)] * 3), turn=st.floats(0, 6))
def test_scale_sign_origin_and_the_basis_of_a_unit_do_not_matter(seed, scale, turn):
    editor = oracle([[0, 1], [1, 2], [2]])
    basis = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def other(images):
        return vectors(images) @ basis * -np.array(scale)[:, None] + 7

    plain, moved = (swap_consistency(editor, read, ROWS, pairs=50, seed=seed) for read in (vectors, other))
    assert moved.shares == pytest.approx(plain.shares)
    assert moved.live == plain.live
    assert all(0 <= share <= 1 for share in plain.shares)


def test_stretching_one_dimension_of_a_vector_unit_does_matter():
    editor = oracle([[0, 1], [1, 2], [2]])
    plain = swap_consistency(editor, vectors, ROWS)
    stretched = swap_consistency(editor, lambda images: vectors(images) * [1, 9], ROWS)
    assert stretched.shares != pytest.approx(plain.shares, abs=1e-3)


def test_the_same_seed_draws_the_same_pairs_of_different_rows():
    def edit(first, second, unit):
        assert (first != second).all()
        assert np.isin([first, second], ROWS[7:20]).all()
        return oracle([[0, 1], [1], [2]]).edit(first, second, unit)

    editor = CLEAN._replace(edit=edit)
    measured = swap_consistency(editor, encode, ROWS[7:20])
    assert measured == swap_consistency(editor, encode, ROWS[7:20])
    assert measured != swap_consistency(editor, encode, ROWS[7:20], seed=1)


def test_errors():
    with pytest.raises(ValueError, match="got 1 rows"):
        swap_consistency(CLEAN, encode, ROWS[:1])
    with pytest.raises(ValueError, match="1 pairs"):
        swap_consistency(CLEAN, encode, ROWS, pairs=1)
    with pytest.raises(ValueError, match="0 units"):
        swap_consistency(CLEAN._replace(units=0), encode, ROWS)
    with pytest.raises(ValueError, match=r"\[512, 2\] or \[512, 2, dim\] .* got \[512, 3\]"):
        swap_consistency(CLEAN._replace(units=2), encode, ROWS)
    with pytest.raises(ValueError, match="NaN or infinite"):
        swap_consistency(CLEAN, lambda images: encode(images) * np.nan, ROWS)
    with pytest.raises(ValueError, match=r"\[4, 3\] .* got \[1, 3\]"):
        swap_consistency(CLEAN, lambda images: encode(images)[:1], ROWS, pairs=4)
    with pytest.raises(ValueError, match="edit gave 3 images for 4 pairs"):
        swap_consistency(CLEAN._replace(edit=lambda first, second, unit: draw(CODES[first[1:]])), encode, ROWS, pairs=4)
