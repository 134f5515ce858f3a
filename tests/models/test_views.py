import pytest
import torch

from unweave.models.views import RandomViews, changing, random_views, view

ALL = RandomViews(
    crop=0.5, flip=0.5, shift=0.1, jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2, grey=0.3,
    blur=0.5, solarise=0.5, noise=0.05,
)  # fmt: skip


def images(count: int = 6, channels: int = 3, side: int = 16) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def one(seed: int = 1, channels: int = 3, **settings: float) -> torch.Tensor:
    return view(images(channels=channels), RandomViews(**settings), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_in_range_of_one_shape_and_a_function_of_the_seed(channels: int) -> None:
    x = images(channels=channels)
    first, second = random_views(x, ALL, torch.Generator().manual_seed(5), (0, 1))
    again = random_views(x, ALL, torch.Generator().manual_seed(5), (0, 1))
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert not torch.equal(first, second)
    assert first.shape == x.shape
    assert first.min() >= -1
    assert first.max() <= 1


def test_views_do_not_depend_on_the_number_of_processes() -> None:
    x = images(8)
    whole = random_views(x, ALL, torch.Generator().manual_seed(5), (0, 1))
    for process in (0, 1):
        part = slice(4 * process, 4 * process + 4)
        own = random_views(x[part], ALL, torch.Generator().manual_seed(5), (process, 2))
        for i in (0, 1):
            torch.testing.assert_close(own[i], whole[i][part], atol=1e-5, rtol=0)


def test_nothing_set_changes_nothing() -> None:
    torch.testing.assert_close(one(), images(), atol=1e-6, rtol=0)
    assert changing(RandomViews(), 3) == ()
    assert changing(RandomViews(jitter=1.0), 3) == ()
    assert changing(RandomViews(hue=0.5), 3) == ()  # never applied
    assert changing(RandomViews(jitter=1.0, hue=0.5, grey=1.0, shift=0.1), 1) == ("shift",)


def test_a_hue_turn_of_half_a_circle_keeps_lightest_and_darkest_channel() -> None:
    turned = one(jitter=1.0, hue=0.5)
    assert not torch.allclose(turned, images(), atol=0.1)
    for of in (lambda x: x.amax(1), lambda x: x.amin(1)):
        torch.testing.assert_close(of(turned), of(images()), atol=1e-4, rtol=0)


def test_a_grey_view_has_equal_channels() -> None:
    grey = one(grey=1.0)
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    expected = torch.einsum("c,bchw->bhw", torch.tensor([0.299, 0.587, 0.114]), images())
    torch.testing.assert_close(grey[:, 1], expected, atol=1e-4, rtol=0)


def test_a_flip_mirrors_and_a_shift_moves() -> None:
    torch.testing.assert_close(one(flip=1.0), images().flip(3), atol=1e-4, rtol=0)
    ramp = torch.linspace(-1, 1, 16).expand(6, 3, 16, 16)
    moved = view(ramp, RandomViews(shift=0.25), torch.Generator().manual_seed(2))
    step, inner = 2 / 15, moved[:, 0, 8, 4:12]
    torch.testing.assert_close(inner.diff(dim=1), torch.full((6, 7), step), atol=1e-4, rtol=0)
    assert (inner - ramp[:, 0, 8, 4:12]).abs().max() <= 4 * step + 1e-4


def test_brightness_contrast_saturation_blur_noise_and_solarising() -> None:
    ratio = (one(jitter=1.0, brightness=0.3) + 1) / (images() + 1).clamp(min=1e-3)
    assert ratio.flatten(1).median(1).values.min() >= 0.7 - 1e-4
    assert ratio.flatten(1).median(1).values.max() <= 1.3 + 1e-4
    flat = torch.zeros(6, 3, 16, 16)
    for settings in ({"contrast": 0.5}, {"saturation": 0.5}):  # no contrast, no colour: nothing to change
        unchanged = view(flat, RandomViews(jitter=1.0, **settings), torch.Generator().manual_seed(0))
        torch.testing.assert_close(unchanged, flat, atol=1e-4, rtol=0)
        assert not torch.allclose(one(jitter=1.0, **settings), images(), atol=0.05)
    assert one(blur=1.0, blur_width=2.0).std() < 0.9 * images().std()
    noisy = view(flat, RandomViews(noise=0.1), torch.Generator().manual_seed(0))
    assert noisy.std().item() == pytest.approx(0.2, rel=0.05)
    bright = images() >= 0
    torch.testing.assert_close(one(solarise=1.0), torch.where(bright, -images(), images()), atol=1e-5, rtol=0)


def test_only_the_second_view_is_solarised() -> None:
    first, second = random_views(images(), RandomViews(solarise=1.0), torch.Generator().manual_seed(0), (0, 1))
    torch.testing.assert_close(first, images(), atol=1e-6, rtol=0)
    assert not torch.allclose(second, images(), atol=0.1)


def test_a_crop_shows_a_part_larger() -> None:
    x = torch.zeros(64, 1, 16, 16) - 1
    x[:, :, 6:10, 6:10] = 1
    seen = view(x, RandomViews(crop=0.5), torch.Generator().manual_seed(0))
    assert (seen > 0).sum() > 1.1 * (x > 0).sum()
