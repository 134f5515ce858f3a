from typing import Any

import pytest
import torch
from diffusers import UNet2DModel
from torch import nn
from torch.nn import functional

from unweave.models.frozen import FrozenNetwork
from unweave.models.gradient_decoder import (
    AttentionDecoder,
    GradientDecoder,
    TimeThenCondition,
    UNetFeatures,
    check_splittable,
    decoder_half,
    encoder_half,
)
from unweave.models.unet import UNetShape, unconditional_unet

WIDTH = 6
SIZES: dict[str, Any] = {
    "sample_size": 16,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}
PLAIN = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "additive": {},
    "scale and shift": {"resnet_time_scale_shift": "scale_shift"},
    "no attention": {**PLAIN, "add_attention": False},
    "residual resampling": {
        "resnet_time_scale_shift": "scale_shift", "downsample_type": "resnet", "upsample_type": "resnet",
        "down_block_types": ("AttnDownBlock2D",) * 2, "up_block_types": ("AttnUpBlock2D",) * 2,
    },
    "additive, residual resampling": {
        "downsample_type": "resnet", "upsample_type": "resnet",
        "down_block_types": ("AttnDownBlock2D",) * 2, "up_block_types": ("AttnUpBlock2D",) * 2,
    },
    "centred input": {"center_input_sample": True},
    "two layers, three levels": {
        "layers_per_block": 2, "block_out_channels": (8, 8, 16), "down_block_types": ("DownBlock2D",) * 3,
        "up_block_types": ("UpBlock2D",) * 3,
    },
    "learned times": {"time_embedding_type": "learned", "num_train_timesteps": 1000},
    "sines before cosines": {"flip_sin_to_cos": False, "freq_shift": 1},
    "a wide embedding of time": {"time_embedding_dim": 20},
    "no middle": {"mid_block_type": None},
    "a scaled middle": {"mid_block_scale_factor": 1.5},
    "as ours": {},
}  # fmt: skip


def trained(name: str = "additive", **changes: Any) -> UNet2DModel:
    """A frozen U-Net with weights that are nowhere zero."""
    torch.manual_seed(0)
    if name == "as ours":
        unet = unconditional_unet(16, 3, UNetShape((8, 16), (True, False), 1, 2, 4, 0.0))
    else:
        unet = UNet2DModel(**{**SIZES, **CONFIGS[name], **changes})
    for parameter in unet.parameters():
        nn.init.normal_(parameter, std=0.2)
    return FrozenNetwork(unet).network


def inputs(count: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return (
        torch.randn(count, 3, 16, 16, generator=rng),
        torch.tensor([0, 500, 999, 3])[:count],
        torch.randn(count, WIDTH, generator=rng),
    )


def perturbed(module: nn.Module) -> Any:
    """The module with every weight moved, so that nothing is 0 because it began so."""
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))
    return module


@pytest.mark.parametrize("name", CONFIGS)
def test_the_two_halves_are_the_unet(name: str) -> None:
    unet = trained(name)
    x_t, t, _ = inputs()
    with torch.no_grad():
        features = encoder_half(unet, x_t, t)
        expected = unet(x_t, t).sample
        torch.testing.assert_close(decoder_half(unet, features, features.embedding), expected, atol=1e-6, rtol=1e-5)
    assert expected.abs().max() > 1e-3


@pytest.mark.parametrize("kind", [GradientDecoder, AttentionDecoder])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_first_correction_is_exactly_zero(name: str, kind: Any) -> None:
    unet = trained(name)
    x_t, t, condition = inputs()
    features = encoder_half(unet, x_t, t)
    correction = kind(unet, WIDTH)(features, features.embedding, condition)
    assert correction.shape == x_t.shape
    assert correction.abs().max() == 0


