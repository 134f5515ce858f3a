"""A factor as JSON, as factors.json and report.json keep it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

import numpy as np

from unweave.factors.factor import Coordinate, Factor, Mode, Verdict
from unweave.progress import printable

DIGITS = 6  # after the decimal point, of knots and positions


def factor_to_json(factor: Factor) -> dict[str, Any]:
    """A factor as JSON; its keys are the fields of `Factor`."""
    coordinate = None if factor.coordinate is None else coordinate_to_json(factor.coordinate)
    return {**asdict(factor), "units": list(factor.units), "coordinate": coordinate}


def factor_from_json(stored: Mapping[str, Any]) -> Factor:
    """What `factor_to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    units, line, verdict = _units(stored["units"]), stored["coordinate"], stored["verdict"]
    coordinate = None if line is None else coordinate_from_json(line)
    if coordinate is not None and (not coordinate.knots.shape[1] or coordinate.knots.shape[1] % len(units)):
        raise ValueError(f"a curve of {coordinate.knots.shape[1]} numbers is not that of {len(units)} units")
    if verdict is not None and verdict not in get_args(Verdict):
        raise ValueError(f"{verdict!r} is no verdict")
    agreement = None if stored["agreement"] is None else float(stored["agreement"])
    if (agreement is None) != (stored["measured"] is None):
        raise ValueError(f"a measured name {stored['measured']!r} has the agreement {agreement}")
    return Factor(
        units=units,
        effect=float(stored["effect"]),
        coordinate=coordinate,
        states=tuple(Mode(float(state["position"]), float(state["share"])) for state in stored["states"]),
        measured=_text(stored["measured"]),
        agreement=agreement,
        verdict=verdict,
        name=_text(stored["name"]),
        hidden=bool(stored["hidden"]),
    )


def coordinate_to_json(line: Coordinate) -> dict[str, Any]:
    """A coordinate as JSON, to six digits after the point; its keys are the fields of `Coordinate`."""
    arrays = {"knots": line.knots.round(DIGITS).tolist(), "levels": line.levels.round(DIGITS).tolist()}
    return {"closed": line.closed, **arrays, "error": line.error}


def coordinate_from_json(stored: Mapping[str, Any]) -> Coordinate:
    """What `coordinate_to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    knots, levels = (np.array(stored[part], dtype=np.float64) for part in ("knots", "levels"))
    if knots.ndim != 2 or levels.ndim != 1 or not len(levels) or not np.isfinite(knots).all():
        raise ValueError("a coordinate has no curve of knots and levels")
    return Coordinate(bool(stored["closed"]), knots, levels, float(stored["error"]))


def _text(stored: Any) -> str | None:
    return None if stored is None else printable(str(stored))


def _units(listed: Sequence[Any]) -> tuple[int, ...]:
    units = tuple(int(unit) for unit in listed)
    if not units or min(units) < 0:
        raise ValueError(f"units of a factor are {list(units)}")
    return units
