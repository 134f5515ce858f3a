import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.dci_mig import dci_mig
from unweave.evaluation.metrics.information import discretise, entropies, mutual_information
from unweave.evaluation.metrics.mig import mig

GRID = np.stack(np.unravel_index(np.arange(60), (5, 3, 4)), axis=1)


def score(units, factors=GRID):
    return dci_mig(np.asarray(units, dtype=float), factors)["dci_mig"]


def test_closed_forms():
    assert score(GRID) == pytest.approx(1)
    assert score(GRID[:, :1]) == pytest.approx(np.log(5) / np.log(60))  # one factor of three is known
    assert score(np.ones((60, 4))) == 0
    square = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1)
    assert score(square @ [[4], [1]], square) == pytest.approx(0, abs=1e-12)  # a unit that knows both alike


def test_a_factor_copied_into_two_units_scores_one_where_mig_is_zero():
    twice = np.repeat(GRID, 2, axis=1)
    assert score(twice) == pytest.approx(1)
    assert mig(twice.astype(float), GRID)["mig"] == pytest.approx(0, abs=1e-12)


def test_one_factor_and_constant_factors():
    noise = np.random.default_rng(0).normal(size=(60, 3))
    known = mutual_information(discretise(noise), GRID[:, :1]).max() / entropies(GRID[:, :1])[0]
    assert score(noise, GRID[:, :1]) == pytest.approx(known)
    assert score(noise, np.pad(GRID, ((0, 0), (1, 1)))) == pytest.approx(score(noise))
    with pytest.raises(ValueError, match="constant"):
        score(noise, GRID * 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 6), st.integers(1, 4))
def test_the_definition_spelt_out_and_its_laws(seed, rows, width, count):
    rng = np.random.default_rng(seed)
    factors = np.concatenate([rng.integers(0, 4, (rows, count)), [[1] * count]])
    factors[0, 0] = 0
    units = rng.normal(size=(rows + 1, width)).round(1)
    known = mutual_information(discretise(units), factors)
    best = dict.fromkeys(range(count), 0.0)
    for unit in known:
        first, *others = sorted(range(count), key=lambda j: -unit[j])
        best[first] = max(best[first], unit[first] - max((unit[j] for j in others), default=0))
    value = score(units, factors)
    assert value == pytest.approx(sum(best.values()) / entropies(factors).sum())
    assert 0 <= value <= 1
    order, columns = rng.permutation(width), rng.permutation(count)
    assert score(units[:, order] * 2.0 ** rng.integers(-3, 4, width), factors[:, columns]) == pytest.approx(value)


def test_a_sign_moves_values_on_the_edge_of_a_bin():
    units = np.linspace(0, 20, 81)[:, None]
    factors = np.stack([np.arange(81) // 4 % 2, np.arange(81) // 20], axis=1)
    assert score(units, factors) != score(-units, factors)


def test_noise_scores_near_zero():
    rng = np.random.default_rng(1)
    assert score(rng.normal(size=(4000, 8)), rng.integers(0, 4, (4000, 3))) < 0.01
