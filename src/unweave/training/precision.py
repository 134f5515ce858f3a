"""Which precision trains faster here: measured, not assumed."""

import time
from dataclasses import replace

from accelerate import Accelerator

from unweave.method import Batch, Player
from unweave.training.probing import forward_backward, unchanged

IMAGES = 8
"""Of a batch, as many are timed at most on the CPU, where a pass takes as many times longer as it has images: a whole
batch of DisDiff's takes 20 seconds of one core."""


def seconds(players: list[Player], batch: Batch, precision: str, accelerator: Accelerator, repeats: int) -> float:
    """The fastest of `repeats` forward and backward passes; gradients are dropped, no weight changes."""
    best = float("inf")
    for i in range(repeats + 1):  # the first one warms up
        start = time.perf_counter()
        forward_backward(players, batch, precision, accelerator)
        if i > 0:
            best = min(best, time.perf_counter() - start)
    return best


def choose(
    players: list[Player], batch: Batch, accelerator: Accelerator, repeats: int = 3
) -> tuple[str, dict[str, float]]:
    """ "bfloat16" where it is at least 5 % faster than "float32", and the seconds of both; nothing is changed."""
    if accelerator.device.type == "cpu":
        batch = replace(batch, images=batch.images[:IMAGES], index=batch.index[:IMAGES])
    with unchanged(players):
        times = {name: seconds(players, batch, name, accelerator, repeats) for name in ("float32", "bfloat16")}
    return ("bfloat16" if times["bfloat16"] < 0.95 * times["float32"] else "float32"), times
