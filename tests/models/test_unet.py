import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from hypothesis import given
from hypothesis import strategies as st

from unweave.models.attention import PlainAttention, RecordingAttention
from unweave.models.unet import (
    UNetShape,
    cross_attention_unet,
    drop_self_attention,
    from_patches,
    modulated_unet,
    to_patches,
)

TINY = UNetShape((16, 16), (True, True), 1, 2, 4, 0.0)


@given(st.sampled_from([1, 2, 4]), st.sampled_from([1, 3]))
def test_patches_round_trip(patch: int, channels: int) -> None:
    images = torch.rand(2, channels, 8, 8)
    folded = to_patches(images, patch)
    assert folded.shape == (2, channels * patch**2, 8 // patch, 8 // patch)
    assert torch.equal(from_patches(folded, patch), images)


def test_the_first_prediction_is_zero() -> None:
    x, t = torch.randn(2, 3, 8, 8), torch.tensor([3, 900])
    assert cross_attention_unet(8, 3, 8, TINY)(x, t, torch.randn(2, 5, 8)).sample.abs().max() == 0
    modulated = modulated_unet(8, 3, TINY)
    assert modulated(x, t, class_labels=torch.randn(2, 64)).sample.abs().max() == 0


def test_plain_and_recorded_attention_equal_diffusers_own() -> None:
    unet = cross_attention_unet(8, 3, 8, TINY)
    torch.manual_seed(0)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, t, tokens = torch.randn(2, 3, 8, 8), torch.tensor([3, 900]), torch.randn(2, 5, 8)
    outputs = [unet(x, t, tokens).sample]
    recorder = RecordingAttention()
    unet.set_attn_processor(recorder)
    outputs.append(unet(x, t, tokens).sample)
    unet.set_attn_processor(AttnProcessor())
    expected = unet(x, t, tokens).sample
    for output in outputs:
        torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-4)
    assert len(recorder.maps) == 7  # two on the way down, one in the middle, four on the way up
    for attention in recorder.maps:
        torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:2]))


def test_without_self_attention_diffusers_own_attention_gives_the_same() -> None:
    unet = cross_attention_unet(8, 3, 8, TINY)
    drop_self_attention(unet)
    torch.manual_seed(0)
    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    for parameter in trained:
        torch.nn.init.normal_(parameter, std=0.1)
    x, t, tokens = torch.randn(2, 3, 8, 8), torch.tensor([3, 900]), torch.randn(2, 5, 8)
    own = unet(x, t, tokens).sample
    own.square().mean().backward()
    assert all(parameter.grad is not None for parameter in trained)
    assert all("attn1" in name or "norm1" in name for name, p in unet.named_parameters() if not p.requires_grad)
    unet.set_attn_processor(AttnProcessor())
    torch.testing.assert_close(unet(x, t, tokens).sample, own, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_the_release_unet_has_its_parameters() -> None:
    unet = cross_attention_unet(16, 3, 16, UNetShape((64, 128, 256, 256), (True, True, True, False), 2, 8, 32, 0.0))
    count = sum(parameter.numel() for parameter in unet.parameters())
    assert count == pytest.approx(34.80e6, rel=0.001)  # the release: 37.47 M; see methods/encdiff.py for the 7 %
    transformers = [name for name in unet.attn_processors if "attn2" in name]
    assert len(transformers) == 16
    assert isinstance(next(iter(unet.attn_processors.values())), PlainAttention)
