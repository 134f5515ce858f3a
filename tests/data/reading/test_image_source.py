import numpy as np

from unweave.data.dataset import Card
from unweave.data.reading import image_source
from unweave.data.reading.image_files import resize_pixels
from unweave.data.reading.image_source import ImageBlock, ImageSource, resize_source

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 20, 24, 3), dtype=np.uint8)


def make_source(reads):
    def read(start, stop):
        reads.append((start, stop))
        return ImageBlock(PIXELS[start:stop], {4: "x"} if start <= 4 < stop else {})

    return ImageSource("a", Card("a", "a", "a"), (3, 20, 24), 9, read)


def test_a_source_is_fitted_in_blocks_of_bounded_size(monkeypatch):
    monkeypatch.setattr(image_source, "RESIZE_BYTES", 2 * PIXELS[0].nbytes)
    reads = []
    small = resize_source(make_source(reads), 8)
    part = small.read(1, 6)
    assert small.shape == (3, 8, 8)
    assert (part.pixels == resize_pixels(PIXELS[1:6], (8, 8))).all()
    assert part.bad == {4: "x"}
    assert reads == [(1, 3), (3, 5), (5, 6)]


def test_a_source_of_the_wanted_size_is_left_as_it_is():
    square = make_source([])
    assert resize_source(square, None) is square
    assert resize_source(square, 24).shape == (3, 24, 24)
