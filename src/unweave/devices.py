"""The accelerator of this machine, of any maker: chosen, waited for, named, its memory, and the states of its noise.

NVIDIA's and AMD's are `cuda` for torch, Intel's `xpu`, Apple's `mps`. Only `cuda` has been tried on hardware; the
others have been tried with torch's functions replaced.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

COUNTING = ("cuda", "xpu")
"""Devices whose torch counts the most bytes that lived at a time."""


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    there = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return torch.device("cpu") if there is None else torch.device(there.type)


def synchronize(device: torch.device | None = None) -> None:
    """Wait until the accelerator has done what it was asked for: a clock that is read before shows too little."""
    if torch.accelerator.is_available() and (device is None or device.type != "cpu"):
        torch.accelerator.synchronize()


def accelerator_name(device: torch.device) -> str:
    """What its maker calls an accelerator, where torch knows it."""
    module = _module(device)
    return str(module.get_device_name(device)) if device.type in COUNTING else f"an accelerator ({device.type})"


def double(tensor: Tensor) -> Tensor:
    """The tensor in float64, where its device has such numbers (Apple's has none), else in float32."""
    return tensor.float() if tensor.device.type == "mps" else tensor.double()


def random_states() -> dict[str, Tensor]:
    """The states of the accelerators' generators, as cuda0, xpu0 or mps0; none where there is only the CPU."""
    device = best_device()
    if device.type == "cpu":
        return {}
    return {f"{device.type}{i}": _module(device).get_rng_state(_place(device, i)) for i in range(_count(device))}


def set_random_states(states: Mapping[str, Tensor]) -> None:
    """Put `random_states` back; devices that are not here are left out."""
    device = best_device()
    if device.type == "cpu":
        return
    for i in range(_count(device)):
        if (state := states.get(f"{device.type}{i}")) is not None:
            _module(device).set_rng_state(state, _place(device, i))


@contextmanager
def random_states_kept() -> Iterator[None]:
    """After the `with`, torch's generators, the CPU's and the accelerators', are as before."""
    before, devices = torch.get_rng_state(), random_states()
    try:
        yield
    finally:
        torch.set_rng_state(before)
        set_random_states(devices)


def counts_bytes(device: torch.device) -> bool:
    """Whether `most_bytes` can be asked."""
    return device.type in COUNTING


def start_counting(device: torch.device) -> int:
    """The bytes that live on an accelerator; `most_bytes` counts from now on."""
    _module(device).reset_peak_memory_stats(device)
    return int(_module(device).memory_allocated(device))


def most_bytes(device: torch.device) -> int:
    """The most bytes that have lived on an accelerator at a time since `start_counting`."""
    return int(_module(device).max_memory_allocated(device))


def free_bytes(device: torch.device) -> int | None:
    """Bytes of an accelerator that are free, what its torch keeps for later not counted; None where it is not known.

    Apple's have the memory of the machine, of which a part is recommended.
    """
    if device.type == "cpu":
        return None
    module = _module(device)
    if device.type in COUNTING:
        module.empty_cache()  # what a stage before this one held
        return int(module.mem_get_info(device)[0])
    if device.type == "mps":
        module.empty_cache()
        return int(module.recommended_max_memory()) - int(module.driver_allocated_memory())
    return None


def _module(device: torch.device) -> Any:
    """torch.cuda, torch.xpu, torch.mps."""
    return torch.get_device_module(device.type)


def _count(device: torch.device) -> int:
    return int(_module(device).device_count())


def _place(device: torch.device, number: int) -> str:
    """Apple's have one device, and no number."""
    return device.type if device.type == "mps" else f"{device.type}:{number}"
