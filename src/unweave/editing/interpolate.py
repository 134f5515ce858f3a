"""From one image to another, through units and start."""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_partners, check_start, decode_chunks
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, encode_images
from unweave.runs.unit_ranges import CurveRange
from unweave.runs.units import check_units
from unweave.tensors import Images


def interpolate_units(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    steps: int | Sequence[float | int],
    units: Sequence[int] | None = None,
    *,
    sampling: Sampling,
    start: Start,
    partner_start: Start = None,
    curves: Sequence[tuple[Sequence[int], CurveRange]] = (),
    discrete: Collection[int] = (),
    batch: int = 64,
) -> Float[Tensor, "step batch channel height width"]:
    """`steps` images from each image (first) towards its partner (last), or at these shares of the way; in [-1, 1].

    Linear in the listed units (all when None), but for those of `curves`, which go along their curve together, and
    `discrete` ones, which are the image's or the partner's, whichever is nearer; spherical in the start where `start`
    and `partner_start` are both tensors of Gaussian noise; else every step keeps `start`. At most `batch` images are
    decoded at a time.
    Raises TypeError for a method without a decoder, ValueError for fewer than 2 steps, no shares or shares outside
    [0, 1], a unit that is not there, or partners of another shape.
    """
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    check_start(partner_start, len(images))
    weights = interpolation_weights(steps)
    with evaluating(generative):
        codes, partner_codes = (encode_images(generative, side, batch) for side in (images, partners))
        units = check_units(range(codes.shape[1]) if units is None else units, codes.shape[1])
        edited = codes.repeat(len(weights), 1, 1)  # (step · batch, unit, dim)
        first, last = codes[:, units], partner_codes[:, units]
        jumps = torch.tensor([unit in discrete for unit in units], device=codes.device)[:, None]
        ways = [
            torch.where(jumps, last if weight > 0.5 else first, torch.lerp(first, last, weight)) for weight in weights
        ]
        edited[:, units] = torch.cat(ways)
        for on_curve, curve in curves:
            there = check_units(on_curve, codes.shape[1])
            edited[:, there] = curve.between(codes[:, there], partner_codes[:, there], weights).flatten(0, 1)
        rows = torch.arange(len(images), device=codes.device).repeat(len(weights))
        if isinstance(start, Tensor) and isinstance(partner_start, Tensor):
            start = torch.cat([slerp(start, partner_start, weight) for weight in weights])  # (step · batch, ...)
            rows = torch.arange(len(edited), device=codes.device)
        chunks = [chunk for _, chunk in decode_chunks(generative, edited, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(weights), len(images)))


def interpolation_weights(steps: int | Sequence[float | int]) -> list[float]:
    """Where between image (0) and partner (1) the pictures are: evenly from end to end, or as listed.

    Raises ValueError for fewer than 2 steps, none listed, or one outside [0, 1].
    """
    if isinstance(steps, int):
        if steps < 2:
            raise ValueError(f"steps must be at least 2, the two ends, got {steps}.")
        return torch.linspace(0, 1, steps).tolist()
    if isinstance(steps, str):
        raise ValueError(f"steps are their number, or shares of the way as [0, 0.5, 1]; got {steps!r}.")
    if len(steps) == 0 or not all(0 <= share <= 1 for share in steps):
        listed = ", ".join(map(str, steps)) or "none"
        raise ValueError(f"how far to go (alpha) is from 0, the image, to 1, its partner; got {listed}.")
    return [float(share) for share in steps]


def slerp(
    noise: Float[Tensor, "batch *rest"], other: Float[Tensor, "batch *rest"], weight: float
) -> Float[Tensor, "batch *rest"]:
    """From `noise` (weight 0) to `other` (weight 1) on the great circle (appendix D.5 of arXiv:2010.02502).

    Per row. Gaussian noise keeps its norm, which a straight line would lose half-way. Linear for rows so nearly
    parallel that the circle is not defined.
    """
    a, b = noise.flatten(1), other.flatten(1)  # (batch, number)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    theta = torch.arccos(cosine).unsqueeze(1)
    along_a = torch.sin((1 - weight) * theta) / torch.sin(theta)
    along_b = torch.sin(weight * theta) / torch.sin(theta)
    straight = cosine.abs().unsqueeze(1) > 1 - 1e-6
    mixed = torch.where(straight, torch.lerp(a, b, weight), along_a * a + along_b * b)
    return mixed.reshape(noise.shape)
