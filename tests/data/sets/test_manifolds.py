import numpy as np
import pytest
from scipy.stats import kurtosis

from unweave.data.open import open_data
from unweave.data.sets import manifolds


def opened(**settings: object) -> manifolds.Manifold:
    dataset = open_data("manifolds", settings)
    assert isinstance(dataset, manifolds.Manifold)
    return dataset


@pytest.mark.parametrize("variant", sorted(manifolds.SCENES))
def test_every_variant_draws_different_pictures_of_its_shape(variant):
    dataset = opened(variant=variant, rows=50)
    images = dataset.images(np.arange(50))
    channels, height, width = dataset.shape
    assert images.shape == (50, height, width, channels)
    assert len({image.tobytes() for image in images}) == 50
    assert 50 < images.max() <= 255
    assert dataset.values.shape == (50, len(dataset.factor_names))
    assert (dataset.factors(np.arange(50)) < dataset.factor_sizes).all()
    assert dataset.images(np.arange(0)).shape == (0, height, width, channels)


def test_classes_follow_the_values_and_settings_change_the_digest():
    dataset = opened(rows=500, levels=7)
    classes = dataset.factors(np.arange(500))
    assert set(np.unique(classes)) == set(range(7))
    assert (np.diff(dataset.values[np.argsort(classes[:, 0], kind="stable")][:, 0]) > -22 / 7).all()
    digests = {
        opened(**{"rows": 500, **other}).digest()
        for other in ({}, {"seed": 1}, {"variant": "disk"}, {"levels": 7}, {"size": 16})
    }
    assert len(digests) == 5
    assert opened(rows=500).digest() in digests


@pytest.mark.parametrize(("name", "low", "high"), [
    ("uniform", -1.3, -1.1), ("two_peaked", -1.6, -1.4), ("gaussian", -0.4, 0.1), ("laplacian", 0.5, 2),
])  # fmt: skip
def test_distributions_have_their_kurtosis_and_independent_factors(name, low, high):
    numbers = manifolds.draw_factors(name, 20_000, 2, np.random.default_rng(0))
    assert ((numbers >= 0) & (numbers <= 1)).all()
    assert abs(numbers.mean() - 0.5) < 0.01
    assert low < kurtosis(numbers.ravel()) < high
    assert abs(np.corrcoef(numbers.T)[0, 1]) < 0.02


def steps(variant: str, where: np.ndarray, factor: int, size: float) -> np.ndarray:
    """How far pictures move for a small step of a factor, at these values."""
    scene = manifolds.SCENES[variant]
    middles = np.arange(scene.side) + 0.5
    moved = where.copy()
    moved[:, factor] += size
    return (
        np.linalg.norm((scene.draw(moved, middles) - scene.draw(where, middles)).reshape(len(where), -1), axis=1) / size
    )


@pytest.mark.parametrize("variant", ["wide_bump", "narrow_bump", "small_bump", "disk"])
def test_a_step_of_a_place_moves_the_picture_equally_far_everywhere(variant):
    where = opened(variant=variant, rows=100).values
    speeds = np.concatenate([steps(variant, where, factor, 0.05) for factor in (0, 1)])
    assert speeds.std() / speeds.mean() < 0.08


def test_brightness_and_size_change_how_far_the_other_factor_moves_the_picture():
    dim, bright = (steps("shaded_bump", np.array([[16.0, level]]), 0, 0.05) for level in (0.25, 1.0))
    assert bright / dim == pytest.approx(4, rel=0.01)
    small, large = (steps("hue_and_size", np.array([[0.1, radius]]), 0, 1e-3) for radius in (4.0, 12.0))
    assert large / small == pytest.approx(3, rel=0.15)
