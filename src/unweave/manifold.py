"""Local isometry: the factors of pictures that depend on them by a local isometry, without training a network.

Horan, Richardson & Weiss, "When is unsupervised disentanglement possible?", NeurIPS 2021: if neighbouring pictures are
as far apart as their independent factors are (up to one scale), and at most one factor is Gaussian, then a spectral
embedding gives the factors up to a rotation, and independent component analysis undoes the rotation. Embeddings,
eigen-solvers and FastICA are scikit-learn's and SciPy's.

    from unweave.manifold import LocalIsometry

    codes = LocalIsometry(n_components=2, random_state=0).fit_transform(images.reshape(len(images), -1))

It is for few factors (one to about four) and a thousand pictures or more: the Hessian of d factors has d(d+3)/2
coefficients to be found in every neighbourhood.
"""

import warnings
from numbers import Integral
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import psutil
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA, fastica
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import Isomap, locally_linear_embedding
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from unweave import progress

PointTable = Float[np.ndarray, "rows numbers"]
Coordinates = Float[np.ndarray, "rows components"]
Embedding = Literal["hessian", "modified", "ltsa", "isomap"]

DENSE_ROWS = 1_500
"""Up to so many rows all eigenvectors of a dense matrix are faster than a few of a sparse one."""
DENSE_AT_MOST = 4_000
"""Up to so many rows a dense matrix is the way out where the sparse one fails."""
TORN_FROM = 8  # standard deviations; factors of usual distributions stay below 5
GAUSSIAN_LOG_COSH = 0.37457
"""E log cosh of a standard normal number."""
GAUSSIAN_LOG_COSH_DEVIATION = 0.0795  # of log cosh u less its regression on u^2, for a Gaussian u
CHUNK = 1_000
"""New rows that are placed at a time."""


class IndependentComponents(NamedTuple):
    """The best of several starts of FastICA, and what the others came to."""

    components: Float[np.ndarray, "components components"]  # the unmixing matrix of the centred coordinates
    negentropies: Float[np.ndarray, "start"]  # of every start, the largest is that of `components`
    agreements: Float[np.ndarray, "start"]  # mean |correlation| of a start's components with those of the best
    near_ties: int  # starts that found other components of nearly the same negentropy
    near_gaussian: int  # components whose negentropy is within three standard errors of a Gaussian's

    def doubt(self) -> str | None:
        """What to say where other components may be as independent: near ties, or two components nearly Gaussian."""
        if self.near_ties:
            reason = f"{self.near_ties} of {len(self.negentropies)} starts found others that are nearly as independent"
        elif self.near_gaussian > 1:
            reason = f"{self.near_gaussian} of them are as near to Gaussian as Gaussian numbers of so many rows"
        else:
            return None
        return (
            f"the components of ICA are not certain: {reason}. Factors that are nearly Gaussian cannot be told apart; "
            "more rows help where they are not."
        )


