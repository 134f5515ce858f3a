"""What a training step will need of the memory, measured on a few images before the first one."""

import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from unweave import devices
from unweave.config import SettingsError
from unweave.method import Batch, Player
from unweave.runs.settings import TrainingSettings
from unweave.training import malloc
from unweave.training.loop import autocast

SLACK, SCRATCH = 1.5, 128 * 2**20
"""Over what is counted: gaps of the allocator, and scratch of the kernels; see benchmarks/disdiff_speed.py."""


class Watch(TorchDispatchMode):
    """Bytes of the tensors that operations inside the `with` made and that still live, now and at most."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[int] = set()
        self.now = self.most = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        old = {_place(tensor) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and _place(tensor) not in self.known | old:
                storage = tensor.untyped_storage()
                self.known.add(_place(tensor))
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.drop, _place(tensor), storage.nbytes())
        return made

    def drop(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.now -= size


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def check(
    players: list[Player], batch: Batch, settings: TrainingSettings, accelerator: Accelerator, pieces: bool
) -> None:
    """Raises SettingsError, in every process, where a step does not fit into the memory that one of them has free.

    `pieces` says whether the method has a setting `piece`, for the remedy.
    """
    tried = ["float32", "bfloat16"] if settings.precision == "auto" else [settings.precision]  # "auto" runs both
    late = replace(batch, seen=settings.images)  # a critic may come in on the way
    fixed, images = max((estimate(players, late, precision, accelerator) for precision in tried), key=sum)
    free = available(accelerator.device)
    gathered = accelerator.gather(torch.tensor([float(fixed + images - free)], device=accelerator.device))
    assert isinstance(gathered, Tensor)
    if gathered.max().item() <= 0:
        return
    fits = int(settings.batch * (free - fixed) / images) if images else 0
    remedy = f"lower training.batch to {fits}" if fits >= 1 else "choose a smaller network"
    raise SettingsError(
        f"a step of {settings.batch} images needs about {(fixed + images) / 2**30:.2g} GiB of memory, and "
        f"{free / 2**30:.2g} GiB are free: {remedy}"
        + (", or set method.piece=4 (the same gradients, slower)." if pieces else ".")
    )


def activations(player: Player, batch: Batch, count: int, precision: str, accelerator: Accelerator) -> int:
    """The most bytes that a forward and backward pass of `count` images holds at a time, its gradients included."""
    few = replace(batch, images=batch.images[:count], index=batch.index[:count])
    device = batch.images.device
    counted = devices.counts_bytes(device)
    before = devices.start_counting(device) if counted else 0
    watch = Watch()
    with devices.random_states_kept(), watch:  # dropout draws from torch's own generator
        with autocast(precision, accelerator):
            loss = player.module(few, torch.Generator().manual_seed(0))
        accelerator.backward(loss.total)
    most = devices.most_bytes(device) - before if counted else watch.most
    for parameter in player.module.parameters():
        parameter.grad = None
    return most


def estimate(players: list[Player], batch: Batch, precision: str, accelerator: Accelerator) -> tuple[int, int]:
    """Bytes of a step that do not depend on the batch, and bytes for all its images.

    Measured on two small counts of images and carried on along a line, which is right also where an objective computes
    in pieces (`Player.piece`), if both counts are whole pieces. Buffers (BatchNorm statistics) are put back.
    """
    buffers = [(buffer, buffer.clone()) for player in players for buffer in player.module.buffers()]
    held, size = 0.0, len(batch.images)
    for player in players:
        first = player.piece if 0 < 2 * player.piece <= size else min(2, size)
        second = min(2 * first, size)
        low = activations(player, batch, first, precision, accelerator)
        high = activations(player, batch, second, precision, accelerator) if second > first else low
        each = (high - low) / (second - first) if second > first else 0.0
        held = max(held, high + each * (size - second))
    for buffer, before in buffers:
        buffer.copy_(before)
    weights = sum(p.numel() * p.element_size() for player in players for p in player.parameters)
    # the optimiser's two moments and an average; gradients are in `held`
    return 3 * weights + SCRATCH, int(SLACK * held)


def available(device: torch.device) -> int:
    """Free bytes of a device; on the CPU, of the machine, or of this process's control group if that has fewer."""
    own = devices.free_bytes(device)
    if own is not None:
        return own
    malloc.give_back()
    free = int(psutil.virtual_memory().available)
    try:
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            used = int((group / "memory.current").read_text())
            kinds = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            free = min(free, int(limit) - used + int(kinds["inactive_file"]))  # files that were read make room
    except (OSError, ValueError, KeyError):
        pass
    return free // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
