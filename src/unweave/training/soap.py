"""SOAP: Adam in the eigenbasis of the gradients' covariance, here on the smaller side of every matrix."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

Matrices = Float[Tensor, "matrix small large"]


class Soap(Optimizer):
    """One-sided SOAP (Vyas et al. 2024, arXiv:2409.11321): G Gᵀ of each weight is averaged, and Adam runs in its basis.

    A weight is a matrix (outputs, the rest) or, with three axes, a stack of them; the covariance is that of its
    smaller side. All weights of one shape are stepped in one batched product. Vectors, and weights whose smaller side
    is 1 or above `largest`, are stepped by plain AdamW with the same rate and betas. Every `every` steps the basis
    follows the covariance by one power iteration and a QR decomposition.

    Deviations from the paper's algorithm: one side instead of two (its own cheaper variant); the first moment is kept
    in the basis and turned with it, which saves a product at every step; the first step is taken like all others.
    A trainable weight without a gradient is stepped as if its gradient were zero. The tensors of all weights of one
    shape are in the state of the first of them.
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
            for small, weights in by_shape([w for w in group["params"] if w.requires_grad], group["largest"]).items():
                gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
                torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
                state = self.state[weights[0]]
                if small is None:
                    _flat(weights, gradients, state, group)
                else:
                    _matrices(weights, gradients, state, group)
        return loss


def by_shape(weights: list[Tensor], largest: int) -> dict[tuple[int, ...] | None, list[Tensor]]:
    """Weights by their (smaller side, larger side); under None those that have no basis."""
    found: dict[tuple[int, ...] | None, list[Tensor]] = defaultdict(list)
    for weight in weights:
        small, large = (0, 0) if weight.ndim < 2 else as_matrices(weight).shape[1:]
        found[(small, large) if 1 < small <= largest else None].append(weight)
    return found


def as_matrices(weight: Tensor) -> Matrices:
    """(outputs, the rest) as one matrix, three axes as a stack of them, the smaller side first."""
    stack = weight if weight.ndim == 3 else weight.flatten(1)[None]
    return stack if stack.shape[1] <= stack.shape[2] else stack.mT


def _as_weight(stack: Matrices, weight: Tensor) -> Tensor:
    """The inverse of `as_matrices`, in the shape of a weight."""
    rows = weight.shape[1] if weight.ndim == 3 else weight.shape[0]
    return (stack if stack.shape[1] == rows else stack.mT).reshape(weight.shape)


def _flat(weights: list[Tensor], gradients: list[Tensor], state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Adam."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    update = _adam(flat, state, group)
    parts = update.split([weight.numel() for weight in weights])
    torch._foreach_add_(weights, [part.view_as(weight) for part, weight in zip(parts, weights)], alpha=-group["lr"])


def _matrices(weights: list[Tensor], gradients: list[Tensor], state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Adam in the basis, and the basis after it."""
    stack = torch.cat([as_matrices(gradient) for gradient in gradients])
    if not state:
        gram = (1 - group["betas"][1]) * (stack @ stack.mT)
        state |= {"gram": gram, "basis": _first_basis(gram)}
    else:
        state["gram"].baddbmm_(stack, stack.mT, beta=group["betas"][1], alpha=1 - group["betas"][1])
    update = state["basis"] @ _adam(state["basis"].mT @ stack, state, group)
    parts = update.split([len(as_matrices(weight)) for weight in weights])
    torch._foreach_add_(weights, [_as_weight(part, weight) for part, weight in zip(parts, weights)], alpha=-group["lr"])
    if int(state["step"]) % group["every"] == 0:
        _turn(state)


def _adam(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """The direction of Adam, bias corrected."""
    if "step" not in state:
        state |= {"step": torch.zeros(()), "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
    first, second = group["betas"]
    state["step"] = state["step"].cpu() + 1  # a number for Python: reading it waits for no device
    step = int(state["step"])
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    size = (state["square"] / (1 - second**step)).sqrt_().add_(group["eps"])
    return state["mean"] / (1 - first**step) / size


def _first_basis(gram: Tensor) -> Tensor:
    """Eigenvectors, largest first; the identity where a gradient is not finite, which is the loop's to tell."""
    if not gram.isfinite().all():
        return torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).repeat(len(gram), 1, 1)
    return torch.linalg.eigh(gram).eigenvectors.flip(-1).contiguous()


def _turn(state: dict[str, Tensor]) -> None:
    """One power iteration: the basis towards the eigenvectors of the covariance, and the moments with it.

    Second moments cannot be turned; they follow the order of the eigenvalues, as in the paper.
    """
    old = state["basis"]
    product = state["gram"] @ old
    order = (old * product).sum(1).argsort(-1, descending=True)
    basis = torch.linalg.qr(product.gather(2, order[:, None].expand_as(product))).Q.contiguous()
    state["square"] = state["square"].gather(1, order[..., None].expand_as(state["square"]))
    state["mean"] = basis.mT @ (old @ state["mean"])
    state["basis"] = basis
