import warnings

import numpy as np
import psutil
import pytest
from jaxtyping import config
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import check_estimator

from unweave import manifold
from unweave.data.open import open_data
from unweave.evaluation.metrics.mcc import mcc
from unweave.manifold import LocalIsometry

TORN = "the check's data are three separate blobs (or iris, with copies), whose graph of neighbours is in parts"
EXPECTED = dict.fromkeys(
    [
        "check_positive_only_tag_during_fit",
        "check_pipeline_consistency",
        "check_estimators_pickle",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_transformer_preserve_dtypes",
    ],
    TORN,
)


def drawn(rows: int = 400, variant: str = "narrow_bump", **settings: object) -> tuple[np.ndarray, np.ndarray]:
    dataset = open_data("manifolds", {"variant": variant, "rows": rows, **settings})
    return dataset.images(np.arange(rows)).reshape(rows, -1).astype(float), dataset.values


@pytest.fixture(scope="module")
def bumps() -> tuple[np.ndarray, np.ndarray]:
    return drawn(variant="wide_bump", rows=600)


@pytest.fixture
def untyped():
    """As for users: without the checks of annotations that tests run with."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.mark.slow
@pytest.mark.usefixtures("untyped")
def test_scikit_learns_checks_pass_but_for_those_on_torn_data() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(
            LocalIsometry(n_components=1, n_neighbors=5), expected_failed_checks=EXPECTED, on_fail=None
        )
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    assert failed == set()
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(EXPECTED)
    assert len(results) > 30


def test_it_finds_the_factors_where_pca_and_ica_do_not_and_ica_off_leaves_the_rotation(bumps) -> None:
    x, z = bumps
    fitted = LocalIsometry(random_state=0).fit(x)
    assert mcc(fitted.embedding_, z)["mcc"] > 0.99
    assert np.allclose(np.cov(fitted.embedding_.T, bias=True), np.eye(2))
    linear = manifold.whiten(PCA(2).fit_transform(x))
    turned = linear @ manifold.independent_components(linear, 10, np.random.RandomState(0)).components.T
    assert mcc(turned, z)["mcc"] < 0.9
    off = LocalIsometry(ica=False, random_state=0).fit(x)
    assert off.rotation_ is None
    assert manifold.agreement(np.linalg.lstsq(off.embedding_, fitted.embedding_, rcond=None)[0]) < 0.999


def test_old_rows_come_back_exactly_and_new_rows_are_placed_as_well(bumps) -> None:
    x, _ = bumps
    fitted = LocalIsometry(random_state=0).fit(x)
    assert np.allclose(fitted.transform(x), fitted.embedding_, atol=1e-9)
    new, z = drawn(200, "wide_bump", seed=5)
    assert mcc(fitted.transform(new), z)["mcc"] > 0.99
    assert list(fitted.get_feature_names_out()) == ["localisometry0", "localisometry1"]


def test_rows_beyond_the_landmarks_are_placed_among_them(bumps) -> None:
    x, z = bumps
    fitted = LocalIsometry(landmarks=450, random_state=0).fit(x)
    assert fitted.embedding_.shape == (450, 2)
    assert np.allclose(fitted.transform(x[fitted.rows_]), fitted.embedding_, atol=1e-9)
    assert mcc(fitted.transform(x), z)["mcc"] > 0.99


@pytest.mark.parametrize("embedding", ["modified", "ltsa", "isomap"])
def test_every_embedding_finds_the_factors(embedding: str) -> None:
    x, z = drawn()
    assert mcc(LocalIsometry(embedding=embedding, random_state=0).fit_transform(x), z)["mcc"] > 0.98


def test_sparse_and_dense_solvers_agree(monkeypatch) -> None:
    x, _ = drawn(300)
    dense = LocalIsometry(random_state=0).fit(x).embedding_
    monkeypatch.setattr(manifold, "DENSE_ROWS", 100)
    sparse = LocalIsometry(random_state=0).fit(x).embedding_
    assert mcc(sparse, dense)["mcc"] > 0.9999


def test_where_the_sparse_solver_fails_the_dense_one_is_asked(monkeypatch) -> None:
    solve, asked = manifold.locally_linear_embedding, []

    def failing(points: np.ndarray, *, eigen_solver: str, **options: object) -> tuple[np.ndarray, float]:
        asked.append(eigen_solver)
        if eigen_solver == "arpack":
            raise RuntimeError("Factor is exactly singular")
        return solve(points, eigen_solver=eigen_solver, **options)

    monkeypatch.setattr(manifold, "locally_linear_embedding", failing)
    monkeypatch.setattr(manifold, "DENSE_ROWS", 100)
    LocalIsometry(random_state=0).fit(drawn(300)[0])
    assert asked == ["arpack", "dense"]
    monkeypatch.setattr(manifold, "DENSE_AT_MOST", 100)
    with pytest.raises(ValueError, match="no eigenvectors were found"):
        LocalIsometry(random_state=0).fit(drawn(300)[0])


def test_the_start_of_largest_negentropy_is_kept() -> None:
    random = np.random.RandomState(0)
    square = np.sqrt(12) * (random.uniform(size=(2000, 3)) - 0.5)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    found = manifold.independent_components(square @ turn, 10, np.random.RandomState(1))
    assert manifold.agreement(found.components @ turn.T) > 0.99
    assert found.negentropies.argmax() == found.agreements.argmax()
    assert found.near_ties == 0
    assert found.near_gaussian == 0
    assert found.doubt() is None
    sources = square @ turn @ found.components.T
    assert (np.diff(manifold.negentropies(sources)) <= 0).all()
    assert ((sources**3).mean(0) >= 0).all()


def test_what_lies_within_the_scatter_of_gaussian_numbers_is_doubted() -> None:
    for seed in range(5):
        gaussian = manifold.whiten(np.random.RandomState(seed).normal(size=(1000, 3)))
        found = manifold.independent_components(gaussian, 5, np.random.RandomState(1))
        assert found.near_gaussian >= 2
        assert "not certain" in (found.doubt() or "")
    one = np.random.RandomState(0).normal(size=(2000, 3))
    one[:, 1:] = np.random.RandomState(1).uniform(size=(2000, 2))
    assert manifold.independent_components(manifold.whiten(one), 5, np.random.RandomState(1)).near_gaussian == 1


def test_a_torn_embedding_is_told() -> None:
    data = open_data("manifolds", {"variant": "wide_bump", "factors": "gaussian", "seed": 0})
    x = data.images(np.arange(len(data))).reshape(len(data), -1).astype(float)
    with pytest.warns(UserWarning, match=r"torn: 1 of 1,000 rows \(row \d+\) lie more than 8"):
        fitted = LocalIsometry(random_state=0).fit(x)
    assert np.abs(fitted.embedding_).max() > 31  # one row has all the variance of a component


def test_near_ties_are_told(monkeypatch) -> None:
    found = manifold.IndependentComponents(np.eye(2), np.array([1.0, 0.9] * 5), np.array([1.0, 0.7] * 5), 1, 0)
    monkeypatch.setattr(manifold, "independent_components", lambda *_: found)
    with pytest.warns(UserWarning, match="not certain: 1 of 10 starts"):
        LocalIsometry(random_state=0).fit(drawn()[0])


def test_the_number_of_factors_is_seen_in_local_components(bumps) -> None:
    fitted = LocalIsometry(random_state=0).fit(bumps[0])
    assert fitted.local_shares_.sum() == pytest.approx(1)
    assert manifold.local_dimension(fitted.local_shares_) == 2


def far_apart(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x[:150], x[150:300] + 1e4, x[300:350] - 1e4])


def with_copies(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, x[7:9]])


def with_nan(x: np.ndarray) -> np.ndarray:
    changed = x.copy()
    changed[3, 5] = np.nan
    return changed


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda x: x[:12], {}, "needs more rows"),
        (lambda x: x, {"n_neighbors": 5}, r"d\(d\+3\)/2 = 5 unknowns"),
        (lambda x: x, {"n_components": 0}, "n_components must be a whole number"),
        (lambda x: x, {"embedding": "tsne"}, "embedding must be one of hessian"),
        (lambda x: x[:, :1], {}, "need as many numbers"),
        (with_copies, {}, r"4 of 402 rows are equal to another \(rows 7 and 400"),
        (far_apart, {}, "falls into 3 parts, of 150, 150, 50 rows"),
        (np.zeros_like, {}, "every picture is the same"),
        (with_nan, {}, "NaN"),
    ],
)
def test_bad_input_is_refused(spoil, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        LocalIsometry(**options).fit(spoil(drawn()[0]))


def test_memory_is_estimated_before_it_is_taken(monkeypatch) -> None:
    class Free:
        available = 2**20

    monkeypatch.setattr(psutil, "virtual_memory", Free)
    with pytest.raises(ValueError, match="set landmarks to fewer rows"):
        LocalIsometry().fit(drawn()[0])
    assert manifold.needed_memory(50_000, 3072, 12, "isomap") > 2**36 > manifold.needed_memory(10_000, 3072, 12, "ltsa")
