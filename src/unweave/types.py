"""The array shapes that metrics see: rows x units, rows x factors (NumPy side, no torch)."""

import numpy as np
from jaxtyping import Float, Int, UInt8

UnitTable = Float[np.ndarray, "rows units"]
"""One number per row (image) and unit."""

WideTable = Float[np.ndarray, "rows numbers"]
"""Every number of every unit of a row (image), for codes whose units are vectors."""

FactorTable = Int[np.ndarray, "rows factors"]
"""Class index of every factor for every row, 0 .. size - 1."""

Pixels = UInt8[np.ndarray, "rows height width channel"]
"""Images as they are stored: 0 .. 255, channels last."""

Rows = Int[np.ndarray, "rows"]
"""Row numbers of a data set."""
