import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.in_memory import HalfReadable, InMemory

from unweave.config import SettingsError
from unweave.data import sampling
from unweave.data.dataset import Card, Dataset
from unweave.data.factors import FactorGrid
from unweave.data.open import dataset_settings
from unweave.data.reading.image_source import Labels
from unweave.data.views import (
    Correlation,
    View,
    ViewSettings,
    apply_view,
    base_dataset,
    base_rows,
    select_split,
    split_rows,
)

GRID = FactorGrid(("shape", "size", "hue"), (2, 3, 4))
CARD = Card("mine", "tests", "none")
SPLITS_OF_30 = {"test": [2, 14, 23], "valid": [11, 15, 17]}


def numbered(count: int = 24, labels: bool = True) -> InMemory:
    """Images that show their row; their factors are those of the grid, again and again."""
    pixels = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 8, 8, 1)).copy()
    classes = GRID.factors(np.arange(count) % len(GRID))
    return InMemory("mine", pixels, Labels(GRID.names, GRID.sizes, classes) if labels else None, CARD)


def published(**splits: list[int]) -> InMemory:
    dataset = numbered()
    dataset.splits = {name: np.array(rows) for name, rows in splits.items()}
    return dataset


def test_a_view_has_these_rows_in_this_order():
    dataset, rows = numbered(), np.array([5, 2, 2, 23])
    view = View(dataset, rows, "four")
    assert (len(view), view.name, view.shape, view.card) == (4, "four", (1, 8, 8), CARD)
    assert view.images(np.arange(4))[:, 0, 0, 0].tolist() == [5, 2, 2, 23]
    assert (view.factors(np.array([3, 0])) == dataset.factors(np.array([23, 5]))).all()
    assert (view.factor_names, view.factor_sizes) == (GRID.names, GRID.sizes)
    assert view.images(np.arange(0)).shape == (0, 8, 8, 1)


def test_rows_out_of_range_raise():
    view = View(numbered(), np.array([5, 2]), "two")
    for read in (view.images, view.factors):
        for row in (-1, 2, 10**9):
            with pytest.raises(IndexError, match=f"got {row}"):
                read(np.array([0, row]))
    with pytest.raises(IndexError, match=r"0\.\.23, got 24"):
        View(numbered(), np.array([24]), "beyond")


def test_a_digest_names_the_rows_and_the_images():
    rows = np.array([5, 2])
    digest = View(numbered(), rows, "a").digest()
    assert View(numbered(), rows.astype(np.int32), "another name").digest() == digest
    assert int(digest, 16) >= 0
    assert len(digest) == 16
    others = [
        View(numbered(), rows[::-1], "a"),
        View(numbered(25), rows, "a"),
        View(numbered(), rows[:1], "a"),
        numbered(),
    ]
    assert digest not in [other.digest() for other in others]


def test_files_go_with_their_rows_and_splits_do_not_pass():
    dataset = published(train=[0, 1], test=[2])
    dataset.files = tuple(f"{row}.png" for row in range(24))
    view = View(dataset, np.array([3, 1]), "two")
    assert view.files == ("3.png", "1.png")
    assert not view.splits


def test_views_of_views_know_the_full_set():
    inner = View(numbered(), np.array([5, 2, 9]), "three")
    outer = View(inner, np.array([2, 0]), "two")
    assert base_dataset(outer) is inner.base
    assert base_rows(outer, np.array([1, 0])).tolist() == [5, 9]
    assert base_rows(inner.base, np.array([7])).tolist() == [7]


class Sized(Dataset):
    """A length, and nothing else that a random split may look at."""

    def __init__(self, count: int) -> None:
        self.count, self.name = count, f"set of {count}"

    def __len__(self) -> int:
        return self.count

    images = factors = digest = None


