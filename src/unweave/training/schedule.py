"""The learning rate as a function of the images seen."""

from math import cos, pi

from unweave.runs.settings import Decay


def rate_factor(decay: Decay, seen: int, warmup: int, images: int) -> float:
    """What the rate is multiplied by at `seen` images, in [0, 1].

    Rises linearly over `warmup` images; then stays ("constant"), falls by half a cosine to 0 at `images` ("cosine"), or
    stays for three quarters of the budget and falls linearly to 0 over the last ("late").
    """
    if seen < warmup:
        return (seen + 1) / warmup
    if decay == "constant":
        return 1.0
    if decay == "late":
        return min(1.0, 4 * max(0.0, 1 - seen / images))
    done = (seen - warmup) / max(1, images - warmup)
    return 0.5 * (1 + cos(pi * min(1.0, done)))
