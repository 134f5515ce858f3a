"""Networks that others stand on and nobody trains."""

from typing import Any

from torch import nn


class FrozenNetwork(nn.Module):
    """A network without gradient, in eval mode always, whose tensors are in no checkpoint.

    It moves between devices with the module that holds it. Its tensors are left out of that module's `state_dict`,
    and loading such a state leaves them as they are: whoever holds it records where it came from instead.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.register_state_dict_post_hook(_forget)
        self.register_load_state_dict_pre_hook(_remember)

    def train(self, mode: bool = True) -> "FrozenNetwork":
        """Stay in eval mode, whatever `mode` is. (Modules that hold this one call it for all their parts.)"""
        return self


def _forget(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for name in [name for name in state if name.startswith(f"{prefix}network.")]:
        del state[name]


def _remember(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give the loader the tensors that are there, so that it finds none missing."""
    assert isinstance(module, FrozenNetwork)
    for name, tensor in module.network.state_dict(keep_vars=True).items():
        state[f"{prefix}network.{name}"] = tensor