@given(count=st.integers(0, 3_000), seed=st.integers(0, 2**31))
def test_random_splits_are_disjoint_cover_all_and_depend_on_length_and_seed_alone(count, seed):
    parts = {name: split_rows(Sized(count), name, seed) for name in ("train", "valid", "test")}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(count))
    assert len(parts["valid"]) == len(parts["test"]) == count // 10
    assert all((np.diff(rows) > 0).all() for rows in parts.values())
    assert all((rows == split_rows(Sized(count), name, seed)).all() for name, rows in parts.items())
    assert (split_rows(Sized(count), "all", seed) == np.arange(count)).all()


def test_random_splits_of_other_seeds_differ_and_are_random():
    one, other = (split_rows(Sized(1_000), "test", seed) for seed in (0, 1))
    assert len(set(one) & set(other)) < 30  # 10 by chance
    assert abs(one.mean() - 500) < 100


def test_the_rows_of_a_split_are_these_forever():
    assert split_rows(Sized(30), "test").tolist() == SPLITS_OF_30["test"]
    assert split_rows(Sized(30), "valid").tolist() == SPLITS_OF_30["valid"]


def test_published_splits_go_before_random_ones():
    dataset = published(train=[4, 1, 2], test=[0, 3])
    assert split_rows(dataset, "train", 7).tolist() == [1, 2, 4]
    assert split_rows(dataset, "test").tolist() == [0, 3]
    assert len(split_rows(dataset, "all")) == 24
    with pytest.raises(SettingsError, match=r"without a split 'valid'\. It has: train, test, and all"):
        split_rows(dataset, "valid")
    with pytest.raises(SettingsError, match=r"no split 'trian'\. Did you mean 'train'\?"):
        split_rows(dataset, "trian")


def test_a_split_is_a_data_set():
    dataset = numbered()
    test = select_split(dataset, "test", 3)
    assert (test.name, len(test)) == ("mine (test)", 2)
    assert test.digest() == apply_view(dataset, ViewSettings(split="test", split_seed=3)).digest()
    assert select_split(dataset, "all") is dataset
    with pytest.raises(SettingsError, match="'test' of mine is empty: it has 9 images"):
        select_split(numbered(9), "test")


def factors(dataset: Dataset) -> np.ndarray:
    return dataset.factors(np.arange(len(dataset)))


def test_settings_that_choose_nothing_give_the_set_itself():
    dataset = numbered()
    assert apply_view(dataset, ViewSettings()) is dataset
    assert apply_view(dataset, ViewSettings(split_seed=5)) is dataset


