import numpy as np
import pytest

from unweave.evaluation.metrics.jacobian_orthogonality import jacobian_orthogonality, mean_cosine


def products(columns):
    """J^T J of a Jacobian [images, pixels, units]."""
    return np.swapaxes(columns, 1, 2) @ columns


ORTHOGONAL = products(np.stack([np.linalg.qr(np.random.default_rng(i).normal(size=(40, 5)))[0] for i in range(6)]))


def test_orthogonal_columns_score_one_and_turned_ones_of_one_length_as_well():
    scores = jacobian_orthogonality(ORTHOGONAL)
    assert scores.orthogonality == pytest.approx(1)
    assert scores.turned == pytest.approx(1)  # of equal lengths: axes mean nothing, and nothing tells them apart
    assert scores.live == [0, 1, 2, 3, 4]


def test_columns_of_several_lengths_are_told_from_turned_ones():
    lengths = np.array([1.0, 2, 4, 8, 16])
    scores = jacobian_orthogonality(ORTHOGONAL * lengths * lengths[:, None])
    assert scores.orthogonality == pytest.approx(1)
    assert scores.turned < 0.7


def test_the_length_of_a_column_does_not_matter():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(6, 30, 4)) + rng.normal(size=(6, 30, 1))
    lengths = np.array([1.0, -3, 0.5, 2])
    assert mean_cosine(products(columns * lengths)) == pytest.approx(mean_cosine(products(columns)))
    cosines = [
        abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
        for image in columns
        for i, a in enumerate(image.T)
        for b in image.T[:i]
    ]
    assert mean_cosine(products(columns)) == pytest.approx(np.mean(cosines))


def test_two_units_of_one_direction_score_zero():
    column = np.random.default_rng(0).normal(size=(6, 30, 1))
    scores = jacobian_orthogonality(products(np.concatenate([column, -2 * column], axis=2)))
    assert scores.orthogonality == pytest.approx(0)


def test_faint_units_are_left_out_and_one_unit_alone_has_no_score():
    faint = np.array([1.0, 1, 0.01, 0, 0])
    scores = jacobian_orthogonality(ORTHOGONAL * faint * faint[:, None])
    assert scores.live == [0, 1]
    assert scores.orthogonality == pytest.approx(1)
    alone = jacobian_orthogonality(ORTHOGONAL[:, :1, :1])
    assert (alone.orthogonality, alone.turned, alone.live) == (None, None, [0])
    assert jacobian_orthogonality(np.zeros((3, 2, 2))).live == []


def test_an_image_in_which_a_unit_moves_nothing_has_no_pairs_of_it():
    still = ORTHOGONAL.copy()
    still[0, 1], still[0, :, 1] = 0, 0
    assert mean_cosine(still) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="NaN"):
        jacobian_orthogonality(np.full((1, 2, 2), np.nan))
