"""The gradient decoder: a second, conditioned half of a frozen U-Net that turns codes into corrections of its output.

Zhang et al., "Unsupervised representation learning from pre-trained diffusion probabilistic models" (PDAE),
arXiv:2212.12990; DisDiff (arXiv:2301.13721) runs it once per unit. Works on any `UNet2DModel` of diffusers.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unweave.models.unet import zero_outputs
from unweave.tensors import Images, Times

if TYPE_CHECKING:
    import diffusers

Conditions = Float[Tensor, "batch condition"]


class UNetFeatures(NamedTuple):
    """What the encoder half of a U-Net makes of noised images."""

    embedding: Float[Tensor, "batch time"]  # of the time-step
    bottom: Images
    skips: tuple[Images, ...]  # fine to coarse

    def repeated(self, times: int) -> "UNetFeatures":
        """Every row `times` times in a row."""
        return UNetFeatures(
            self.embedding.repeat_interleave(times, 0),
            self.bottom.repeat_interleave(times, 0),
            tuple(skip.repeat_interleave(times, 0) for skip in self.skips),
        )


def check_splittable(unet: "diffusers.UNet2DModel") -> None:
    """Raises ValueError for a U-Net whose halves do more than `encoder_half` and `decoder_half` do."""
    if any("Skip" in type(block).__name__ for block in [*unet.down_blocks, *unet.up_blocks]):
        raise ValueError("the denoiser has skip convolutions (SkipDownBlock2D), and cannot be split into two halves.")
    if unet.class_embedding is not None:
        raise ValueError("the denoiser is conditioned on classes, and here it must be unconditional.")
    if unet.config.time_embedding_type == "fourier":
        raise ValueError("the denoiser has a Fourier embedding of a continuous time; here times are 0..999.")


def encoder_half(
    unet: "diffusers.UNet2DModel", x_t: Images, t: Times, condition: Conditions | None = None
) -> UNetFeatures:
    """The encoder half of the U-Net; a condition is for a U-Net that `add_condition` has changed.

    `check_splittable` says which U-Nets can be split.
    """
    x = 2 * x_t - 1 if unet.config.center_input_sample else x_t
    embedding = unet.time_embedding(unet.time_proj(t.expand(x_t.shape[0])).to(x_t.dtype))
    if condition is not None:
        embedding = torch.cat([embedding, condition], 1)
    x = unet.conv_in(x)
    skips: tuple[Images, ...] = (x,)
    for block in unet.down_blocks:
        x, new = block(hidden_states=x, temb=embedding)
        skips += tuple(new)
    # contiguous: on the CPU the gradient of torch's GroupNorm crashes on channels-last inputs that need none (2.13)
    return UNetFeatures(embedding, x.contiguous(), skips)


def decoder_half(half: Any, features: UNetFeatures, embedding: Tensor) -> Images:
    """The decoder half (of a U-Net, or a `GradientDecoder`) on these features."""
    x, skips = features.bottom, features.skips
    if half.mid_block is not None:
        x = half.mid_block(x, embedding)
    for block in half.up_blocks:
        count = len(block.resnets)
        skips, used = skips[:-count], skips[-count:]
        x = block(x, used, embedding)
    return half.conv_out(half.conv_act(half.conv_norm_out(x)))


class TimeThenCondition(nn.Module):
    """Scale and shift by the time, then by the condition, as one: h → (h (1 + s_t) + b_t)(1 + s_c) + b_c.

    Takes the place of diffusers' `time_emb_proj`; its input is the activated embedding of both, one behind the other.
    """

    def __init__(self, time: nn.Linear, width: int) -> None:
        super().__init__()
        self.split = [time.in_features, width]
        self.time = time
        self.condition = nn.Linear(width, time.out_features)

    def forward(self, embedding: Float[Tensor, "batch both"]) -> Float[Tensor, "batch channels"]:
        time, condition = embedding.split(self.split, 1)
        s_t, b_t = self.time(time).chunk(2, 1)
        s_c, b_c = self.condition(condition).chunk(2, 1)
        return torch.cat([(1 + s_t) * (1 + s_c) - 1, b_t * (1 + s_c) + b_c], 1)


def add_condition(network: nn.Module, width: int) -> None:
    """Condition every residual block of a network by a vector of this width, after the time."""
    from diffusers.models.resnet import ResnetBlock2D

    for block in [module for module in network.modules() if isinstance(module, ResnetBlock2D)]:
        block.time_emb_proj = TimeThenCondition(block.time_emb_proj, width)


class GradientDecoder(nn.Module):
    """Middle, decoder half and output of a U-Net of the same shape, newly initialised, conditioned by a vector.

    It shares the frozen encoder half's features. The condition (batch, `width`) modulates every residual block after
    the time does; the last convolution is zero, so that the first correction is 0. Blocks are conditioned by scale and
    shift also where the frozen U-Net adds its time embedding. Scale and shift are the same at all positions; with
    `placed`, the sides of what the U-Net denoises, the condition has a way to places as well (`Placed`).
    """

    def __init__(self, unet: "diffusers.UNet2DModel", width: int, placed: tuple[int, int] | None = None) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        config = {key: value for key, value in unet.config.items() if not key.startswith("_")}
        config["resnet_time_scale_shift"] = "scale_shift"
        twin = UNet2DModel.from_config(config)
        self.mid_block, self.up_blocks = twin.mid_block, twin.up_blocks
        self.conv_norm_out, self.conv_act, self.conv_out = twin.conv_norm_out, twin.conv_act, twin.conv_out
        add_condition(self, width)
        zero_outputs(self)
        channels = config["block_out_channels"]
        self.placed = None if placed is None else Placed(width, channels[0], channels[-1], placed)

    def forward(self, features: UNetFeatures, embedding: Float[Tensor, "batch time"], condition: Conditions) -> Images:
        """The correction: features of the frozen half, the embedding of the time, the condition."""
        if self.placed is not None:
            features = self.placed(features, condition)
        return decoder_half(self, features, torch.cat([embedding, condition], 1))


class Placed(nn.Module):
    """A condition's way to single places: it is added to the coarsest features as a map of 4 x 4 positions, and a
    learnt embedding of the position to the finest ones, which scale and shift by the condition then tell apart. Ours.
    """

    def __init__(self, width: int, finest: int, coarsest: int, sides: tuple[int, int]) -> None:
        super().__init__()
        self.map = nn.Linear(width, coarsest * 16)
        self.position = nn.Parameter(0.3 * torch.randn(1, finest, *sides))

    def forward(self, features: UNetFeatures, condition: Conditions) -> UNetFeatures:
        embedding, bottom, skips = features
        placed = self.map(condition).unflatten(1, (-1, 4, 4))
        placed = nn.functional.interpolate(placed, bottom.shape[2:], mode="bilinear")
        sides = self.position.shape[2:]
        finest = tuple(skip + self.position if skip.shape[2:] == sides else skip for skip in skips)
        return UNetFeatures(embedding, bottom + placed, finest)


class AttentionDecoder(nn.Module):
    """As `GradientDecoder`, but the condition is the one token of cross-attention, where the U-Net attends at all."""

    def __init__(self, unet: "diffusers.UNet2DModel", width: int) -> None:
        from diffusers import UNet2DConditionModel
        from diffusers.models.unets.unet_2d_blocks import CrossAttnUpBlock2D

        super().__init__()
        config = unet.config
        heads = tuple(max(1, count // (config.attention_head_dim or count)) for count in config.block_out_channels)
        twin = UNet2DConditionModel(
            sample_size=config.sample_size,
            in_channels=config.in_channels,
            out_channels=config.out_channels,
            block_out_channels=tuple(config.block_out_channels),
            layers_per_block=config.layers_per_block,
            down_block_types=tuple(_cross_attention_block(name) for name in config.down_block_types),
            up_block_types=tuple(_cross_attention_block(name) for name in config.up_block_types),
            mid_block_type="UNetMidBlock2DCrossAttn",
            cross_attention_dim=width,
            attention_head_dim=heads,
            time_embedding_dim=config.time_embedding_dim,
            resnet_time_scale_shift="scale_shift",
            norm_num_groups=config.norm_num_groups,
            dropout=config.dropout,
        )
        self.mid_block, self.up_blocks = twin.mid_block, twin.up_blocks
        self.conv_norm_out, self.conv_act, self.conv_out = twin.conv_norm_out, twin.conv_act, twin.conv_out
        self.attends = [isinstance(block, CrossAttnUpBlock2D) for block in self.up_blocks]
        zero_outputs(self)

    def forward(self, features: UNetFeatures, embedding: Float[Tensor, "batch time"], condition: Conditions) -> Images:
        token = condition.unsqueeze(1)
        x, skips = self.mid_block(features.bottom, embedding, encoder_hidden_states=token), features.skips
        for block, attends in zip(self.up_blocks, self.attends):
            count = len(block.resnets)
            skips, used = skips[:-count], skips[-count:]
            context = {"encoder_hidden_states": token} if attends else {}
            x = block(hidden_states=x, res_hidden_states_tuple=used, temb=embedding, **context)
        return self.conv_out(self.conv_act(self.conv_norm_out(x)))


def _cross_attention_block(name: str) -> str:
    """The block of `UNet2DConditionModel` for one of `UNet2DModel`."""
    return {"AttnDownBlock2D": "CrossAttnDownBlock2D", "AttnUpBlock2D": "CrossAttnUpBlock2D"}.get(name, name)