@pytest.mark.parametrize("kind", [GradientDecoder, AttentionDecoder])
@pytest.mark.parametrize("name", ["additive", "residual resampling", "as ours"])
def test_times_and_conditions_matter_row_by_row(name: str, kind: Any) -> None:
    unet = trained(name)
    decoder = perturbed(kind(unet, WIDTH)).eval()
    x_t, t, condition = inputs()
    with torch.no_grad():
        features = encoder_half(unet, x_t, t)
        before = decoder(features, features.embedding, condition)
        changed = condition.clone()
        changed[1] += 1
        after = decoder(features, features.embedding, changed)
        later = decoder(features, features.embedding.roll(1, 0), condition)
        alone = decoder(UNetFeatures(*(part[1:2] for part in features[:2]), tuple(s[1:2] for s in features.skips)),
                        features.embedding[1:2], changed[1:2])  # fmt: skip
    moved = (after - before).abs().amax((1, 2, 3))
    assert moved[1] > 1e-4
    assert moved[0] < 1e-6 > moved[2]
    assert (later - before).abs().amax((1, 2, 3)).min() > 1e-4
    torch.testing.assert_close(alone, after[1:2], atol=1e-5, rtol=1e-4)


def test_composed_is_time_first_and_then_the_condition() -> None:
    torch.manual_seed(0)
    time = nn.Linear(10, 2 * 8)
    composed = TimeThenCondition(time, WIDTH)
    h, of_time, of_condition = torch.randn(4, 8), torch.randn(4, 10), torch.randn(4, WIDTH)
    (s_t, b_t), (s_c, b_c) = time(of_time).chunk(2, 1), composed.condition(of_condition).chunk(2, 1)
    scale, shift = composed(torch.cat([of_time, of_condition], 1)).chunk(2, 1)
    torch.testing.assert_close(h * (1 + scale) + shift, (h * (1 + s_t) + b_t) * (1 + s_c) + b_c)


def test_composed_with_a_condition_of_nothing_is_time_alone() -> None:
    time = nn.Linear(10, 16)
    composed = TimeThenCondition(time, WIDTH)
    nn.init.zeros_(composed.condition.weight)
    nn.init.zeros_(composed.condition.bias)
    of_time = torch.randn(4, 10)
    torch.testing.assert_close(composed(torch.cat([of_time, torch.randn(4, WIDTH)], 1)), time(of_time))


def test_the_condition_modulates_every_residual_block_after_time_does() -> None:
    """A block of the decoder, written out: norm, activation, conv; norm, the two affine maps, activation, conv."""
    unet = trained("scale and shift")
    block = perturbed(GradientDecoder(unet, WIDTH)).eval().mid_block.resnets[0]
    h, of_time, condition = torch.randn(2, 16, 4, 4), torch.randn(2, 32), torch.randn(2, WIDTH)
    (s_t, b_t), (s_c, b_c) = (
        part.chunk(2, 1)
        for part in (
            block.time_emb_proj.time(functional.silu(of_time)),
            block.time_emb_proj.condition(functional.silu(condition)),
        )
    )
    inner = block.norm2(block.conv1(functional.silu(block.norm1(h))))
    for scale, shift in ((s_t, b_t), (s_c, b_c)):
        inner = inner * (1 + scale)[..., None, None] + shift[..., None, None]
    expected = h + block.conv2(functional.silu(inner))
    torch.testing.assert_close(block(h, torch.cat([of_time, condition], 1)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["additive", "residual resampling"])
def test_every_block_of_the_decoder_takes_the_condition(name: str) -> None:
    unet = trained(name)
    decoder = perturbed(GradientDecoder(unet, WIDTH))
    x_t, t, condition = inputs()
    features = encoder_half(unet, x_t, t)
    decoder(features, features.embedding, condition).square().sum().backward()
    layers = [module for module in decoder.modules() if isinstance(module, TimeThenCondition)]
    resampling = 1 if name == "residual resampling" else 0
    assert len(layers) == 2 + 4 + resampling  # the middle, two levels of two, and an up-sampler
    for layer in layers:
        assert layer.condition.weight.grad.abs().max() > 0


@pytest.mark.parametrize("kind", [GradientDecoder, AttentionDecoder])
def test_gradients_reach_the_decoder_and_the_condition_and_not_the_frozen_half(kind: Any) -> None:
    unet = trained()
    decoder = perturbed(kind(unet, WIDTH))
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    x_t, t, condition = inputs()
    condition.requires_grad_()
    optimiser = torch.optim.SGD([*decoder.parameters(), *unet.parameters()], 0.1)
    features = encoder_half(unet, x_t, t)
    (decoder(features, features.embedding, condition) - x_t).square().mean().backward()
    optimiser.step()
    used = {name: parameter.grad for name, parameter in decoder.named_parameters()}
    assert all(grad is not None for grad in used.values()), [name for name, grad in used.items() if grad is None]
    assert condition.grad is not None
    assert condition.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())
    assert not {id(parameter) for parameter in decoder.parameters()} & {id(p) for p in unet.parameters()}


