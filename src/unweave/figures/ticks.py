"""Ticks of axes and colour bars, and how numbers are written beside them."""

Number = float | int
"""What Python itself takes for a float; the shape checker of the tests wants it said."""


def ticks(low: Number, high: Number, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) in low .. high."""
    from matplotlib.ticker import MaxNLocator

    marks = MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(low, high) if high > low else []
    return [float(mark) for mark in marks if low <= mark <= high] or [float(low)]


def format_number(value: Number) -> str:
    """A number in a few characters: 0.05, 1280, 250k, 1.5M, 1e-05."""
    size = abs(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            thousand = 1e3 if letter == "k" else limit
            return f"{value / thousand:.3g}{letter}"
    return "0" if size < 1e-12 else f"{value:.4g}" if size >= 1000 else f"{value:.3g}"
