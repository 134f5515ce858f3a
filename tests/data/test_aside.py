import numpy as np
import pytest
from tests.data.in_memory import InMemory

from unweave import open_data
from unweave.config import SettingsError
from unweave.data.aside import AsideDataset, set_aside
from unweave.data.dataset import Card, Dataset
from unweave.data.reading.image_source import Labels
from unweave.data.settings import ViewSettings
from unweave.data.views import apply_view, base_dataset

CARD = Card("mine", "tests", "none")
GAINS, OFFSETS = np.array([1.0, 0.5, 0.8]), np.array([0, 60, 20])


def plates(count: int = 240) -> InMemory:
    """Pictures of two colours and two shades; of each plate with a gain and an offset of their own."""
    rng = np.random.default_rng(0)
    shade, plate = rng.integers(0, 2, count), rng.integers(0, 3, count)
    pixels = rng.integers(60, 100, (count, 8, 8, 2)) + 80 * shade[:, None, None, None]
    pixels[..., 1] = 255 - pixels[..., 1]
    seen = pixels * GAINS[plate][:, None, None, None] + OFFSETS[plate][:, None, None, None]
    labels = Labels(("shade", "plate"), (2, 3), np.stack([shade, plate], 1))
    return InMemory("mine", seen.round().astype(np.uint8), labels, CARD)


def spread(dataset: Dataset, classes: np.ndarray) -> np.ndarray:
    """Mean and deviation of each channel over the pictures of each class."""
    pixels = dataset.images(np.arange(len(dataset))).astype(float)
    by_class = [pixels[classes == one] for one in range(3)]
    return np.array([[part.mean((0, 1, 2)), part.std((0, 1, 2))] for part in by_class])


def test_pictures_of_all_classes_come_to_one_mean_and_deviation() -> None:
    base = plates()
    aside, classes = set_aside(base, "plate"), base.factors(np.arange(len(base)))[:, 1]
    assert np.ptp(spread(base, classes), axis=0).max() > 15
    assert np.ptp(spread(aside, classes), axis=0).max() < 0.5
    assert (aside.classes(np.arange(len(base))) == classes).all()
    assert aside.images(np.arange(0)).shape == (0, 8, 8, 2)


def test_a_factor_that_is_set_aside_is_none_any_more() -> None:
    base = plates()
    aside, rows = set_aside(base, "plate"), np.array([7, 3, 3])
    assert (aside.factor_names, aside.factor_sizes, aside.name) == (("shade",), (2,), "mine")
    assert (aside.factors(rows) == base.factors(rows)[:, :1]).all()
    assert aside.digest() not in (base.digest(), set_aside(base, "shade").digest())
    only = InMemory("mine", base.images(np.arange(9)), Labels(("plate",), (2,), np.arange(9)[:, None] % 2), CARD)
    assert set_aside(only, "plate").factors(rows) is None


def test_a_class_without_pictures_and_pictures_of_one_colour_are_no_trouble() -> None:
    classes = np.array([0, 2] * 6)
    pixels = np.broadcast_to((40 * classes)[:, None, None, None], (12, 8, 8, 1)).astype(np.uint8)
    aside = set_aside(InMemory("flat", pixels, Labels(("plate",), (3,), classes[:, None]), CARD), "plate")
    assert np.unique(aside.images(np.arange(12))).tolist() == [40]


def test_a_part_of_the_set_is_corrected_as_the_whole() -> None:
    aside = set_aside(plates(), "plate")
    part = apply_view(aside, ViewSettings(keep={"shade": (1,)}))
    assert (part.images(np.arange(3)) == aside.images(part.rows[:3])).all()
    assert isinstance(base_dataset(part), AsideDataset)


@pytest.mark.parametrize(
    ("labels", "factor", "message"),
    [
        (None, "plate", "has no known factors; give a table with a column 'plate'"),
        (Labels(("plate", "well"), (2, 3), np.array([[0, 1], [1, 2]])), "plates", "did you mean 'plate'"),
        (Labels(("plate",), (1,), np.array([[0], [0]])), "plate", "all images have the same plate"),
    ],
)
def test_what_cannot_be_set_aside_is_said(labels: Labels | None, factor: str, message: str) -> None:
    dataset = InMemory("mine", np.zeros((2, 8, 8, 1), np.uint8), labels, CARD)
    with pytest.raises(SettingsError, match="(?i)" + message):
        set_aside(dataset, factor)


def test_it_is_a_setting_of_every_set() -> None:
    dataset = open_data("sprites", {"size": 16, "aside": "colour"})
    assert isinstance(dataset, AsideDataset)
    assert "colour" not in dataset.factor_names
    with pytest.raises(SettingsError, match="no factor 'colour'"):
        open_data("sprites", {"size": 16, "aside": "colour", "view": {"keep": {"colour": [0]}}})