@pytest.mark.parametrize("kind", [GradientDecoder, AttentionDecoder])
def test_a_few_steps_from_zero_learn_what_the_condition_says(kind: Any) -> None:
    """The correction is asked to be the condition's first number everywhere; at the start only conv_out can move."""
    unet = trained()
    torch.manual_seed(0)
    decoder = kind(unet, WIDTH)
    x_t, t, condition = inputs()
    target = condition[:, :1, None, None].expand_as(x_t)
    optimiser = torch.optim.Adam(decoder.parameters(), 1e-2)
    features = encoder_half(unet, x_t, t)
    losses = []
    for _ in range(20):
        loss = (decoder(features, features.embedding, condition) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_repeated_rows_are_the_rows_of_a_repeated_batch() -> None:
    unet = trained()
    x_t, t, _ = inputs()
    features, again = (
        encoder_half(unet, x_t, t).repeated(3),
        encoder_half(unet, x_t.repeat_interleave(3, 0), t.repeat_interleave(3)),
    )
    assert len(features.skips) == len(again.skips)
    for one, other in zip([*features[:2], *features.skips], [*again[:2], *again.skips]):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert torch.equal(encoder_half(unet, x_t, t).repeated(1).bottom, encoder_half(unet, x_t, t).bottom)


def test_conditions_in_one_pass_are_those_one_by_one() -> None:
    unet = trained("scale and shift")
    decoder = perturbed(GradientDecoder(unet, WIDTH)).eval()
    x_t, t, _ = inputs()
    conditions = torch.randn(3, 4, WIDTH)
    with torch.no_grad():
        features = encoder_half(unet, x_t, t)
        wide = features.repeated(4)
        together = decoder(wide, wide.embedding, conditions.flatten(0, 1)).unflatten(0, (3, 4))
        for unit in range(4):
            alone = decoder(features, features.embedding, conditions[:, unit])
            torch.testing.assert_close(together[:, unit], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"down_block_types": ("SkipDownBlock2D",) * 2, "up_block_types": ("SkipUpBlock2D",) * 2}, "skip"),
        ({"down_block_types": ("AttnSkipDownBlock2D",) * 2, "up_block_types": ("AttnSkipUpBlock2D",) * 2}, "skip"),
        ({"num_class_embeds": 4}, "classes"),
        ({"class_embed_type": "identity"}, "classes"),
        ({"time_embedding_type": "fourier"}, "Fourier"),
    ],
    ids=["skip", "skip with attention", "classes", "given classes", "continuous time"],
)
def test_unets_that_are_not_ours_are_refused(changes: dict[str, Any], message: str) -> None:
    changes = {"block_out_channels": (32, 32), **changes}  # of the skips, some have 32 groups whatever one says
    with pytest.raises(ValueError, match=message):
        check_splittable(trained(**changes))


def test_a_placed_condition_reaches_single_places_and_begins_with_no_correction() -> None:
    unet = unconditional_unet(16, 3, UNetShape((8, 16), (False, True), 1, 2, 4, 0.0))
    decoder = GradientDecoder(unet, WIDTH, placed=(16, 16))
    plain = GradientDecoder(unet, WIDTH)
    assert set(decoder.state_dict()) - set(plain.state_dict()) == {
        "placed.map.weight",
        "placed.map.bias",
        "placed.position",
    }
    x, t, condition = torch.randn(2, 3, 16, 16), torch.tensor([3, 700]), torch.randn(2, WIDTH)
    features = encoder_half(unet, x, t)
    assert not decoder(features, features.embedding, condition).any()
    assert decoder.placed is not None
    changed = decoder.placed(features, condition).bottom - features.bottom
    assert changed.shape == features.bottom.shape
    assert (changed.flatten(2).std(2) > 0).all()  # other at other places
    moved = [now - before for now, before in zip(decoder.placed(features, condition).skips, features.skips)]
    assert [bool(skip.any()) for skip in moved] == [skip.shape[2:] == (16, 16) for skip in moved]