def test_rows_of_classes_are_kept_or_left_out(monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK_ROWS", 5)
    classes = {"shape": (1,), "size": (0, 2)}
    kept = apply_view(numbered(), ViewSettings(keep=classes))
    left = apply_view(numbered(), ViewSettings(leave_out=classes))
    assert (factors(kept)[:, 0] == 1).all()
    assert set(factors(kept)[:, 1]) == {0, 2}
    assert sorted([*kept.rows, *left.rows]) == list(range(24))
    assert (len(kept), len(left)) == (8, 16)
    assert kept.name == "mine (keep shape 1 and size 0,2)"
    assert left.name == "mine (leave out shape 1 and size 0,2)"


def test_a_set_that_is_no_grid_has_views_too():
    kept = apply_view(numbered(100), ViewSettings(keep={"hue": (3,)}, split="train"))
    train = split_rows(numbered(100), "train")
    assert kept.rows.tolist() == [row for row in train if row % 4 == 3]


def test_correlated_rows_are_drawn_by_both_factors_among_what_is_kept():
    dataset = numbered(240)
    correlation = Correlation(factors=("size", "hue"), sigma=0.3, images=9_000)
    settings = ViewSettings(keep={"shape": (0,)}, correlate=correlation)
    view = apply_view(dataset, settings)
    assert len(view) == 9_000
    assert (factors(view)[:, 0] == 0).all()
    counts = np.zeros((3, 4))
    np.add.at(counts, tuple(factors(view)[:, 1:].T), 1 / 9_000)
    a, b = np.arange(3)[:, None] / 2, np.arange(4) / 3
    law = np.exp(-((a - b) ** 2) / (2 * 0.3**2))
    assert abs(counts - law / law.sum()).max() < 0.015
    assert set(view.rows[view.rows % 24 == 0]) == set(range(0, 240, 24)), "every row of a combination can be drawn"
    assert (view.rows == apply_view(dataset, settings).rows).all()
    assert view.name == "mine (keep shape 0; size with hue, sigma 0.3)"
    other = settings.model_copy(update={"correlate": settings.correlate.model_copy(update={"seed": 1})})
    assert view.digest() != apply_view(dataset, other).digest()
    assert len(apply_view(dataset, ViewSettings(correlate=Correlation(factors=("size", "hue"))))) == 240


def test_classes_that_no_row_has_are_not_drawn():
    correlation = Correlation(factors=("size", "hue"), sigma=0.2)
    settings = ViewSettings(leave_out={"size": (0,), "hue": (0,)}, correlate=correlation)
    classes = factors(apply_view(numbered(), settings))
    assert not ((classes[:, 1] == 0) & (classes[:, 2] == 0)).any()
    never = ViewSettings(keep={"size": (0,), "hue": (3,)}, correlate=Correlation(factors=("size", "hue"), sigma=0.01))
    with pytest.raises(SettingsError, match=r"correlate: no row has classes that sigma=0\.01 allows"):
        apply_view(numbered(), never)


def view_of(table):
    """The view in a [data] table."""
    return dataset_settings({"name": "sprites", "view": table}).view


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"keep": {"shap": [0]}}, r"data\.view\.keep: there is no factor 'shap'\. Did you mean 'shape'"),
        ({"leave_out": {"hue": [4]}}, r"data\.view\.leave_out: classes of hue are 0\.\.3, got 4"),
        ({"correlate": {"factors": ["hue", "sise"]}}, r"data\.view\.correlate: .*Did you mean 'size'"),
        ({"keep": {"hue": []}}, r"leaves none of the 24 rows of mine: keep=\{'hue': \(\)\}"),
        ({"keep": {"hue": [1]}, "leave_out": {"hue": [1]}}, "leaves none of the 24 rows"),
        ({"keep": {"hue": []}, "correlate": {"factors": ["hue", "size"]}}, "leaves none of the 24 rows"),
        ({"split": "trian"}, r"data\.view\.split: input should be 'all', 'train', 'valid' or 'test', got 'trian'"),
        ({"splits": "train"}, r"data\.view\.splits is not a setting\. Did you mean 'split'"),
        ({"correlate": {"sigma": 0.1}}, r"data\.view\.correlate\.factors is missing"),
        ({"correlate": {"factors": ["hue", "size"], "sigma": 0}}, r"correlate\.sigma: input should be greater than 0"),
        ("train", r"data\.view must be a table, as by data\.view\.split=train, got 'train'"),
    ],
)
def test_what_cannot_be_chosen_is_explained(table, message):
    with pytest.raises(SettingsError, match=message):
        apply_view(numbered(), view_of(table))


def test_factors_that_are_not_known_cannot_be_chosen():
    for table in ({"keep": {"hue": [0]}}, {"correlate": {"factors": ["hue", "size"]}}):
        with pytest.raises(SettingsError, match="mine has no known factors"):
            apply_view(numbered(labels=False), view_of(table))
    assert apply_view(numbered(labels=False), ViewSettings(split="train")).factors(np.array([0])) is None


def test_pictures_that_cannot_be_read_have_the_rows_of_the_view() -> None:
    """Repeats of a row that cannot be read too."""
    view = View(HalfReadable("mine", numbered(6).images(np.arange(6))), np.array([5, 4, 1, 2, 4, 1]), "view")
    pixels, rows, bad = view.readable_images(np.array([0, 4, 2, 3, 5]))
    assert rows.tolist() == [4, 3]
    assert pixels[:, 0, 0, 0].tolist() == [4, 2]
    assert bad == {0: "cut short", 2: "cut short", 5: "cut short"}
