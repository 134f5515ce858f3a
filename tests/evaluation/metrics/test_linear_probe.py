"""Linear probes: what they read, what they are chosen by, and the published protocol."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from unweave.evaluation.metrics import linear_probe
from unweave.evaluation.metrics.linear_probe import PENALTIES, Part, Parts


def made(kind: str, noise: float = 0.5, rows: int = 600, seed: int = 0) -> Parts:
    random = np.random.RandomState(seed)
    truth = random.randn(rows, 2)
    codes = (truth @ random.randn(2, 6) + noise * random.randn(rows, 6)).astype(np.float32)
    if kind == "numbers":
        targets: np.ndarray = truth * np.array([1.0, 10.0])
    elif kind == "attributes":
        targets = (truth > 0.5).astype(np.int64)
    else:
        targets = np.digitize(truth, [-0.5, 0.5]).astype(np.int64)
    return Parts(*(Part(codes[rows], targets[rows]) for rows in np.split(np.arange(rows), [rows // 2, 3 * rows // 4])))


def test_classes_are_those_of_scikit_learn_with_the_penalty_that_is_best_on_validation_rows() -> None:
    parts = made("classes")
    found = linear_probe.classes(parts)
    scaler = StandardScaler().fit(parts.train.units.astype(np.float64))
    x = [scaler.transform(part.units.astype(np.float64)) for part in parts]
    for j in range(2):
        y = [part.targets[:, j] for part in parts]
        fits = [LogisticRegression(C=c, max_iter=300).fit(x[0], y[0]) for c in PENALTIES]
        best = int(np.argmax([fit.score(x[1], y[1]) for fit in fits]))
        assert found.chosen[j] == PENALTIES[best]
        assert found.scores["accuracy"][j] == pytest.approx(fits[best].score(x[2], y[2]))
        chance = found.chance["accuracy"][j]
        assert chance == pytest.approx(np.bincount(y[2]).max() / len(y[2]))
        assert found.scores["accuracy"][j] > chance + 0.2


def test_test_rows_choose_nothing() -> None:
    parts = made("classes")
    worse = parts._replace(test=Part(parts.test.units, parts.test.targets[::-1].copy()))
    assert linear_probe.classes(parts).chosen == linear_probe.classes(worse).chosen


def test_attributes_are_ranked() -> None:
    parts = made("attributes")
    found = linear_probe.attributes(parts)
    assert min(found.scores["average_precision"]) > 0.8
    share = parts.test.targets.mean(0)
    assert found.chance["average_precision"] == pytest.approx(share.tolist())
    assert found.chance["accuracy"] == pytest.approx(np.maximum(share, 1 - share).tolist())
    random = np.random.RandomState(1)
    blind = Parts(*(Part(random.randn(*part.units.shape), part.targets) for part in made("attributes", rows=4_000)))
    found = linear_probe.attributes(blind)
    assert found.scores["average_precision"] == pytest.approx(found.chance["average_precision"], abs=0.1)
    with pytest.raises(ValueError, match="0 or 1"):
        linear_probe.attributes(made("classes"))


def test_numbers_are_regressed() -> None:
    found = linear_probe.numbers(made("numbers", noise=0.01))
    assert min(found.scores["r"]) > 0.999
    assert found.scores["mse"][1] < 0.1  # of a variance of 100
    assert min(found.scores["r2"]) > 0.99
    assert found.chance == {"r": [0.0, 0.0]}
    still = made("numbers")
    still = still._replace(train=Part(np.zeros_like(still.train.units), still.train.targets))
    assert linear_probe.numbers(still).scores["r"] == [0.0, 0.0]


def test_few_labels_are_that_many_of_each_class() -> None:
    part = made("classes", rows=2_000).train
    rows = linear_probe.few(part, 0, 20, np.random.RandomState(0))
    assert np.bincount(part.targets[rows, 0]).tolist() == [20, 20, 20]
    assert len(set(rows.tolist())) == 60
    few = linear_probe.classes(made("classes", rows=2_000), labels=3)
    many = linear_probe.classes(made("classes", rows=2_000))
    assert np.mean(few.scores["accuracy"]) < np.mean(many.scores["accuracy"])


def test_a_target_that_is_constant_in_a_part_is_not_measured() -> None:
    parts = made("classes")
    parts.valid.targets[:, 1] = 1
    found = linear_probe.classes(parts)
    assert np.isfinite(found.scores["accuracy"][0])
    assert np.isnan(found.scores["accuracy"][1])


def test_the_published_probe_of_attributes_by_hand() -> None:
    parts = made("attributes", rows=1_200)
    found = linear_probe.adam(parts, "attributes", seed=3)
    x = np.hstack([parts.train.units.astype(np.float64), np.ones((600, 1))])
    bound = 1 / np.sqrt(6)
    weights = np.random.RandomState(3).uniform(-bound, bound, (7, 2))
    first, second, step, by_epoch = 0.0, 0.0, 0, []
    for _ in range(15):
        for start in range(0, 600, 128):  # in the order of the rows
            rows = slice(start, start + 128)
            probability = 1 / (1 + np.exp(-x[rows] @ weights))
            slope = x[rows].T @ (probability - parts.train.targets[rows]) / probability.size
            step += 1
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            weights = weights - 1e-3 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        by_epoch.append([_precision(part, weights) for part in (parts.valid, parts.test)])
    best = int(np.argmax([np.mean(valid) for valid, _ in by_epoch]))
    assert found.scores["average_precision"] == pytest.approx(by_epoch[best][1])
    assert found.chosen == [best + 1.0] * 2


def _precision(part: Part, weights: np.ndarray) -> list[float]:
    said = part.units @ weights[:-1] + weights[-1]
    return [average_precision_score(truth, column) for truth, column in zip(part.targets.T, said.T)]


def test_the_published_probe_of_numbers_chooses_on_test_rows_and_says_so_by_a_setting() -> None:
    parts = made("numbers", rows=1_200)
    on_test, on_valid = (linear_probe.adam(parts, "numbers", select=select) for select in ("test", "valid"))
    assert linear_probe.adam(parts, "numbers") == on_test
    assert np.mean(on_test.scores["r"]) >= np.mean(on_valid.scores["r"])
    swapped = Parts(parts.train, parts.test, parts.valid)  # the other part chooses, the same epochs are there
    assert linear_probe.adam(swapped, "numbers", select="valid").chosen == on_test.chosen
    assert linear_probe.adam(swapped, "numbers", select="test").chosen == on_valid.chosen


def test_an_epoch_cannot_be_chosen_by_targets_that_do_not_vary() -> None:
    parts = made("attributes")
    parts.valid.targets[:] = 0
    with pytest.raises(ValueError, match="constant in the validation rows"):
        linear_probe.adam(parts, "attributes")


def test_tables_that_do_not_fit_are_refused() -> None:
    parts = made("classes")
    with pytest.raises(ValueError, match="same columns"):
        linear_probe.classes(parts._replace(test=Part(parts.test.units[:, :3], parts.test.targets)))
    broken = parts.train.units.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        linear_probe.classes(parts._replace(train=Part(broken, parts.train.targets)))
