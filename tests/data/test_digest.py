import numpy as np
from tests.data.in_memory import InMemory

from unweave.data.reading.image_source import Labels


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_the_digest_sees_pixels_factors_and_names():
    pixels, classes = noise(6, 8, 8, 1), np.arange(6)[:, None] % 2
    labels = Labels(("a",), (2,), classes)
    other = pixels.copy()
    other[5, 7, 7] += 1
    datasets = [
        InMemory("a", pixels, labels),
        InMemory("a", pixels),
        InMemory("a", other, labels),
        InMemory("a", pixels, labels._replace(classes=1 - classes)),
        InMemory("a", pixels, labels._replace(names=("b",))),
    ]
    assert len({dataset.digest() for dataset in datasets}) == 5
    assert datasets[0].digest() == InMemory("b", pixels.copy(), labels).digest()
