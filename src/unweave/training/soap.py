"""SOAP: Adam in the eigenbasis of the gradients' covariance, here on the smaller side of every matrix."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam

Matrices = Float[Tensor, "matrix small large"]
Sides = tuple[int, int]
"""(smaller, larger) side of a matrix; (0, 0) for what is stepped without a basis."""


class Soap(Optimizer):
    """One-sided SOAP (Vyas et al. 2024, arXiv:2409.11321): G Gᵀ of each weight is averaged, and Adam runs in its basis.

    A weight is a matrix (outputs, the rest) or, with three axes, a stack of them; the covariance is that of its
    smaller side. All weights of one shape are turned in one batched product, and torch's fused Adam steps all weights
    of a group in one pass. Vectors, and weights whose smaller side is 1 or above `largest`, are stepped by plain AdamW
    with the same rate and betas. Every `every` steps the basis follows the covariance by one power iteration and a QR
    decomposition.

    Deviations from the paper's algorithm: one side instead of two (its own cheaper variant); the first moment is kept
    in the basis and turned with it, which saves a product at every step; the first step is taken like all others.
    A trainable weight without a gradient is stepped as if its gradient were zero. The trainable weights of a group stay
    the same and are of one type on one device; their state is that of the first of them: `mean` and `square`, flat, and
    `gram` and `basis` of every shape.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        weight_decay: float = 0.01,
        every: int = 10,
        largest: int = 256,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "weight_decay": weight_decay, "every": every, "largest": largest, "eps": eps},
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.requires_grad]
            if weights:
                _step(by_shape(weights, group["largest"]), self.state[weights[0]], group)
        return loss


def by_shape(weights: list[Tensor], largest: int) -> dict[Sides, list[Tensor]]:
    """Weights by their sides; under (0, 0) those that have no basis."""
    found: dict[Sides, list[Tensor]] = defaultdict(list)
    for weight in weights:
        small, large = (0, 0) if weight.ndim < 2 else as_matrices(weight).shape[1:]
        found[(small, large) if 1 < small <= largest else (0, 0)].append(weight)
    return found


def as_matrices(weight: Tensor) -> Matrices:
    """(outputs, the rest) as one matrix, three axes as a stack of them, the smaller side first."""
    stack = weight if weight.ndim == 3 else weight.flatten(1)[None]
    return stack if stack.shape[1] <= stack.shape[2] else stack.mT


def _as_weight(stack: Matrices, weight: Tensor) -> Tensor:
    """The inverse of `as_matrices`, in the shape of a weight."""
    rows = weight.shape[1] if weight.ndim == 3 else weight.shape[0]
    return (stack if stack.shape[1] == rows else stack.mT).reshape(weight.shape)


def _step(shapes: dict[Sides, list[Tensor]], state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Every gradient into its basis, Adam on all of them at once, its steps back out; then the bases follow."""
    weights = [weight for members in shapes.values() for weight in members]
    flat = torch.empty(sum(weight.numel() for weight in weights), dtype=weights[0].dtype, device=weights[0].device)
    for (sides, members), part in zip(shapes.items(), _parts(flat, shapes)):
        gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in members]
        if sides == (0, 0):
            torch.cat([gradient.flatten() for gradient in gradients], out=part)
        else:
            stack = torch.cat([as_matrices(gradient) for gradient in gradients])
            torch.bmm(_basis(stack, sides, state, group["betas"][1]).mT, stack, out=part)
    steps = _adam(flat, state, group)
    updates: list[Tensor] = []
    for (sides, members), part in zip(shapes.items(), _parts(steps, shapes)):
        if sides == (0, 0):
            pieces = part.split([weight.numel() for weight in members])
            updates += [piece.view(weight.shape) for piece, weight in zip(pieces, members)]
        else:
            pieces = (state[_name("basis", sides)] @ part).split([len(as_matrices(weight)) for weight in members])
            updates += [_as_weight(piece, weight) for piece, weight in zip(pieces, members)]
    torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
    torch._foreach_add_(weights, updates, alpha=group["lr"])
    if int(state["step"]) % group["every"] == 0:
        for sides, mean, square in zip(shapes, _parts(state["mean"], shapes), _parts(state["square"], shapes)):
            if sides != (0, 0):
                _turn(state[_name("gram", sides)], state[_name("basis", sides)], mean, square)


def _parts(flat: Tensor, shapes: dict[Sides, list[Tensor]]) -> list[Tensor]:
    """Views of a vector over all weights: a stack of matrices for each shape, a vector for what has no basis."""
    parts = flat.split([sum(weight.numel() for weight in members) for members in shapes.values()])
    return [part if sides == (0, 0) else part.view(-1, *sides) for sides, part in zip(shapes, parts)]


def _name(what: str, sides: Sides) -> str:
    return f"{what} {sides[0]}x{sides[1]}"


def _basis(stack: Matrices, sides: Sides, state: dict[str, Tensor], beta: float) -> Tensor:
    """The covariance takes in the gradients; the basis, which begins with its first eigenvectors."""
    gram, basis = _name("gram", sides), _name("basis", sides)
    if gram in state:
        state[gram].baddbmm_(stack, stack.mT, beta=beta, alpha=1 - beta)
    else:
        state[gram] = (1 - beta) * (stack @ stack.mT)
        state[basis] = _first_basis(state[gram])
    return state[basis]


def _adam(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """Adam's step of rate 1, bias corrected: where it leads from 0."""
    if "step" not in state:
        state |= {"step": torch.zeros(()), "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
    if state["mean"].shape != gradient.shape:
        raise ValueError(
            "the state of SOAP in this checkpoint is not of these weights (or is of an earlier version of unweave): "
            "the run cannot go on, train anew with another --run."
        )
    state["step"] = state["step"].cpu()  # a number for Python: reading it waits for no device
    steps = torch.full((), float(state["step"]), device=gradient.device)
    state["step"] += 1
    taken = torch.zeros_like(gradient)
    adam(
        [taken], [gradient], [state["mean"]], [state["square"]], [], [steps],
        fused=True, amsgrad=False, beta1=group["betas"][0], beta2=group["betas"][1], lr=1.0, weight_decay=0.0,
        eps=group["eps"], maximize=False,
    )  # fmt: skip
    return taken


def _first_basis(gram: Tensor) -> Tensor:
    """Eigenvectors, largest first; the identity where a gradient is not finite, which is the loop's to tell."""
    if not gram.isfinite().all():
        return torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).repeat(len(gram), 1, 1)
    return torch.linalg.eigh(gram).eigenvectors.flip(-1).contiguous()


def _turn(gram: Tensor, basis: Tensor, mean: Matrices, square: Matrices) -> None:
    """One power iteration, in place: the basis towards the eigenvectors of the covariance, and the moments with it.

    Second moments cannot be turned; they follow the order of the eigenvalues, as in the paper.
    """
    product = gram @ basis
    order = (basis * product).sum(1).argsort(-1, descending=True)
    new = torch.linalg.qr(product.gather(2, order[:, None].expand_as(product))).Q
    square.copy_(square.gather(1, order[..., None].expand_as(square)))
    mean.copy_(new.mT @ (basis @ mean))
    basis.copy_(new)
