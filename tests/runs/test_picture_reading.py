"""The reading of pictures in torch is that of Pillow."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from unweave.data.reading.image_files import decode_image
from unweave.data.reading.intensity import to_size
from unweave.data.settings import Reading
from unweave.runs.picture_reading import PictureReading
from unweave.tensors import to_images


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(32, 32), (33, 32), (97, 61), (200, 333), (20, 9)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_8_bits_are_pillows_to_the_bit(size: tuple[int, int], channels: int) -> None:
    pixels = noise((*size, channels))
    file = io.BytesIO()
    Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(file, "PNG")
    expected = to_images(decode_image(file.getvalue(), (32, 32), channels)[None])
    reading = PictureReading((channels, 32, 32), None)
    assert torch.equal(reading(torch.from_numpy(pixels)[None]), expected)


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("size", [(40, 40), (57, 91), (16, 50)])
def test_other_fits_are_as_they_are_read(fit: str, size: tuple[int, int]) -> None:
    stored = Reading(channels="rgb", range=((0.0, 255.0),) * 3, fit=fit)
    pixels = noise((*size, 3))
    expected = to_images(to_size(pixels, stored, (32, 32))[None])
    assert torch.equal(PictureReading((3, 32, 32), stored)(torch.from_numpy(pixels)[None]), expected)


def test_deep_pictures_are_scaled_first() -> None:
    stored = Reading(channels=(0, 2), range=((100.0, 3000.0), (0.0, 4095.0)))
    numbers = np.random.default_rng(1).integers(0, 4096, (70, 50, 3)).astype(np.uint16)
    expected = to_images(to_size(numbers, stored, (16, 16))[None])
    taken = torch.from_numpy(numbers[None][..., [0, 2]].astype(np.float32))
    got = PictureReading((2, 16, 16), stored)(taken)
    assert (got - expected).abs().max() < 1.01 * 2 / 255  # half of a level falls to either side
    assert ((got - expected).abs() > 1e-6).float().mean() < 0.01


def test_a_batch_is_read_one_by_one() -> None:
    pixels = torch.from_numpy(noise((3, 40, 60, 3)))
    reading = PictureReading((3, 32, 32), None)
    assert torch.equal(reading(pixels), torch.cat([reading(one[None]) for one in pixels]))