class LocalIsometry(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Rows (flattened pictures) to independent coordinates of variance 1, in order of falling negentropy.

    PCA to `reduce` numbers, then a spectral embedding of the graph of `n_neighbors`, then ICA.

    Parameters
    ----------
    n_components : the number of factors d; `local_dimension` gives an estimate to look at.
    n_neighbors : neighbours of a row; for `hessian` more than d(d+3)/2, the unknowns of a neighbourhood.
    embedding : `hessian` (Hessian eigenmaps, Donoho & Grimes, PNAS 2003), `modified` (modified LLE) and `ltsa`
        (local tangent spaces) need isometry between neighbours only; `isomap` between all points, so the factors must
        fill a convex region, as a box; it stands few rows (some hundreds for d = 3) better.
    reduce : principal components kept before, for speed and against noise; None keeps all numbers.
    ica : whether the rotation is undone by FastICA (log cosh); without it the embedding is whitened alone.
    n_starts : starts of FastICA, at least 1. The one with the largest sum of (E log cosh u - 0.37457)^2 over
        components is kept, since a single start may converge to the least independent rotation.
    landmarks : rows that are embedded; where there are more, so many are drawn and the others are placed among them
        by `transform`. None embeds all rows.
    random_state : of the drawn rows and the starts.

    Attributes
    ----------
    embedding_ : coordinates of the embedded rows [rows, components]; `rows_` are their numbers in X.
    rotation_ : `IndependentComponents`, None without ICA.
    local_shares_ : mean share of each local principal component in the variance of a neighbourhood.

    New rows are placed by the affine map from pictures to coordinates of their nearest row's neighbourhood, through
    that row; so a row that was fitted comes back exactly, and a row far from all has no meaning. Donoho & Grimes'
    last step (scaling by a small neighbourhood) is left out: ICA whitens, and scales are not kept.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 12,
        embedding: Embedding = "hessian",
        reduce: int | None = 50,
        ica: bool = True,
        n_starts: int = 10,
        landmarks: int | None = 10_000,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.embedding = embedding
        self.reduce = reduce
        self.ica = ica
        self.n_starts = n_starts
        self.landmarks = landmarks
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> "LocalIsometry":
        """Embed the rows; `y` is not looked at. What is to be doubted (`doubts`) is said as a UserWarning.

        Raises ValueError for numbers that are not finite, too few rows or neighbours, rows that are equal, a graph of
        neighbours that falls into parts, and where the memory does not suffice.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_parameters(self.n_components, self.n_neighbors, self.embedding, self.n_starts, self.landmarks)
        random = check_random_state(self.random_state)
        rows = np.arange(len(X))
        if self.landmarks is not None and len(X) > self.landmarks:
            rows = np.sort(random.choice(len(X), self.landmarks, replace=False))
        check_rows(len(rows), X.shape[1], self.n_components, self.n_neighbors)
        check_memory(len(rows), X.shape[1], self.n_neighbors, self.embedding)
        with progress.task("embedding", 4, "steps") as task:
            if not np.ptp(X, axis=0).any():
                raise ValueError("all rows are equal, so there is nothing to embed: every picture is the same.")
            kept = min(self.reduce or X.shape[1], X.shape[1], len(rows))
            self.pca_ = PCA(max(kept, self.n_components), random_state=random.randint(2**31)).fit(X[rows])
            points = self.pca_.transform(X[rows]).astype(np.float64)
            task.update(1, "neighbours")
            graph = neighbour_graph(points, self.n_neighbors)
            self.local_shares_ = local_shares(points, graph)
            task.update(2, f"{self.embedding} embedding of {len(rows):,} rows")
            found = embed(points, self.n_components, self.n_neighbors, self.embedding, random.randint(2**31))
            task.update(3, "independent components")
            white = whiten(found)
            self.rotation_ = independent_components(white, self.n_starts, random) if self.ica else None
            self.embedding_ = white if self.rotation_ is None else white @ self.rotation_.components.T
            task.update(4)
        self.rows_, self.points_ = rows, points
        self._n_features_out = self.n_components
        for doubt in self.doubts():
            warnings.warn(doubt, stacklevel=2)
        return self

    def doubts(self) -> list[str]:
        """What speaks against the fitted coordinates, a sentence each: a torn embedding, an uncertain rotation."""
        far = np.flatnonzero((np.abs(self.embedding_) > TORN_FROM).any(1))
        sentences = []
        if len(far):
            shown = ", ".join(map(str, self.rows_[far[:5]].tolist())) + (", ..." if len(far) > 5 else "")
            sentences.append(
                f"the embedding is torn: {len(far):,} of {len(self.embedding_):,} rows (row {shown}) lie more than "
                f"{TORN_FROM} standard deviations out and take a component for themselves, so that a factor is lost. "
                f"Raise the number of neighbours ({self.n_neighbors}), or leave such rows out."
            )
        if self.rotation_ is not None and (doubt := self.rotation_.doubt()):
            sentences.append(doubt)
        return sentences

    def transform(self, X: Any) -> Coordinates:
        """Coordinates of rows, old ones exactly as they were fitted."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        parts = [self.pca_.transform(X[start : start + CHUNK]) for start in range(0, len(X), CHUNK)]
        return place(np.concatenate(parts).astype(np.float64), self.points_, self.embedding_, self.n_neighbors)


def check_parameters(
    components: int, neighbours: int, embedding: str, starts: int = 1, landmarks: int | None = None
) -> None:
    """Raises ValueError for parameters that no data could suit."""
    named = {"n_components": components, "n_neighbors": neighbours, "n_starts": starts, "landmarks": landmarks or 2}
    for name, value in named.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
    if embedding not in get_args(Embedding):
        raise ValueError(f"embedding must be one of {', '.join(get_args(Embedding))}, got {embedding!r}.")
    needed = components * (components + 3) // 2 if embedding == "hessian" else components
    if neighbours <= needed:
        why = f"the Hessian of {components} factors has d(d+3)/2 = {needed} unknowns in a neighbourhood"
        raise ValueError(
            f"n_neighbors must be more than {needed} for {components} components by {embedding}, got {neighbours}"
            + (f": {why}." if embedding == "hessian" else ".")
        )


def check_rows(rows: int, numbers: int, components: int, neighbours: int) -> None:
    """Raises ValueError where there are too few rows for the neighbours, or numbers for the components."""
    if neighbours >= rows:
        raise ValueError(
            f"n_neighbors={neighbours} needs more rows than that, got n_samples={rows}: "
            "pass more rows (a thousand for two factors), or fewer neighbours."
        )
    if numbers < components:
        raise ValueError(f"{components} components need as many numbers a row, got {numbers} feature(s).")


def needed_memory(rows: int, numbers: int, neighbours: int, embedding: str) -> int:
    """An upper estimate in bytes of what an embedding takes, measured by benchmarks/local_isometry.py."""
    points = 8 * rows * (3 * numbers + 200)
    if embedding == "isomap":
        return points + 5 * 8 * rows**2
    if rows <= DENSE_ROWS:
        return points + 3 * 8 * rows**2
    return points + 120 * rows * neighbours**2


def check_memory(rows: int, numbers: int, neighbours: int, embedding: str) -> None:
    """Raises ValueError where an embedding would not fit into the memory that is free."""
    needed, free = needed_memory(rows, numbers, neighbours, embedding), psutil.virtual_memory().available
    if needed > free:
        raise ValueError(
            f"{embedding} of {rows:,} rows needs about {needed / 2**30:.2g} GiB of memory, and {free / 2**30:.2g} GiB "
            "are free: set landmarks to fewer rows, and the others are placed among them."
        )


def neighbour_graph(points: PointTable, neighbours: int) -> Int[np.ndarray, "rows neighbours"]:
    """The nearest other rows of every row.

    Raises ValueError where rows are equal, and where the graph has more than one part: nothing says how parts lie to
    each other.
    """
    search = NearestNeighbors(n_neighbors=neighbours).fit(points)
    distances, nearest = search.kneighbors()
    copies = np.flatnonzero(distances[:, 0] <= 1e-7 * np.abs(points).max())
    if len(copies):
        pairs = "; ".join(f"{row} and {nearest[row, 0]}" for row in copies[:3])
        raise ValueError(
            f"{len(copies):,} of {len(points):,} rows are equal to another (rows {pairs}): leave copies out, since "
            "a neighbourhood of copies has no directions."
        )
    begins = np.arange(0, nearest.size + 1, neighbours)
    graph = csr_array((np.ones(nearest.size), nearest.ravel(), begins), shape=(len(points), len(points)))
    count, part = connected_components(graph, directed=False)
    if count > 1:
        sizes = sorted(np.bincount(part).tolist(), reverse=True)
        shown = ", ".join(f"{size:,}" for size in sizes[:8]) + (", ..." if count > 8 else "")
        raise ValueError(
            f"the graph of {neighbours} neighbours falls into {count} parts, of {shown} rows: embed one part alone, "
            "or pass more neighbours or more rows. Classes of pictures, or factors with few values, come apart so."
        )
    return nearest


def local_shares(points: PointTable, nearest: Int[np.ndarray, "rows neighbours"]) -> Float[np.ndarray, "component"]:
    """Mean share of each principal component of a neighbourhood in its variance, falling; they sum to 1."""
    shares = np.zeros(min(nearest.shape[1] - 1, points.shape[1]))  # k points about their mean span k - 1 directions
    for start in range(0, len(points), CHUNK):
        around = points[nearest[start : start + CHUNK]]  # (row, neighbour, number)
        around = around - around.mean(1, keepdims=True)
        gram = np.linalg.eigvalsh(around @ around.transpose(0, 2, 1))[:, ::-1].clip(min=0)
        shares += (gram / gram.sum(1, keepdims=True)).sum(0)[: len(shares)]
    return shares / len(points)


def local_dimension(shares: Float[np.ndarray, "component"]) -> int:
    """The number of factors that local principal components speak for: so many hold nine tenths of the variance.

    An estimate to look at, with `local_shares` as a picture: noise and curvature add to it, and factors that hardly
    move a picture are not seen.
    """
    return int(np.searchsorted(np.cumsum(shares), 0.9)) + 1


def embed(points: PointTable, components: int, neighbours: int, embedding: str, seed: int) -> Coordinates:
    """The spectral embedding of rows whose graph is whole. Raises ValueError where no eigenvectors are found."""
    if embedding == "isomap":
        return Isomap(n_neighbors=neighbours, n_components=components).fit_transform(points)
    options: dict[str, Any] = {"n_neighbors": neighbours, "n_components": components, "random_state": seed}
    solvers = ["arpack"] * (len(points) > DENSE_ROWS) + ["dense"] * (len(points) <= DENSE_AT_MOST)
    problem: Exception | None = None
    for solver in solvers:  # a matrix that the sparse one finds singular is solved densely, where it is small enough
        try:
            return locally_linear_embedding(points, method=embedding, eigen_solver=solver, **options)[0]
        except (ValueError, RuntimeError) as error:
            problem = error
    raise ValueError(
        f"no eigenvectors were found for the {embedding} embedding of {len(points):,} rows ({str(problem)[:120]}): "
        f"pass other n_neighbors, or set landmarks to {DENSE_AT_MOST} or fewer, which are solved densely."
    ) from problem


def whiten(coordinates: Coordinates) -> Coordinates:
    """Uncorrelated coordinates of mean 0 and variance 1."""
    centred = coordinates - coordinates.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    if s[-1] <= 1e-9 * s[0]:
        raise ValueError("the embedding has fewer dimensions than were asked for: set n_components lower.")
    return u * np.sqrt(len(coordinates))


def negentropies(coordinates: Coordinates) -> Float[np.ndarray, "components"]:
    """(E log cosh u - 0.37457)^2 of every column, which has variance 1: 0 for a Gaussian (Hyvärinen, 1999)."""
    log_cosh = np.abs(coordinates) + np.log1p(np.exp(-2 * np.abs(coordinates))) - np.log(2)
    return (log_cosh.mean(0) - GAUSSIAN_LOG_COSH) ** 2


def independent_components(white: Coordinates, starts: int, random: np.random.RandomState) -> IndependentComponents:
    """The rotation of white coordinates whose components are farthest from Gaussian, of so many starts of FastICA.

    Components come in order of falling negentropy, each with a skewness of at least 0.
    """
    size = white.shape[1]
    found, scores = [], []
    for _ in range(starts if size > 1 else 1):
        begin = np.linalg.qr(random.normal(size=(size, size)))[0]
        with warnings.catch_warnings():  # a start that has not converged is judged by what it found
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, unmixing, _ = fastica(white, whiten=False, fun="logcosh", w_init=begin, max_iter=500, tol=1e-6)
        u, _, vt = np.linalg.svd(unmixing)
        found.append(u @ vt)
        scores.append(float(negentropies(white @ found[-1].T).sum()))
    best = found[int(np.argmax(scores))]
    agreements = np.array([agreement(best @ other.T) for other in found])
    ties = (agreements < 0.97) & (np.array(scores) > 0.8 * max(scores))
    sources = white @ best.T
    of_each = negentropies(sources)
    order = np.argsort(-of_each, kind="stable")
    signs = np.where((sources**3).mean(0) < 0, -1, 1)
    by_chance = (3 * GAUSSIAN_LOG_COSH_DEVIATION) ** 2 / len(white)
    near_gaussian = int((of_each < by_chance).sum())
    components = (best * signs[:, None])[order]
    return IndependentComponents(components, np.array(scores), agreements, int(ties.sum()), near_gaussian)


def agreement(rotation: Float[np.ndarray, "components components"]) -> float:
    """Mean of the largest entries, one in each row and column: 1 where a rotation only reorders and mirrors axes."""
    sizes = np.abs(rotation)
    return float(sizes[linear_sum_assignment(sizes, maximize=True)].mean())


def place(
    queries: Float[np.ndarray, "queries numbers"], points: PointTable, coordinates: Coordinates, neighbours: int
) -> Float[np.ndarray, "queries components"]:
    """Coordinates of new rows among fitted ones: y = y_0 + B t(x - x_0), x_0 the nearest fitted row.

    t are the tangent coordinates of a neighbourhood, its first principal components, as many as there are coordinates;
    B is the least-squares map from them to the coordinates of the neighbours.
    """
    search = NearestNeighbors(n_neighbors=neighbours + 1).fit(points)
    result = np.empty((len(queries), coordinates.shape[1]))
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK]
        nearest = search.kneighbors(part, return_distance=False)
        anchor = nearest[:, 0]
        offsets = points[nearest[:, 1:]] - points[anchor][:, None]  # (row, neighbour, number)
        moved = coordinates[nearest[:, 1:]] - coordinates[anchor][:, None]
        _, vectors = np.linalg.eigh(offsets @ offsets.transpose(0, 2, 1))  # of the neighbours
        leading = vectors[:, :, -coordinates.shape[1] :]
        axes = offsets.transpose(0, 2, 1) @ leading  # (row, number, axis), not of length 1
        lengths = np.maximum((axes**2).sum(1), 1e-300)
        step = ((part - points[anchor])[:, None] @ axes)[:, 0] / lengths  # (row, axis): of `leading`
        result[start : start + CHUNK] = (
            coordinates[anchor] + (step[:, None] @ (leading.transpose(0, 2, 1) @ moved))[:, 0]
        )
    return result
