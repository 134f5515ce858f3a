"""The golden code tables: what the reference implementations of the metrics return for them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[4] / "shared" / "golden"
KINDS = ("aligned-0", "rotated-1", "duplicated-2", "random-3", "mixed-4")


class Golden(NamedTuple):
    units: np.ndarray
    factors: np.ndarray
    rows: dict[str, np.ndarray]
    scores: dict[str, Any]


@pytest.fixture(params=KINDS)
def golden(request: pytest.FixtureRequest) -> Golden:
    if not GOLDEN.is_dir():
        pytest.skip(f"no golden tables at {GOLDEN}")
    name = f"dsprites46k-{request.param}"
    sizes = (3, 6, 10, 16, 16)
    return Golden(
        np.load(GOLDEN / f"{name}.npy"),
        np.stack(np.unravel_index(np.arange(46080), sizes), axis=1),
        dict(np.load(GOLDEN / "rows.npz")),
        json.loads((GOLDEN / f"{name}.json").read_text()),
    )
