from pathlib import Path

import numpy as np
import pytest
from tests.data.in_memory import HalfReadable, InMemory

from unweave import open_data
from unweave.config import SettingsError
from unweave.data.corrected import CorrectedDataset, correct_by
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
    aside, classes = correct_by(base, "plate"), base.factors(np.arange(len(base)))[:, 1]
    assert np.ptp(spread(base, classes), axis=0).max() > 15
    before, after = spread(base, classes), spread(aside, classes)
    assert np.ptp(after, axis=0).max() < 0.5
    np.testing.assert_allclose(after[:, 0], np.broadcast_to(before[:, 0].mean(0), (3, 2)), atol=0.5)
    np.testing.assert_allclose(after[:, 1], np.broadcast_to(np.sqrt(np.square(before[:, 1]).mean(0)), (3, 2)), atol=0.5)
    for one in range(3):
        pairs = zip(*(part.images(np.flatnonzero(classes == one)).reshape(-1, 2).T for part in (base, aside)))
        assert min(np.corrcoef(was, became)[0, 1] for was, became in pairs) > 0.99
    assert (aside.classes(np.arange(len(base))) == classes).all()
    assert aside.images(np.arange(0)).shape == (0, 8, 8, 2)


def test_a_factor_that_is_set_aside_is_none_any_more() -> None:
    base = plates()
    aside, rows = correct_by(base, "plate"), np.array([7, 3, 3])
    assert (aside.factor_names, aside.factor_sizes, aside.name) == (("shade",), (2,), "mine")
    assert (aside.factors(rows) == base.factors(rows)[:, :1]).all()
    assert aside.digest() == correct_by(plates(), "plate").digest()
    assert aside.digest() not in (base.digest(), correct_by(base, "shade").digest())
    only = InMemory("mine", base.images(np.arange(9)), Labels(("plate",), (2,), np.arange(9)[:, None] % 2), CARD)
    assert correct_by(only, "plate").factors(rows) is None


def test_a_class_without_pictures_and_pictures_of_one_colour_are_no_trouble() -> None:
    classes = np.array([0, 2] * 6)
    pixels = np.broadcast_to((40 * classes)[:, None, None, None], (12, 8, 8, 1)).astype(np.uint8)
    aside = correct_by(InMemory("flat", pixels, Labels(("plate",), (3,), classes[:, None]), CARD), "plate")
    assert np.unique(aside.images(np.arange(12))).tolist() == [40]


def test_a_part_of_the_set_is_corrected_as_the_whole() -> None:
    aside = correct_by(plates(), "plate")
    part = apply_view(aside, ViewSettings(keep={"shade": (1,)}))
    assert (part.images(np.arange(3)) == aside.images(part.rows[:3])).all()
    assert isinstance(base_dataset(part), CorrectedDataset)


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
        correct_by(dataset, factor)


def test_it_is_a_setting_of_every_set() -> None:
    dataset = open_data("sprites", {"size": 16, "aside": "colour"})
    assert isinstance(dataset, CorrectedDataset)
    assert "colour" not in dataset.factor_names
    with pytest.raises(SettingsError, match=r"view chooses rows by colour, which data\.aside takes out"):
        open_data("sprites", {"size": 16, "aside": "colour", "view": {"keep": {"colour": [0]}}})


def test_a_set_on_disk_is_converted_once_with_and_without(tmp_path: Path) -> None:
    base, rows = plates(), np.arange(240)
    path = tmp_path / "plates.npz"
    np.savez(path, images=base.images(rows), factors=base.factors(rows), factor_names=np.array(["shade", "plate"]))
    table = {"name": "npz", "path": str(path)}
    plain, aside = open_data(table), open_data({**table, "aside": "plate"})
    assert isinstance(aside, CorrectedDataset)
    assert aside.base.folder == plain.folder
    assert (aside.images(rows) == correct_by(base, "plate").images(rows)).all()


def test_classes_of_few_pictures_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    correct_by(plates(), "plate").digest()
    assert caplog.text == ""
    correct_by(plates(90), "plate").digest()
    assert "3 of 3 classes with fewer than 50 images" in caplog.text


def test_pictures_that_cannot_be_read_are_told_of_behind_the_correction() -> None:
    base = plates()
    half = HalfReadable("mine", base._pixels, Labels(("shade", "plate"), (2, 3), base._classes), CARD)
    pixels, rows, bad = correct_by(half, "plate").readable_images(np.arange(6))
    assert rows.tolist() == [0, 2, 4]
    assert bad == {1: "cut short", 3: "cut short", 5: "cut short"}
    assert (pixels == correct_by(base, "plate").images(rows)).all()
    everything = correct_by(base, "plate").readable_images(np.arange(6))
    assert (len(everything[0]), everything[2]) == (6, {})
