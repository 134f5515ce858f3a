"""Attention processors for diffusers' U-Nets: a fast one for the CPU, and one that keeps the maps."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    import diffusers.models.attention_processor


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (batch, head, token, width)


FEW = 32
"""Tokens to attend to, so few that keeping the map of all weights costs no more than the images do."""


class PlainAttention:
    """softmax(q kᵀ / sqrt(d)) v, written out on the CPU for bfloat16 and for few tokens, else torch's fused one.

    `scaled_dot_product_attention` has a slow bfloat16 backward on the CPU: with it a forward and backward of a laptop
    preset's U-Net takes half as long again (benchmarks/unet_speed.py --laptop). In float32 it keeps no map, but is the
    slower one, too: a step of `laptop` by 8 %.
    """

    def __call__(
        self,
        attn: "diffusers.models.attention_processor.Attention",
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (_heads(x, attn.heads) for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)))
        if q.device.type == "cpu" and (q.dtype == torch.bfloat16 or k.shape[2] <= FEW):
            weights = ((q * attn.scale) @ k.transpose(-1, -2)).float().softmax(-1)  # in bfloat16 it is the slower one
            out = weights.to(v.dtype) @ v
        else:
            out = functional.scaled_dot_product_attention(q, k, v)
        return attn.to_out[0](out.transpose(1, 2).flatten(2))


class RecordingAttention:
    """As `PlainAttention`, and keeps the mean over heads of every cross-attention map it computes.

    `maps` collects tensors (batch, position, token) whose last axis sums to one.
    """

    def __init__(self) -> None:
        self.maps: list[Tensor] = []

    def __call__(
        self,
        attn: "diffusers.models.attention_processor.Attention",
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (_heads(x, attn.heads) for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)))
        weights = ((q * attn.scale) @ k.transpose(-1, -2)).softmax(-1, dtype=torch.float32)
        if encoder_hidden_states is not None:
            self.maps.append(weights.mean(1))  # (batch, position, token)
        out = weights.to(v.dtype) @ v
        return attn.to_out[0](out.transpose(1, 2).flatten(2))


class NoAttention:
    """Adds nothing: for self-attention that `unet.drop_self_attention` leaves out, whose last layer is then zero."""

    def __call__(
        self, attn: "diffusers.models.attention_processor.Attention", hidden_states: Tensor, *_: object, **__: object
    ) -> Tensor:
        return hidden_states.new_zeros(())
