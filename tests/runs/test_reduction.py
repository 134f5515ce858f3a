import numpy as np
import pytest
from sklearn.decomposition import PCA

from unweave.runs import reduction as reduce


def codes(dim=5, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.normal(size=(200, dim)) @ rng.normal(size=(dim, dim)) + unit for unit in range(3)], axis=1)


def test_each_unit_is_reduced_as_by_pca_up_to_sign():
    z = codes()
    reduction = reduce.fit(z)
    scores = reduce.apply(reduction, z)
    for unit in range(3):
        pca = PCA(1).fit(z[:, unit])
        expected = pca.transform(z[:, unit])[:, 0]
        assert min(abs(scores[:, unit] - expected).max(), abs(scores[:, unit] + expected).max()) < 1e-9
        assert reduction.explained[unit] == pytest.approx(pca.explained_variance_ratio_[0])


def test_the_sign_is_fixed_and_directions_have_length_one():
    reduction = reduce.fit(codes())
    assert np.linalg.norm(reduction.direction, axis=1) == pytest.approx(np.ones(3))
    assert (reduction.direction.max(1) == np.abs(reduction.direction).max(1)).all()


def test_scalar_units_pass_through():
    z = codes(1).astype(np.float32)
    reduction = reduce.fit(z)
    assert (reduce.apply(reduction, z) == z[..., 0]).all()
    assert reduction.explained.tolist() == [1, 1, 1]


def test_a_unit_on_a_line_is_kept_whole():
    line = np.arange(10.0)[:, None, None] * np.array([3.0, 4.0])
    reduction = reduce.fit(line)
    assert reduction.explained == pytest.approx([1])
    assert reduce.apply(reduction, line)[:, 0] == pytest.approx(5 * (np.arange(10) - 4.5))


def test_a_unit_that_never_varies_is_zero():
    still = np.ones((10, 2, 3))
    assert (reduce.apply(reduce.fit(still), still) == 0).all()


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(3, 5\)"):
        reduce.apply(reduce.fit(codes(5)), codes(4))
