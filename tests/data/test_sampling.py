import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.in_memory import InMemory

from unweave.data import sampling
from unweave.data.factors import FactorGrid
from unweave.data.reading.image_source import Labels
from unweave.data.sampling import DatasetGrid
from unweave.data.sets import sprites

GRID = FactorGrid(("shape", "size", "hue"), (2, 3, 4))
ORDER = np.random.default_rng(3).permutation(len(GRID))


class Labelled(InMemory):
    """A set of which only the factors may be read."""

    def images(self, rows):
        raise AssertionError("an image was read")


def labelled(classes: np.ndarray, grid: FactorGrid = GRID) -> Labelled:
    pixels = np.zeros((len(classes), 8, 8, 1), np.uint8)
    return Labelled("mine", pixels, Labels(grid.names, grid.sizes, classes))


SHUFFLED = labelled(GRID.factors(ORDER))
HOLED = labelled(GRID.factors(ORDER[:20]))
DATASETS = {"in order": labelled(GRID.factors(np.arange(24))), "shuffled": SHUFFLED, "holed": HOLED}
GRIDS = {name: sampling.partial_grid(dataset) for name, dataset in DATASETS.items()}
each = pytest.mark.parametrize("name", DATASETS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_grid_is_found_in_any_order():
    assert sampling.complete_grid(DATASETS["in order"]) == DatasetGrid(GRID)
    assert sampling.complete_grid(sprites.build(sprites.SpritesSettings(size=16))).row_of is None
    dataset_grid = sampling.complete_grid(SHUFFLED)
    rows = dataset_grid.rows(np.arange(24))
    assert (SHUFFLED.factors(rows) == GRID.factors(np.arange(24))).all()


def test_many_rows_are_read_in_parts(monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK_ROWS", 7)
    assert (sampling.complete_grid(SHUFFLED).row_of == GRIDS["shuffled"].row_of).all()
    assert sampling.complete_grid(DATASETS["in order"]).row_of is None


def test_a_set_that_is_no_grid_is_explained(monkeypatch):
    with pytest.raises(ValueError, match="mine is no complete grid of its factors: 4 of 24 combinations are missing"):
        sampling.complete_grid(HOLED)
    assert sampling.partial_grid(HOLED).missing() == 4
    with pytest.raises(ValueError, match=r"1 of its 25 rows repeat the factors.*data\.aside"):
        sampling.partial_grid(labelled(GRID.factors(np.append(np.arange(24), 7))))
    unlabelled = InMemory("bare", np.zeros((3, 8, 8, 1), np.uint8))
    with pytest.raises(ValueError, match="bare has no known factors"):
        sampling.complete_grid(unlabelled)
    monkeypatch.setattr(sampling, "MAX_COMBINATIONS", 10)
    with pytest.raises(ValueError, match="24 combinations of factors, more than 10"):
        sampling.partial_grid(SHUFFLED)
    assert sampling.complete_grid(DATASETS["in order"]).row_of is None  # needs no table


@each
@given(seed=st.integers(0, 99), number=st.integers(1, 3))
def test_pairs_differ_in_exactly_k_factors(name, seed, number):
    dataset = DATASETS[name]
    pairs = sampling.sample_pairs(GRIDS[name], 40, number, rng(seed))
    assert pairs.shape == (40, 2)
    assert ((dataset.factors(pairs[:, 0]) != dataset.factors(pairs[:, 1])).sum(1) == number).all()


@each
def test_pairs_differ_in_the_named_factors(name):
    dataset = DATASETS[name]
    pairs = sampling.sample_pairs(GRIDS[name], 200, ["hue", "shape"], rng())
    differ = dataset.factors(pairs[:, 0]) != dataset.factors(pairs[:, 1])
    assert (differ == [True, False, True]).all()


def test_every_choice_of_k_factors_and_every_other_class_occurs_equally_often():
    pairs = sampling.sample_pairs(GRIDS["shuffled"], 9_000, 2, rng())
    first, second = SHUFFLED.factors(pairs[:, 0]), SHUFFLED.factors(pairs[:, 1])
    same = (first == second).argmax(1)
    assert abs(np.bincount(same) / 9_000 - 1 / 3).max() < 0.02
    step = ((second - first) % 4)[:, 2]
    assert abs(np.bincount(step[step > 0])[1:] / (step > 0).sum() - 1 / 3).max() < 0.02


@pytest.mark.parametrize(
    ("differing", "message"),
    [
        (0, r"1\.\.2 factors of this grid, got 0"),
        (3, r"1\.\.2 factors of this grid, got 3"),
        ([], "one or more factors"),
        (["a", "a"], "one or more factors"),
        (["alone"], "of two classes or more, got \\['alone'\\]"),
        (["aa"], r"no factor 'aa'\. Did you mean 'a'\? There is: a, alone, b"),
    ],
)
def test_pairs_that_cannot_be_are_refused(differing, message):
    dataset_grid = DatasetGrid(FactorGrid(("a", "alone", "b"), (2, 1, 3)))
    assert sampling.sample_pairs(dataset_grid, 5, 2, rng()).shape == (5, 2)
    with pytest.raises(ValueError, match=message):
        sampling.sample_pairs(dataset_grid, 5, differing, rng())


def test_draws_of_a_set_with_holes_are_uniform_over_what_is_there():
    pairs = sampling.sample_pairs(GRIDS["holed"], 20_000, ["size"], rng())
    classes = HOLED.factors(np.arange(20))
    differs = classes[:, None] != classes[None]
    possible = (differs == [False, True, False]).all(-1)
    counts = np.zeros((20, 20))
    np.add.at(counts, tuple(pairs.T), 1 / 20_000)
    assert abs(counts[possible] - 1 / possible.sum()).max() < 0.01
    assert not counts[~possible].any()


def test_unknown_factors_and_classes_are_named():
    for classes_of, message in (
        ({"shap": [0]}, r"no factor 'shap'\. Did you mean 'shape'\? There is: shape, size, hue"),
        ({"hue": [0, 4]}, r"classes of hue are 0\.\.3, got 4"),
        ({"hue": [-1]}, "got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            sampling.classes_by_column(GRID, classes_of)
    with pytest.raises(ValueError, match="two different factors"):
        sampling.factor_columns(GRID, ("size", "size"))
    with pytest.raises(ValueError, match="Did you mean 'hue'"):
        sampling.factor_columns(GRID, ("size", "hues"))


def test_the_probability_of_two_classes_follows_the_law():
    a, b = np.arange(3)[:, None] / 2, np.arange(4) / 3
    law = np.exp(-((a - b) ** 2) / (2 * 0.4**2))
    assert np.allclose(sampling.joint_probability((3, 4), 0.4), law / law.sum())


def test_correlation_grows_as_sigma_falls_and_vanishes_at_infinity():
    strengths = []
    for sigma in (0.2, 0.4, 0.7, np.inf):
        cells = rng().choice(12, 4_000, p=sampling.joint_probability((3, 4), sigma).ravel())
        strengths.append(np.corrcoef(np.unravel_index(cells, (3, 4)))[0, 1])
    assert strengths[0] > 0.8
    assert strengths == sorted(strengths, reverse=True)
    assert abs(strengths[-1]) < 0.05
    assert (sampling.joint_probability((3, 3), 1e-200) == np.eye(3) / 3).all()


@pytest.mark.parametrize("sigma", [0.0, float("nan")])
def test_correlations_that_cannot_be_are_refused(sigma):
    with pytest.raises(ValueError, match="sigma must be above 0"):
        sampling.joint_probability((3, 4), sigma)
    with pytest.raises(ValueError, match="two classes or more"):
        sampling.joint_probability((1, 4), 0.2)


def test_combinations_that_no_row_has_are_said_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(sampling, "MAX_ROUNDS", 20)
    without = sampling.partial_grid(labelled(GRID.factors(np.arange(12))))  # no row of the second shape
    with pytest.raises(ValueError, match=r"lacks 12 of 24 combinations.*20 draws"):
        sampling.sample_pairs(without, 3, ["shape"], rng())


def test_draws_repeat_with_the_seed():
    one, again, other = (sampling.sample_pairs(GRIDS["shuffled"], 50, 1, rng(seed)) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
