"""A loss curve for the terminal, in Braille dots: two to the column, four to the line."""

from collections.abc import Mapping, Sequence

import numpy as np

from unweave.figures.axis import Number, number

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots of a Braille character, by row and column."""


def chart(rows: Sequence[Mapping[str, Number]], term: str, x: str = "seen", width: int = 60, height: int = 5) -> str:
    """One term of a log against images seen: `height` lines of `width` characters, with its range and its last value.

    The axis is logarithmic where all values are positive and span a factor of 20. Values that are not finite are left
    out; an empty string where none is left.
    """
    pairs = np.array([(row[x], row[term]) for row in rows if x in row and term in row], dtype=float).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(1)]
    if not len(pairs):
        return ""
    seen, values = pairs.T
    log = values.min() > 0 and values.max() > 20 * values.min()
    scaled = np.log10(values) if log else values
    low, high = scaled.min(), scaled.max()
    columns = np.interp(np.linspace(seen[0], seen[-1], 2 * width), seen, scaled)
    level = np.round((high - columns) / ((high - low) or 1) * (4 * height - 1)).astype(int)
    bits = np.zeros((height, width), int)
    before = level[0]
    for column, now in enumerate(level):
        for row in range(min(before, now), max(before, now) + 1):  # strokes without holes
            bits[row // 4, column // 2] |= DOTS[row % 4][column % 2]
        before = now
    lines = ["".join(chr(0x2800 + int(bit)) for bit in line) for line in bits]
    ends = [number(float(values.max())), *[""] * (height - 2), number(float(values.min()))]
    edge = max(map(len, ends))
    drawn = "\n".join(f"{end:>{edge}} {line}" for end, line in zip(ends, lines))
    said = f"{term}: {number(float(values[-1]))} after {int(seen[-1]):,} images{', logarithmic' if log else ''}"
    return f"{said}\n{drawn}"
