"""Linear probes: what they read, what they are chosen by, and the published protocol."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from unweave.evaluation.metrics import linear_probe
from unweave.evaluation.metrics.linear_probe import PENALTIES, ProbeSplit, ProbeTable


def probe_split(kind: str, noise: float = 0.5, rows: int = 600, seed: int = 0) -> ProbeSplit:
    random = np.random.RandomState(seed)
    truth = random.randn(rows, 2)
    codes = (truth @ random.randn(2, 6) + noise * random.randn(rows, 6)).astype(np.float32)
    if kind == "numbers":
        targets: np.ndarray = truth * np.array([1.0, 10.0])
    elif kind == "attributes":
        targets = (truth > 0.5).astype(np.int64)
    else:
        targets = np.digitize(truth, [-0.5, 0.5]).astype(np.int64)
    return ProbeSplit(
        *(ProbeTable(codes[rows], targets[rows]) for rows in np.split(np.arange(rows), [rows // 2, 3 * rows // 4]))
    )


def test_classes_are_those_of_scikit_learn_with_the_penalty_that_is_best_on_validation_rows() -> None:
    split = probe_split("classes")
    probed = linear_probe.probe_classes(split)
    scaler = StandardScaler().fit(split.train.units.astype(np.float64))
    x = [scaler.transform(part.units.astype(np.float64)) for part in split]
    for j in range(2):
        y = [part.targets[:, j] for part in split]
        fits = [LogisticRegression(C=c, max_iter=300).fit(x[0], y[0]) for c in PENALTIES]
        best = int(np.argmax([fit.score(x[1], y[1]) for fit in fits]))
        assert probed.chosen[j] == PENALTIES[best]
        assert probed.scores["accuracy"][j] == pytest.approx(fits[best].score(x[2], y[2]))
        chance = probed.chance["accuracy"][j]
        assert chance == pytest.approx(np.bincount(y[2]).max() / len(y[2]))
        assert probed.scores["accuracy"][j] > chance + 0.2


def test_test_rows_choose_nothing() -> None:
    split = probe_split("classes")
    worse = split._replace(test=ProbeTable(split.test.units, split.test.targets[::-1].copy()))
    assert linear_probe.probe_classes(split).chosen == linear_probe.probe_classes(worse).chosen


def test_attributes_are_ranked() -> None:
    split = probe_split("attributes")
    probed = linear_probe.probe_attributes(split)
    assert min(probed.scores["average_precision"]) > 0.8
    share = split.test.targets.mean(0)
    assert probed.chance["average_precision"] == pytest.approx(share.tolist())
    assert probed.chance["accuracy"] == pytest.approx(np.maximum(share, 1 - share).tolist())
    random = np.random.RandomState(1)
    blind = ProbeSplit(
        *(ProbeTable(random.randn(*part.units.shape), part.targets) for part in probe_split("attributes", rows=4_000))
    )
    probed = linear_probe.probe_attributes(blind)
    assert probed.scores["average_precision"] == pytest.approx(probed.chance["average_precision"], abs=0.1)
    with pytest.raises(ValueError, match="0 or 1"):
        linear_probe.probe_attributes(probe_split("classes"))


def test_numbers_are_regressed() -> None:
    probed = linear_probe.probe_numbers(probe_split("numbers", noise=0.01))
    assert min(probed.scores["r"]) > 0.999
    assert probed.scores["mse"][1] < 0.1  # of a variance of 100
    assert min(probed.scores["r2"]) > 0.99
    assert probed.chance == {"r": [0.0, 0.0]}
    constant = probe_split("numbers")
    constant = constant._replace(train=ProbeTable(np.zeros_like(constant.train.units), constant.train.targets))
    assert linear_probe.probe_numbers(constant).scores["r"] == [0.0, 0.0]


def test_few_labels_are_that_many_of_each_class() -> None:
    part = probe_split("classes", rows=2_000).train
    rows = linear_probe.rows_per_class(part, 0, 20, np.random.RandomState(0))
    assert np.bincount(part.targets[rows, 0]).tolist() == [20, 20, 20]
    assert len(set(rows.tolist())) == 60
    few = linear_probe.probe_classes(probe_split("classes", rows=2_000), labels=3)
    many = linear_probe.probe_classes(probe_split("classes", rows=2_000))
    assert np.mean(few.scores["accuracy"]) < np.mean(many.scores["accuracy"])


def test_a_target_that_is_constant_in_a_part_is_not_measured() -> None:
    split = probe_split("classes")
    split.valid.targets[:, 1] = 1
    probed = linear_probe.probe_classes(split)
    assert np.isfinite(probed.scores["accuracy"][0])
    assert np.isnan(probed.scores["accuracy"][1])


def test_the_published_probe_of_attributes_by_hand() -> None:
    split = probe_split("attributes", rows=1_200)
    probed = linear_probe.probe_with_adam(split, "attributes", seed=3)
    x = np.hstack([split.train.units.astype(np.float64), np.ones((600, 1))])
    bound = 1 / np.sqrt(6)
    weights = np.random.RandomState(3).uniform(-bound, bound, (7, 2))
    first, second, step, by_epoch = 0.0, 0.0, 0, []
    for _ in range(15):
        for start in range(0, 600, 128):  # in the order of the rows
            rows = slice(start, start + 128)
            probability = 1 / (1 + np.exp(-x[rows] @ weights))
            slope = x[rows].T @ (probability - split.train.targets[rows]) / probability.size
            step += 1
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            weights = weights - 1e-3 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        by_epoch.append([_precision(part, weights) for part in (split.valid, split.test)])
    best = int(np.argmax([np.mean(valid) for valid, _ in by_epoch]))
    assert probed.scores["average_precision"] == pytest.approx(by_epoch[best][1])
    assert probed.chosen == [best + 1.0] * 2


def _precision(part: ProbeTable, weights: np.ndarray) -> list[float]:
    predicted = part.units @ weights[:-1] + weights[-1]
    return [average_precision_score(truth, column) for truth, column in zip(part.targets.T, predicted.T)]


def test_the_published_probe_of_numbers_chooses_on_test_rows_and_says_so_by_a_setting() -> None:
    split = probe_split("numbers", rows=1_200)
    on_test, on_valid = (linear_probe.probe_with_adam(split, "numbers", select=select) for select in ("test", "valid"))
    assert linear_probe.probe_with_adam(split, "numbers") == on_test
    assert np.mean(on_test.scores["r"]) >= np.mean(on_valid.scores["r"])
    swapped = ProbeSplit(split.train, split.test, split.valid)  # the other part chooses, the same epochs are there
    assert linear_probe.probe_with_adam(swapped, "numbers", select="valid").chosen == on_test.chosen
    assert linear_probe.probe_with_adam(swapped, "numbers", select="test").chosen == on_valid.chosen


def test_an_epoch_cannot_be_chosen_by_targets_that_do_not_vary() -> None:
    split = probe_split("attributes")
    split.valid.targets[:] = 0
    with pytest.raises(ValueError, match="constant in the validation rows"):
        linear_probe.probe_with_adam(split, "attributes")


def test_tables_that_do_not_fit_are_refused() -> None:
    split = probe_split("classes")
    with pytest.raises(ValueError, match="same columns"):
        linear_probe.probe_classes(split._replace(test=ProbeTable(split.test.units[:, :3], split.test.targets)))
    broken = split.train.units.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        linear_probe.probe_classes(split._replace(train=ProbeTable(broken, split.train.targets)))
    numbers = probe_split("numbers")
    with pytest.raises(ValueError, match=r"targets .* infinite"):
        linear_probe.probe_numbers(numbers._replace(test=ProbeTable(numbers.test.units, numbers.test.targets * np.inf)))
