import numpy as np
import torch
from tests.evaluation.shades import Shades, shade_pictures

from unweave.evaluation.spoilt import SpoiltMethod, turning
from unweave.method import Sampling

SAMPLING = Sampling()
PICTURES = shade_pictures(2_000)
CODES = Shades().encode(PICTURES).numpy()[:, :, 0]


def spoilt(first: list[int], second: list[int], doubled: int = 3, noise: int = 2) -> SpoiltMethod:
    return SpoiltMethod(Shades(), torch.from_numpy(turning(CODES, first, second)), doubled, noise)


def test_pictures_are_drawn_as_before() -> None:
    method = spoilt([0], [1, 2])
    drawn = method.decode(method.encode(PICTURES), None, SAMPLING)
    torch.testing.assert_close(drawn, PICTURES, atol=1e-5, rtol=0)
    assert method.players() == []
    assert method.start(2, torch.Generator()) is method.invert(PICTURES, method.encode(PICTURES), SAMPLING) is None


def test_turned_units_are_halves_of_both_and_as_long_as_before() -> None:
    codes = spoilt([0], [1]).encode(PICTURES).numpy()[:, :, 0]
    corr = np.corrcoef(codes[:, :2].T, CODES.T)[:2, 2:4]
    np.testing.assert_allclose(np.abs(corr), np.sqrt(0.5), atol=0.03)
    np.testing.assert_allclose(codes[:, :2].std(0), CODES[:, :2].std(0), rtol=0.05)
    np.testing.assert_allclose(codes[:, 2:4], CODES[:, 2:], atol=1e-6)


def test_a_turn_can_be_undone_and_leaves_the_last_components_of_the_larger_set() -> None:
    turn = turning(CODES, [0, 1], [3])
    assert abs(np.linalg.det(turn)) > 0.1
    turned = CODES @ turn
    np.testing.assert_allclose(turned @ np.linalg.inv(turn), CODES, atol=1e-5)
    np.testing.assert_array_equal(turned[:, 2], CODES[:, 2])
    np.testing.assert_allclose(np.linalg.eigvalsh(np.cov(turned[:, :2].T)), [1 / 3, 1 / 3], rtol=0.1)


def test_the_doubled_unit_has_half_of_its_effect_and_the_noise_none() -> None:
    method = spoilt([0], [1])
    units = method.encode(PICTURES[:2])
    assert units.shape == (2, 4 + 1 + 2, 1)
    torch.testing.assert_close(units[:, 4], units[:, 3])
    moved = units.clone()
    moved[:, 3] = 0
    torch.testing.assert_close(method.decode(moved, None, SAMPLING)[:, 0, 0, 6], units[:, 3, 0] / 2)
    moved[:, 5:] = 7
    torch.testing.assert_close(method.decode(moved, None, SAMPLING)[:, 0, 0, 6], units[:, 3, 0] / 2, atol=1e-5, rtol=0)


def test_noise_is_of_the_image_and_of_nothing_in_it() -> None:
    units = spoilt([0], [1]).encode(PICTURES).numpy()[:, :, 0]
    again = spoilt([0], [1]).encode(PICTURES).numpy()[:, :, 0]
    np.testing.assert_array_equal(units, again)
    noise = units[:, 5:]
    assert noise.std(0).min() > 0.5
    assert np.abs(np.corrcoef(np.column_stack([noise, CODES]).T) - np.eye(6)).max() < 0.1


def test_it_works_in_the_precision_of_the_units() -> None:
    method = spoilt([0], [1])
    units = method.encode(PICTURES[:8].double())
    assert units.dtype == torch.float64
    torch.testing.assert_close(method.decode(units, None, SAMPLING), PICTURES[:8].double(), atol=1e-5, rtol=0)
