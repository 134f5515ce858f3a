import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier

from unweave.evaluation.metrics.boosting import fit_boosted_trees


def reference(features, classes, test_codes, seed=0):
    model = GradientBoostingClassifier(random_state=seed).fit(features, classes)
    return model.feature_importances_, model.predict(features), model.predict(test_codes)


def sample(rows, classes, features=4, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    labels[:classes] = np.arange(classes)
    codes = np.concatenate(
        [labels[:, None] + noise * rng.normal(size=(rows, 1)), rng.normal(size=(rows, features - 1))], 1
    )
    return codes.astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_is_scikit_learns_classifier(classes):
    codes, labels = sample(1500, classes)
    test_codes, _ = sample(300, classes, seed=1)
    ours, theirs = fit_boosted_trees(codes, labels, test_codes), reference(codes, labels, test_codes)
    assert ours.importance == pytest.approx(theirs[0], abs=0.002)  # nodes of a few rows leave ties between features
    assert (ours.train == theirs[1]).mean() > 0.99
    assert (ours.test == theirs[2]).mean() > 0.98


def test_it_is_scikit_learns_classifier_to_the_last_digit_where_there_are_no_ties():
    labels = np.arange(2000) % 4
    codes = (labels + np.random.default_rng(0).normal(size=2000))[:, None].astype(np.float32)
    ours, theirs = fit_boosted_trees(codes, labels, codes[::3]), reference(codes, labels, codes[::3])
    assert ours.importance == pytest.approx([1])
    assert (ours.train == theirs[1]).all()
    assert (ours.test == theirs[2]).all()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 5), st.booleans())
def test_it_is_scikit_learns_classifier_on_any_table(seed, classes, features, coarse):
    codes, labels = sample(120, classes, features, seed)
    if coarse:
        codes = np.round(codes)
    ours, theirs = fit_boosted_trees(codes, labels, codes), reference(codes, labels, codes)
    seeds = [reference(codes, labels, codes, other)[0] for other in range(1, 4)]
    noise = np.abs(np.stack(seeds) - theirs[0]).max()  # what ties between splits do to scikit-learn itself
    assert ours.importance == pytest.approx(theirs[0], abs=0.02 + 3 * noise)
    assert abs((ours.train == labels).mean() - (theirs[1] == labels).mean()) < 0.05
    assert ours.importance.sum() == pytest.approx(1)


def test_two_equal_features_share_the_importance():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 600)
    perfect = np.stack([labels, labels, rng.normal(size=600)], axis=1).astype(np.float32)
    ours = np.mean([fit_boosted_trees(perfect, labels, perfect, seed=seed).importance for seed in range(6)], axis=0)
    theirs = np.mean([reference(perfect, labels, perfect, seed)[0] for seed in range(6)], axis=0)
    assert ours[:2] == pytest.approx(0.5, abs=0.1)
    assert ours == pytest.approx(theirs, abs=0.15)  # six seeds: as far apart as two sixes of scikit-learn's
    assert (fit_boosted_trees(perfect, labels, perfect).train == labels).all()


def test_a_feature_and_its_negative_share_the_importance():
    labels = np.random.default_rng(0).integers(0, 5, 600)
    mirrored = np.stack([labels, -labels], axis=1).astype(np.float32)
    shares = [fit_boosted_trees(mirrored, labels, mirrored, seed=seed).importance[0] for seed in range(12)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)


def test_the_seed_decides_ties():
    codes, labels = sample(1500, 4)
    twice = np.concatenate([codes, codes], axis=1)
    one, other = (fit_boosted_trees(twice, labels, twice, seed=seed).importance for seed in (0, 5))
    assert (one != other).any()
    assert one[:4] + one[4:] == pytest.approx(other[:4] + other[4:], abs=0.002)


def test_the_number_of_threads_changes_nothing():
    codes, labels = sample(400, 5)
    for one, other in itertools.pairwise(fit_boosted_trees(codes, labels, codes, n_jobs=n) for n in (1, 2, 5)):
        assert all((a == b).all() for a, b in zip(one, other))


def test_features_that_say_nothing():
    labels = np.arange(30) % 3
    flat = fit_boosted_trees(np.ones((30, 2), np.float32), labels, np.ones((4, 2), np.float32))
    assert (flat.importance == 0).all()
    assert len(set(flat.test.tolist())) == 1
    close = np.where(labels[:, None] == 0, 1e-9, 0).astype(np.float32)  # within 1e-7 of each other: one value
    assert (fit_boosted_trees(close, labels, close).importance == 0).all()


def test_a_class_of_one_row():
    codes, labels = np.arange(12.0)[:, None], np.array([0] * 11 + [1])
    fit = fit_boosted_trees(codes, labels, codes)
    assert (fit.train == labels).all()
    assert fit.importance == pytest.approx([1])
