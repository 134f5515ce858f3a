"""The curve on which the joint codes of a factor's units lie, open or closed, where they lie near one."""

import numpy as np
from jaxtyping import Float

from unweave.factors.factor import Coordinate

KNOTS = 20
SMOOTHING = 1.0  # knots: deviation of the kernel over which a knot is a mean
ITERATIONS = 30
MAX_ERROR = 0.06  # of the variance off the curve
MAX_OF_SHUFFLED = 0.5  # of the error that a curve has where the numbers are shuffled apart
CLOSED_MARGIN = 1.25  # of the open curve's error: a closed one may have no more
MAX_GAP = 0.2  # of the length of a closed curve without a row
NEAR_ERROR, NEAR_GAP = 0.01, 0.105  # within both a closed curve is taken whatever the open one leaves
LANDMARKS, NEAR = 300, 0.1  # rows that are embedded, and the share of them that are near each
MIN_ROWS, MAX_ROWS = 60, 1_000  # that a curve is fitted to

JointCodes = Float[np.ndarray, "rows number"]
Positions = Float[np.ndarray, "rows"]


def fit_coordinate(codes: JointCodes, seed: int = 0) -> Coordinate | None:
    """The curve near which these codes lie; None where they lie near none, are constant, or are fewer than 60.

    A batch self-organising map of 20 knots (Kohonen, "Self-Organizing Maps", 2001) on at most 1,000 rows, which begins
    along the first principal component or spectral coordinate, or around the first two for a closed curve. Fitted to
    two thirds of these, a curve is near where it leaves at most 6 % of the variance of the others, and (with 20 knots
    or with 10) at most half of what it leaves when the numbers are shuffled, each by itself: a curve may wind through a
    plane, but no better than through that of numbers that have nothing to do with each other. It is closed where it
    does not double back, has rows all along, and leaves no more than 1.25 times what the open one does, or (as an open
    one may bend round to its own beginning) at most 1 % of the variance with rows in about each tenth of its
    length, so that ten states on a circle close it, and an arc of more than nine tenths of a turn counts as one. The
    limits are ours, set on `builtin:rooms` and hand-made codes. One number is its own curve, open. `seed` names the
    rows that are held out.
    """
    codes = codes.astype(np.float64)
    if len(codes) < MIN_ROWS or not codes.std(0).any():
        return None
    if codes.shape[1] == 1:
        ends = np.array([codes.min(0), codes.max(0)])
        return _coordinate(False, ends, 0.0, codes)
    rng = np.random.default_rng(seed)
    fitted = rng.permutation(codes)[:MAX_ROWS]
    shuffled = rng.permuted(fitted, axis=0)
    error, closed = _held_out(fitted, KNOTS)
    if error > MAX_ERROR or not (
        error <= MAX_OF_SHUFFLED * _held_out(shuffled, KNOTS)[0]
        or _held_out(fitted, KNOTS // 2)[0] <= MAX_OF_SHUFFLED * _held_out(shuffled, KNOTS // 2)[0]
    ):
        return None
    return _coordinate(closed, _fit(fitted, closed, KNOTS), error, codes)


def position_of(coordinate: Coordinate, codes: JointCodes) -> Positions:
    """Where the point of the curve that is nearest to each row lies along its length, in [0, 1]."""
    return _project(_path(coordinate), codes.astype(np.float64))[0]


def codes_at(coordinate: Coordinate, positions: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step number"]:
    """The points of the curve at these parts of its length; those of an open one are cut to [0, 1], others wrap."""
    path = _path(coordinate)
    places = np.mod(positions, 1.0) if coordinate.closed else positions
    arc = _arc(path)
    return np.stack([np.interp(places, arc, column) for column in path.T], 1)


def _coordinate(closed: bool, knots: Float[np.ndarray, "knot number"], error: float, codes: JointCodes) -> Coordinate:
    bare = Coordinate(closed, knots, np.zeros(101), error)
    return Coordinate(closed, knots, np.quantile(position_of(bare, codes), np.linspace(0, 1, 101)), error)


def _held_out(codes: JointCodes, knots: int) -> tuple[float, bool]:
    """The error on the last third of the rows of the better of both curves, and whether it is the closed one."""
    train, test = np.split(codes, [2 * len(codes) // 3])
    total = np.square(test - train.mean(0)).sum(1).mean()
    opened, looped = _fit(train, False, knots), _fit(train, True, knots)
    ring = _ring(looped)
    errors = [float(_project(path, test)[1].mean() / total) for path in (opened, ring)]
    limit = MAX_GAP if errors[1] <= CLOSED_MARGIN * errors[0] else NEAR_GAP if errors[1] <= NEAR_ERROR else 0.0
    closed = _largest_gap(ring, train) <= limit and not _doubles_back(looped)
    return errors[int(closed)], closed


def _fit(codes: JointCodes, closed: bool, count: int) -> Float[np.ndarray, "knot number"]:
    """The knots of the map from the start that leaves least."""
    curves = [_map(codes, closed, start, count) for start in _starts(codes, closed, count)]
    best = min(curves, key=lambda knots: _nearest(_ring(knots) if closed else knots, codes)[1].mean())
    return best if closed else _extended(best, codes)


def _starts(codes: JointCodes, closed: bool, count: int) -> list[Positions]:
    """Places of the rows in knots, by principal components, and by a spectral embedding, which unfolds arcs."""
    from sklearn.manifold import spectral_embedding  # a second, which training does not wait for

    principal = np.linalg.svd(codes - codes.mean(0), full_matrices=False)[0][:, :2]
    landmarks = codes[:LANDMARKS]
    apart = np.square(codes[:, None] - landmarks).sum(2)
    scale = np.quantile(apart[: len(landmarks)], NEAR, axis=1).mean()
    weights = np.exp(-apart[: len(landmarks)] / max(2 * scale, 1e-24))
    embedded = spectral_embedding(weights, n_components=2, random_state=0, eigen_solver="arpack")
    flat = [principal, embedded[apart.argmin(1)]]
    if closed:
        return [np.arctan2(*(part / np.maximum(part.std(0), 1e-12)).T) / (2 * np.pi) % 1 * count for part in flat]
    return [part[:, 0].argsort().argsort() / len(codes) * (count - 1) for part in flat]


def _map(codes: JointCodes, closed: bool, places: Positions, count: int) -> Float[np.ndarray, "knot number"]:
    """A self-organising map from these places, in knots; its kernel narrows from a sixth of the curve."""
    knots, numbers = np.zeros((count, codes.shape[1])), np.arange(count)
    for width in np.maximum(SMOOTHING, count / 6 * np.geomspace(1, (6 * SMOOTHING / count) ** 1.6, ITERATIONS)):
        away = numbers[:, None] - places
        away = (away + count / 2) % count - count / 2 if closed else away
        weights = np.exp(-0.5 * np.square(away / width))
        knots = weights @ codes / np.maximum(weights.sum(1, keepdims=True), 1e-12)
        places = _nearest(_ring(knots) if closed else knots, codes)[0]
    return knots


def _extended(knots: Float[np.ndarray, "knot number"], codes: JointCodes) -> Float[np.ndarray, "knot number"]:
    """The open curve, its ends moved along their segments to the last row that is nearest to each."""
    knots = knots.copy()
    for end, inner in ((0, 1), (-1, -2)):
        step = knots[end] - knots[inner]
        along = (codes - knots[inner]) @ step / max(step @ step, 1e-24)
        beyond = along[(_nearest(knots, codes)[0] - (0 if end == 0 else len(knots) - 1)).round(9) == 0]
        knots[end] = knots[inner] + max(1.0, float(beyond.max(initial=1.0))) * step
    return knots


def _doubles_back(knots: Float[np.ndarray, "knot number"]) -> bool:
    """Whether half of the knots of a closed curve have one of another part of it beside them."""
    away = np.linalg.norm(knots[:, None] - knots, axis=2)
    numbers = np.arange(len(knots))
    around = np.abs(numbers[:, None] - numbers)
    away[np.minimum(around, len(knots) - around) < len(knots) // 5] = np.inf
    step = np.linalg.norm(np.diff(_ring(knots), axis=0), axis=1).mean()
    return bool(np.median(away.min(1)) < 1.5 * step)


def _largest_gap(path: Float[np.ndarray, "knot number"], codes: JointCodes) -> float:
    """The longest part of a closed curve without a row, of its length."""
    places = np.sort(_project(path, codes)[0])
    return float(np.diff(places, append=places[0] + 1).max())


def _path(coordinate: Coordinate) -> Float[np.ndarray, "knot number"]:
    return _ring(coordinate.knots) if coordinate.closed else coordinate.knots


def _ring(knots: Float[np.ndarray, "knot number"]) -> Float[np.ndarray, "around number"]:
    return np.vstack([knots, knots[:1]])


def _arc(path: Float[np.ndarray, "knot number"]) -> Float[np.ndarray, "knot"]:
    """The part of the length of the path that lies before each knot, rising."""
    steps = np.maximum(np.linalg.norm(np.diff(path, axis=0), axis=1), 1e-12)
    return np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])


def _project(path: Float[np.ndarray, "knot number"], codes: JointCodes) -> tuple[Positions, Positions]:
    """For every row its position in [0, 1], and its squared distance to the path."""
    places, distances = _nearest(path, codes)
    return np.interp(places, np.arange(len(path)), _arc(path)), distances


def _nearest(path: Float[np.ndarray, "knot number"], codes: JointCodes) -> tuple[Positions, Positions]:
    """For every row the knot after which its nearest point lies, and how far after it; and the squared distance."""
    first, step = path[:-1], np.diff(path, axis=0)
    length = np.maximum(np.square(step).sum(1), 1e-24)
    along = codes @ step.T - (first * step).sum(1)  # (row, segment)
    share = np.clip(along / length, 0, 1)
    apart = np.square(codes).sum(1)[:, None] - 2 * codes @ first.T + np.square(first).sum(1)
    distances = apart - 2 * share * along + share**2 * length
    segment, rows = distances.argmin(1), np.arange(len(codes))
    return segment + share[rows, segment], np.maximum(distances[rows, segment], 0)
