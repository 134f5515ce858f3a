from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.data.dataset import Dataset
from unweave.data.open import open_data
from unweave.runs.plan import plan
from unweave.training import size_choice
from unweave.training.size_choice import choose_size, images_per_second, is_open


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    (tmp_path / "photos").mkdir()
    for number in range(6):
        Image.fromarray(np.full((60, 90, 3), 40 * number, np.uint8)).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return open_data(tmp_path / "photos")


def test_a_size_is_open_where_nobody_chose_one(photos: Dataset) -> None:
    assert photos.reading.side == 60
    for tables, expected in (
        ([{"data": "photos"}], True),
        ([{"data": "photos"}, {"data": {"size": 32}}], False),
        ([{"data": "photos"}, {"preset": "laptop-64"}], False),
        ([{"data": "rooms"}], False),
    ):
        assert is_open(plan("encdiff", *tables), tables) == expected
    assert not is_open(plan("disdiff", {"data": "photos"}), [{"data": "photos"}])


@pytest.mark.parametrize(
    ("rates", "size", "images"),
    [({48: 1_000.0, 32: 9_000.0}, 48, None), ({48: 20.0, 32: 200.0}, 32, None), ({48: 10.0, 32: 50.0}, 32, 60_000),
     ({48: 1.0, 32: 1.0}, 32, 10_000)],
)  # fmt: skip
def test_the_largest_size_that_is_fast_enough(
    photos: Dataset, monkeypatch: pytest.MonkeyPatch, rates: dict[int, float], size: int, images: int | None
) -> None:
    monkeypatch.setattr(size_choice, "images_per_second", lambda settings, shape: rates[shape[1]])
    chosen = choose_size("encdiff", [{"data": "photos"}], photos)
    assert chosen["data"]["size"] == size
    assert chosen.get("training", {}).get("images") == images
    settings = plan("encdiff", {"data": "photos"}, chosen)
    assert settings.training.images / rates[size] <= 20 * 60 or settings.training.images == 10_000
    asked = [{"data": "photos"}, {"training": {"images": 90_000}}]
    assert "training" not in choose_size("encdiff", asked, photos)


def test_a_run_that_is_there_keeps_its_choice(photos: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from unweave.runs.run import create

    tables = [{"data": "photos"}]
    there = plan("encdiff", *tables, {"data": {"size": 32}, "training": {"images": 20_000}})
    create(Path("runs/encdiff-photos"), there)
    monkeypatch.setattr(size_choice, "images_per_second", lambda *_: pytest.fail("it was timed again"))
    assert choose_size("encdiff", tables, photos) == {"data": {"size": 32}, "training": {"images": 20_000}}
    asked = [*tables, {"training": {"images": 300_000}}]
    assert plan("encdiff", *asked, choose_size("encdiff", asked, photos)).training.images == 300_000


def test_a_rate_is_measured_on_whole_steps() -> None:
    settings = plan("betavae", {"data": "rooms", "training": {"batch": 4}}, {"data": {"size": 32}})
    assert 0 < images_per_second(settings, (2, 32, 32)) < float("inf")
    assert images_per_second(plan("hlle_ica", {"data": "rooms"}), (3, 32, 32)) == float("inf")
