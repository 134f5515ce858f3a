import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.data import sampling
from unweave.data.dataset import Card
from unweave.data.factors import FactorGrid
from unweave.data.memory import Stored
from unweave.data.reading.image_source import Labels
from unweave.data.sampling import Gridded
from unweave.data.sets import sprites

GRID = FactorGrid(("shape", "size", "hue"), (2, 3, 4))
ORDER = np.random.default_rng(3).permutation(len(GRID))


class Labelled(Stored):
    """A set of which only the factors may be read."""

    def images(self, rows):
        raise AssertionError("an image was read")


def labelled(classes: np.ndarray, grid: FactorGrid = GRID) -> Labelled:
    pixels = np.zeros((len(classes), 8, 8, 1), np.uint8)
    return Labelled("mine", pixels, Labels(grid.names, grid.sizes, classes), Card("mine", "tests", "none"))


SHUFFLED = labelled(GRID.factors(ORDER))
HOLED = labelled(GRID.factors(ORDER[:20]))
SETS = {"in order": labelled(GRID.factors(np.arange(24))), "shuffled": SHUFFLED, "holed": HOLED}
GRIDS = {name: sampling.partial_grid_of(dataset) for name, dataset in SETS.items()}
each = pytest.mark.parametrize("name", SETS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_grid_is_found_in_any_order():
    assert sampling.grid_of(SETS["in order"]) == Gridded(GRID)
    assert sampling.grid_of(sprites.build(sprites.Settings(size=16))).places is None
    gridded = sampling.grid_of(SHUFFLED)
    rows = gridded.rows(np.arange(24))
    assert (SHUFFLED.factors(rows) == GRID.factors(np.arange(24))).all()


def test_many_rows_are_read_in_parts(monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 7)
    assert (sampling.grid_of(SHUFFLED).places == GRIDS["shuffled"].places).all()
    assert sampling.grid_of(SETS["in order"]).places is None


def test_a_set_that_is_no_grid_is_explained(monkeypatch):
    with pytest.raises(ValueError, match="mine is no complete grid of its factors: 4 of 24 combinations are missing"):
        sampling.grid_of(HOLED)
    assert sampling.partial_grid_of(HOLED).missing() == 4
    with pytest.raises(ValueError, match="1 of its 25 rows repeat the factors"):
        sampling.partial_grid_of(labelled(GRID.factors(np.append(np.arange(24), 7))))
    unlabelled = Stored("bare", np.zeros((3, 8, 8, 1), np.uint8), None, Card("bare", "tests", "none"))
    with pytest.raises(ValueError, match="bare has no known factors"):
        sampling.grid_of(unlabelled)
    monkeypatch.setattr(sampling, "LARGEST", 10)
    with pytest.raises(ValueError, match="24 combinations of factors, more than 10"):
        sampling.partial_grid_of(SHUFFLED)
    assert sampling.grid_of(SETS["in order"]).places is None  # needs no table


@each
@given(seed=st.integers(0, 99))
def test_a_fixed_factor_has_one_class(name, seed):
    dataset, gridded = SETS[name], GRIDS[name]
    for column, factor in enumerate(GRID.names):
        classes = dataset.factors(sampling.fixed(gridded, factor, 30, rng(seed)))[:, column]
        assert classes.min() == classes.max()
    assert (dataset.factors(sampling.fixed(gridded, "hue", 30, rng(seed), at=3))[:, 2] == 3).all()


def test_a_fixed_factor_leaves_the_others_uniform():
    factors = SHUFFLED.factors(sampling.fixed(GRIDS["shuffled"], "size", 6_000, rng(), at=1))
    counts = np.bincount(GRID.index(factors), minlength=24).reshape(2, 3, 4)[:, 1]
    assert abs(counts / 6_000 - 1 / 8).max() < 0.02
    shared = [SHUFFLED.factors(sampling.fixed(GRIDS["shuffled"], "size", 1, rng(seed)))[0, 1] for seed in range(300)]
    assert np.bincount(shared).min() > 60


@each
@given(seed=st.integers(0, 99), number=st.integers(1, 3))
def test_pairs_differ_in_exactly_k_factors(name, seed, number):
    dataset = SETS[name]
    pairs = sampling.pairs(GRIDS[name], 40, number, rng(seed))
    assert pairs.shape == (40, 2)
    assert ((dataset.factors(pairs[:, 0]) != dataset.factors(pairs[:, 1])).sum(1) == number).all()


@each
def test_pairs_differ_in_the_named_factors(name):
    dataset = SETS[name]
    pairs = sampling.pairs(GRIDS[name], 200, ["hue", "shape"], rng())
    differ = dataset.factors(pairs[:, 0]) != dataset.factors(pairs[:, 1])
    assert (differ == [True, False, True]).all()


def test_every_choice_of_k_factors_and_every_other_class_occurs_equally_often():
    pairs = sampling.pairs(GRIDS["shuffled"], 9_000, 2, rng())
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
    gridded = Gridded(FactorGrid(("a", "alone", "b"), (2, 1, 3)))
    assert sampling.pairs(gridded, 5, 2, rng()).shape == (5, 2)
    with pytest.raises(ValueError, match=message):
        sampling.pairs(gridded, 5, differing, rng())


CLASSES = st.lists(st.integers(0, 1), min_size=1, max_size=4)
KEEP = st.fixed_dictionaries({}, optional={"shape": CLASSES, "size": CLASSES})


@each
@given(keep=KEEP)
def test_a_subgrid_has_the_rows_of_its_classes_in_grid_order(name, keep):
    dataset = SETS[name]
    rows = sampling.subgrid(GRIDS[name], keep)
    factors = dataset.factors(np.arange(len(dataset)))
    wanted = np.all([np.isin(factors[:, GRID.names.index(key)], values) for key, values in keep.items()], axis=0)
    assert set(rows) == set(np.flatnonzero(np.broadcast_to(wanted, len(dataset))))
    assert (np.diff(GRID.index(dataset.factors(rows))) > 0).all()


@each
@given(keep=KEEP.map(lambda keep: keep or {"hue": [2]}))
def test_held_out_combinations_and_the_rest_are_all_rows(name, keep):
    gridded = GRIDS[name]
    parts = sampling.held_out(gridded, keep)
    assert (parts.held_out == sampling.subgrid(gridded, keep)).all()
    assert sorted([*parts.without, *parts.held_out]) == list(range(len(SETS[name])))


def test_one_class_of_a_held_out_combination_stays():
    factors = SHUFFLED.factors(sampling.held_out(GRIDS["shuffled"], {"shape": [1], "size": [0, 2]}).without)
    assert len(factors) == 24 - 8
    assert {0, 1} == set(factors[:, 0])
    assert set(factors[factors[:, 0] == 1, 1]) == {1}


def test_unknown_factors_and_classes_are_named():
    for chosen, message in (
        ({"shap": [0]}, r"no factor 'shap'\. Did you mean 'shape'\? There is: shape, size, hue"),
        ({"hue": [0, 4]}, r"classes of hue are 0\.\.3, got 4"),
        ({"hue": [-1]}, "got -1"),
    ):
        for choose in (sampling.subgrid, sampling.held_out):
            with pytest.raises(ValueError, match=message):
                choose(GRIDS["shuffled"], chosen)
    with pytest.raises(ValueError, match="name one factor or more"):
        sampling.held_out(GRIDS["shuffled"], {})
    with pytest.raises(ValueError, match=r"classes of hue are 0\.\.3, got 9"):
        sampling.fixed(GRIDS["shuffled"], "hue", 3, rng(), at=9)


def test_correlated_factors_follow_the_law_and_the_third_is_uniform():
    factors = SHUFFLED.factors(sampling.correlated(GRIDS["shuffled"], 20_000, ("size", "hue"), 0.4, rng()))
    counts = np.zeros((2, 3, 4))
    np.add.at(counts, tuple(factors.T), 1 / 20_000)
    a, b = np.arange(3)[:, None] / 2, np.arange(4) / 3
    law = np.exp(-((a - b) ** 2) / (2 * 0.4**2))
    assert abs(counts - law / law.sum() / 2).max() < 0.01


def test_correlation_grows_as_sigma_falls_and_vanishes_at_infinity():
    grid = GRIDS["in order"].grid
    strengths = []
    for sigma in (0.2, 0.4, 0.7, np.inf):
        rows = sampling.correlated(GRIDS["in order"], 4_000, ("size", "hue"), sigma, rng())
        strengths.append(np.corrcoef(grid.factors(rows)[:, 1:].T)[0, 1])
    assert strengths[0] > 0.8
    assert strengths == sorted(strengths, reverse=True)
    assert abs(strengths[-1]) < 0.05
    assert (sampling.correlation((3, 3), 1e-200) == np.eye(3) / 3).all()


def test_draws_of_a_set_with_holes_are_uniform_over_what_is_there():
    rows = sampling.correlated(GRIDS["holed"], 10_000, ("size", "hue"), np.inf, rng())
    assert abs(np.bincount(rows, minlength=20) / 10_000 - 1 / 20).max() < 0.01


@pytest.mark.parametrize(
    ("factors", "sigma", "message"),
    [
        (("size", "size"), 0.2, "two different factors"),
        (("size", "hues"), 0.2, "Did you mean 'hue'"),
        (("size", "hue"), 0.0, "sigma must be above 0"),
        (("size", "hue"), float("nan"), "sigma must be above 0"),
    ],
)
def test_correlations_that_cannot_be_are_refused(factors, sigma, message):
    with pytest.raises(ValueError, match=message):
        sampling.correlated(GRIDS["in order"], 5, factors, sigma, rng())
    with pytest.raises(ValueError, match="two classes or more"):
        sampling.correlation((1, 4), 0.2)


def test_combinations_that_no_row_has_are_said_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(sampling, "ROUNDS", 20)
    without = sampling.partial_grid_of(labelled(GRID.factors(np.arange(12))))  # no row of the second shape
    with pytest.raises(ValueError, match=r"lacks 12 of 24 combinations.*20 draws"):
        sampling.fixed(without, "shape", 3, rng(), at=1)


def test_draws_repeat_with_the_seed():
    for draw in (
        lambda seed: sampling.fixed(GRIDS["shuffled"], "hue", 50, rng(seed)),
        lambda seed: sampling.pairs(GRIDS["shuffled"], 50, 1, rng(seed)),
        lambda seed: sampling.correlated(GRIDS["shuffled"], 50, ("size", "hue"), 0.2, rng(seed)),
    ):
        assert (draw(1) == draw(1)).all()
        assert (draw(1) != draw(2)).any()
