"""The states of a factor: modes of its coordinate, as four lengths of hair."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks, peak_prominences

from unweave.factors.factor import Mode

CELLS = 200
BANDWIDTH = 0.015  # of the coordinate
MIN_FALL = 0.5  # of the height of a mode, before a higher one begins
MIN_SHARE = 0.02  # of the rows
MIN_ROWS = 1_000  # below it chance makes modes of a smooth coordinate
MOST_VALUES = 64  # of a discrete coordinate: each is a state


def find_states(positions: Float[np.ndarray, "rows"], closed: bool) -> tuple[Mode, ...]:
    """The modes of positions in [0, 1], rising: at least two, or none where the coordinate has one or is smooth, and
    where there are fewer than 1,000 rows.

    Modes of a Gaussian kernel estimate (deviation 0.015) that falls to half of their height before a higher one begins,
    with at least 2 % of the rows each; rows belong to the mode on their side of the thinnest place between two. On a
    closed coordinate position 1 is position 0. Positions that take at most 64 values have a state at each. The limits
    are ours.
    """
    if len(positions) < MIN_ROWS:
        return ()
    values, rows = np.unique(positions.round(9), return_counts=True)
    if len(values) <= MOST_VALUES:
        few = [Mode(float(value), float(count / len(positions))) for value, count in zip(values, rows)]
        return tuple(few) if len(few) > 1 else ()
    counts = np.bincount(np.minimum((positions * CELLS).astype(int), CELLS - 1), minlength=CELLS).astype(np.float64)
    density = gaussian_filter1d(counts, BANDWIDTH * CELLS, mode="wrap" if closed else "constant")
    cut = int(density.argmin()) if closed else 0  # a closed coordinate is opened where it is thinnest
    counts, density = np.roll(counts, -cut), np.concatenate([[0.0], np.roll(density, -cut), [0.0]])
    peaks = find_peaks(density)[0]
    peaks = peaks[peak_prominences(density, peaks)[0] >= MIN_FALL * density[peaks]] - 1
    valleys = [left + int(density[left + 1 : right + 1].argmin()) for left, right in zip(peaks, peaks[1:])]
    shares = [part.sum() / len(positions) for part in np.split(counts, valleys)]
    modes = [
        Mode((int(peak) + cut + 0.5) % CELLS / CELLS, float(share))
        for peak, share in zip(peaks, shares)
        if share >= MIN_SHARE
    ]
    return tuple(sorted(modes, key=lambda mode: mode.position)) if len(modes) > 1 else ()
