import pytest
import torch
from torch import nn

from unweave.models.encoder import plain_encoder, residual_encoder


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_release_encoder_has_its_parameters() -> None:
    assert count(residual_encoder((3, 64, 64), 20)) == pytest.approx(1.164e6, rel=0.002)
    assert count(residual_encoder((3, 64, 64), 192)) == pytest.approx(1.516e6, rel=0.002)  # DisDiff with 6 x 32


@pytest.mark.parametrize("side", [16, 32, 64])
@pytest.mark.parametrize("make", [residual_encoder, plain_encoder])
def test_any_multiple_of_16_is_encoded(make: type, side: int) -> None:
    assert make((3, side, side), 7, 16)(torch.rand(2, 3, side, side)).shape == (2, 7)


def test_group_norm_does_not_mix_the_images_of_a_batch() -> None:
    encoder = residual_encoder((3, 32, 32), 5, 16, "group")
    images = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(encoder(images)[:1], encoder(images[:1]), atol=1e-5, rtol=1e-4)


def test_other_sides_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="multiples of 16, got 40 x 40"):
        residual_encoder((3, 40, 40), 5)
