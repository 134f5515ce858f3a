"""Ticks of axes and colour bars, and how numbers are written beside them."""

import math

Number = float | int
"""What Python itself takes for a float; the shape checker of the tests wants it said."""


def ticks(low: Number, high: Number, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) in low .. high."""
    if not high > low:
        return [float(low)]
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: Number, high: Number) -> list[float]:
    """Round numbers for a logarithmic axis over 0 < low < high: powers of ten, or finer when those are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers_of_ten = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(powers_of_ten) > 6:
        return powers_of_ten[:: -(-len(powers_of_ten) // 6)]
    if len(powers_of_ten) >= 3:
        return powers_of_ten
    finer = [value for power in powers for factor in (1, 2, 5) if low <= (value := factor * 10.0**power) <= high]
    return finer if len(finer) >= 2 else ticks(low, high)


def format_number(value: Number) -> str:
    """A number in a few characters: 0.05, 1280, 250k, 1.5M, 1e-05."""
    size = abs(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            thousand = 1e3 if letter == "k" else limit
            return f"{value / thousand:.3g}{letter}"
    return "0" if size < 1e-12 else f"{value:.4g}" if size >= 1000 else f"{value:.3g}"
