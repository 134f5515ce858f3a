"""In which directions of x_t the expected picture changes most, inside a mask and not outside: nothing is trained.

Chen, Zhang, Guo, Liu, Shen, Wang & Qu, "Exploring low-dimensional subspaces in diffusion models for controllable image
editing" (LOCO Edit), NeurIPS 2024, arXiv:2409.02374. The function f(x_t) = E[x_0 | x_t] of a denoiser is nearly linear
around an x_t of middle noise, and its Jacobian J nearly of low rank: J's first right singular vectors are directions in
which the picture changes, each by its left singular vector. With P the projection of pictures to a mask, those of P J
change what is inside; the part of them that (1 - P) J takes to nothing leaves the outside as it is.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from unweave import progress
from unweave.tensors import Images

Vectors = Float[Tensor, "vector _ _ _"]
"""Changes of one x_t, or of one picture."""

SPARE = 3
"""Vectors beyond those that are asked for, with which the last of these converge sooner."""
CHUNK = 8
"""Vectors at a time."""
MOST_AVOIDED, WEAK = 20, 0.05
FEW = 64
"""Numbers of a point, of which so many are taken all: their Jacobian is computed whole, and nothing is repeated."""


class Directions(NamedTuple):
    """Right singular vectors of a Jacobian, the strongest first."""

    vectors: Vectors  # of length 1, at right angles
    gains: Float[Tensor, "vector"]  # singular values: how long the change of the picture is, for one of length 1


def local_directions_at(
    function: Callable[[Tensor], Images],
    point: Float[Tensor, "1 _ _ _"],
    mask: Float[Tensor, "height width"],
    count: int,
    null_rank: int | None,
    *,
    iterations: int = 10,
    seed: int = 0,
) -> Directions:
    """Directions in which the picture changes inside the mask, at right angles to `null_rank` that change the outside.

    `function` maps each x_t of a batch to its picture. With `null_rank` 0 the outside may change as it will; with None
    those of MOST_AVOIDED (at most half of all numbers) are avoided whose gain is at least a twentieth of the first's.
    Deviation: LOCO Edit takes the null space's part of the masked directions when these are found; here every step of
    the iteration keeps to it, so that what is found is the strongest of what leaves the outside.
    """
    avoided = None
    outside = 1 - mask
    if null_rank != 0 and outside.any():
        rank = min(MOST_AVOIDED, point.numel() // 2) if null_rank is None else null_rank
        strongest = leading_directions(function, point, outside, rank, iterations=iterations, seed=seed + 1)
        kept = strongest.gains >= (WEAK if null_rank is None else 0) * strongest.gains[0]
        avoided = strongest.vectors[kept]
    return leading_directions(function, point, mask, count, avoided, iterations=iterations, seed=seed)


def leading_directions(
    function: Callable[[Tensor], Images],
    point: Float[Tensor, "1 _ _ _"],
    mask: Float[Tensor, "height width"],
    count: int,
    avoided: Float[Tensor, "avoided _ _ _"] | None = None,
    *,
    iterations: int = 10,
    seed: int = 0,
) -> Directions:
    """The first `count` right singular vectors of mask · J at right angles to those `avoided`, by subspace iteration.

    Each step multiplies with J and with its transpose; the last one turns the vectors to the singular ones, which alone
    is exact where all vectors that there is room for are taken. Raises ValueError for more than there is room for.
    """
    room = point.numel() - (0 if avoided is None else len(avoided))
    if not 1 <= count <= room:
        raise ValueError(f"{count} directions where there is room for {room}.")
    rng = torch.Generator().manual_seed(seed)
    taken = room if point.numel() <= FEW else min(count + SPARE, room)
    vectors = orthonormal(without(torch.randn(taken, *point.shape[1:], generator=rng).to(point), avoided))
    iterations = 0 if taken == room else iterations
    with progress.task("directions", iterations + 1) as task:
        for step in range(iterations):
            changes = mask * push(function, point, vectors)
            vectors = orthonormal(without(pull(function, point, mask * changes), avoided))
            task.update(step + 1)
        changes = (mask * push(function, point, vectors)).flatten(1)
    turn, gains, _ = torch.linalg.svd(changes, full_matrices=False)
    turned = (turn.T @ vectors.flatten(1)).unflatten(1, point.shape[1:])
    return Directions(signed(turned)[:count], gains[:count])


def push(function: Callable[[Tensor], Images], point: Tensor, vectors: Vectors) -> Vectors:
    """J v of every vector: how the picture changes.

    It is the transpose of u -> Jᵀ u, in reverse mode twice: the forward mode of torch lacks layers that U-Nets have.
    """
    parts = []
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no second derivative
        for part in vectors.split(CHUNK):
            points = point.detach().expand_as(part).clone().requires_grad_()
            pictures = function(points)
            changes = torch.zeros_like(pictures, requires_grad=True)
            (back,) = torch.autograd.grad(pictures, points, changes, create_graph=True)
            parts.append(torch.autograd.grad(back, changes, part)[0].detach())
    return torch.cat(parts)


def pull(function: Callable[[Tensor], Images], point: Tensor, changes: Vectors) -> Vectors:
    """Jᵀ u of every change of the picture."""
    parts = []
    with torch.enable_grad():
        for part in changes.split(CHUNK):
            points = point.detach().expand(len(part), *point.shape[1:]).clone().requires_grad_()
            parts.append(torch.autograd.grad(function(points), points, part)[0])
    return torch.cat(parts)


def without(vectors: Vectors, avoided: Float[Tensor, "avoided _ _ _"] | None) -> Vectors:
    """The part of vectors at right angles to those that are avoided, which have length 1 and are at right angles."""
    if avoided is None:
        return vectors
    flat, other = vectors.flatten(1), avoided.flatten(1)
    return (flat - flat @ other.T @ other).view_as(vectors)


def orthonormal(vectors: Vectors) -> Vectors:
    """Vectors of length 1 at right angles that span the same."""
    basis, _ = torch.linalg.qr(vectors.flatten(1).T)
    return basis.T.reshape(vectors.shape)


def signed(vectors: Vectors) -> Vectors:
    """Each with its largest number positive: a singular vector has no sign of its own."""
    flat = vectors.flatten(1)
    largest = flat.gather(1, flat.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()[:, :, None, None]
