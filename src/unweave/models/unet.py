"""U-Nets from diffusers, in the shapes our methods use, and the space-to-depth that lets them work on patches."""

from typing import TYPE_CHECKING, NamedTuple

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from unweave.models.attention import NoAttention, PlainAttention
from unweave.tensors import Images

if TYPE_CHECKING:
    import diffusers

Folded = Float[Tensor, "batch folded rows columns"]
"""Images after `to_patches`."""


class UNetShape(NamedTuple):
    """Widths of the levels from fine to coarse, and which of them attend."""

    channels: tuple[int, ...]
    attention: tuple[bool, ...]
    layers: int
    heads: int
    groups: int
    dropout: float


def to_patches(images: Images, patch: int) -> Folded:
    """Space to depth: each patch x patch square becomes one position with patch² times the channels."""
    return rearrange(images, "b c (h p) (w q) -> b (c p q) h w", p=patch, q=patch)


def from_patches(folded: Folded, patch: int) -> Images:
    """Depth to space, the inverse of `to_patches`."""
    return rearrange(folded, "b (c p q) h w -> b c (h p) (w q)", p=patch, q=patch)


def cross_attention_unet(size: int, channels: int, token: int, shape: UNetShape) -> "diffusers.UNet2DConditionModel":
    """A U-Net whose transformer blocks attend to tokens of width `token`.

    `attention_head_dim` means the number of heads in this class of diffusers.
    """
    from diffusers import UNet2DConditionModel

    down = tuple("CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in shape.attention)
    up = tuple("CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(shape.attention))
    unet = UNet2DConditionModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=shape.channels,
        layers_per_block=shape.layers,
        down_block_types=down,
        up_block_types=up,
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=token,
        attention_head_dim=shape.heads,
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=shape.groups,
        dropout=shape.dropout,
    )
    unet.set_attn_processor(PlainAttention())
    zero_outputs(unet)
    return unet


def drop_self_attention(unet: "diffusers.UNet2DConditionModel") -> None:
    """Leaves cross-attention alone: self-attention is not computed and not trained, and its last layer is zero.

    Its weights stay where diffusers has them, so that its own processors, which do compute it, give the same output;
    who trains the U-Net on in diffusers has self-attention again, beginning from nothing.
    """
    from diffusers.models.attention import BasicTransformerBlock

    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            for layer in (block.norm1, block.attn1):
                layer.requires_grad_(False)
            for parameter in block.attn1.to_out.parameters():
                nn.init.zeros_(parameter)
            block.attn1.set_processor(NoAttention())


def modulated_unet(size: int, channels: int, shape: UNetShape) -> "diffusers.UNet2DModel":
    """A U-Net with self-attention only, conditioned by a vector added to the time embedding (AdaGN)."""
    return _self_attention_unet(size, channels, shape, {"class_embed_type": "identity"})


def unconditional_unet(size: int, channels: int, shape: UNetShape) -> "diffusers.UNet2DModel":
    """A U-Net with self-attention and residual blocks that halve and double, as in the latent-diffusion releases."""
    return _self_attention_unet(size, channels, shape, {"downsample_type": "resnet", "upsample_type": "resnet"})


def _self_attention_unet(
    size: int, channels: int, shape: UNetShape, options: dict[str, str]
) -> "diffusers.UNet2DModel":
    """diffusers' U-Net without cross-attention; `options` are those in which our two differ."""
    from diffusers import UNet2DModel

    down = tuple("AttnDownBlock2D" if attends else "DownBlock2D" for attends in shape.attention)
    up = tuple("AttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(shape.attention))
    head = max(1, shape.channels[-1] // shape.heads)
    if shape.heads > 1 and any(width % head for width, attends in zip(shape.channels, shape.attention) if attends):
        raise ValueError(
            f"levels that attend must be multiples of the width of a head, {head} (the widest level by method.heads): "
            f"got {shape.channels}."
        )
    unet = UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=shape.channels,
        layers_per_block=shape.layers,
        down_block_types=down,
        up_block_types=up,
        attention_head_dim=None if shape.heads == 1 else head,  # None: one head at every level
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=shape.groups,
        dropout=shape.dropout,
        **options,
    )
    zero_outputs(unet)
    return unet


def time_width(unet: "diffusers.UNet2DConditionModel | diffusers.UNet2DModel") -> int:
    """Width of the time embedding, to which `modulated_unet` adds its condition."""
    return unet.time_embedding.linear_2.out_features


def zero_outputs(unet: nn.Module) -> None:
    """Zero the last layer of the U-Net and of each residual and transformer branch, as ADM and the releases do.

    The first prediction is then exactly 0, and the first l1 loss on noise E|eps| = 0.798.
    """
    for name, layer in unet.named_modules():
        is_last = name == "conv_out" or (name.rsplit(".", 2)[-1] in {"conv2", "proj_out"})
        if is_last and isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
