import errno

import numpy as np
import pytest

from unweave.data.cache import conversion
from unweave.data.dataset import Card
from unweave.data.disk_space import NoSpaceError
from unweave.data.factors import FactorGrid
from unweave.data.reading.image_source import ImageBlock, ImageSource, Labels

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 4, 6, 3), dtype=np.uint8)


def make_source(pixels=PIXELS, labels=None, bad=None, **changes):
    def read(start, stop):
        return ImageBlock(
            pixels[start:stop], {row: reason for row, reason in (bad or {}).items() if start <= row < stop}
        )

    facts = {"name": "a", "card": Card("t", "s", "l"), "shape": (3, 4, 6), "count": 10, "read": read, "labels": labels}
    return ImageSource(**(facts | changes))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(conversion, "CHUNK_BYTES", 3 * 72 + 1)


def test_a_source_becomes_a_file_chunk_by_chunk_in_any_order(tmp_path):
    source = make_source(bad={4: "cut short"}, splits={"test": np.array([1, 9])})
    state = conversion.prepare_folder(source, tmp_path / "part")
    assert (state["rows"], state["bad"]) == (0, {})
    assert conversion.chunk_rows(source.shape) == 3
    bad = [conversion.convert_rows(source, tmp_path / "part", start) for start in (9, 0, 6, 3)]
    assert (np.load(tmp_path / "part" / "images.npy") == PIXELS).all()
    assert bad == [{}, {}, {}, {4: "cut short"}]
    with np.load(tmp_path / "part" / "splits.npz") as splits:
        assert splits["test"].tolist() == [1, 9]


def test_progress_is_kept_for_the_same_source_and_begins_anew_for_another(tmp_path):
    part = tmp_path / "part"
    state = conversion.prepare_folder(make_source(), part)
    conversion.save_progress(part, state | {"rows": 6, "bad": {4: "cut short"}})
    assert conversion.prepare_folder(make_source(), part) == state | {"rows": 6, "bad": {"4": "cut short"}}
    assert conversion.prepare_folder(make_source(name="b"), part)["rows"] == 0
    assert not (part / "progress.json").exists()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError("10 requested and 4 written")])
def test_a_disk_that_is_full_of_labels_is_said_with_a_remedy(tmp_path, monkeypatch, error):
    def full(*_):
        raise error

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(NoSpaceError, match="UNWEAVE_CACHE"):
        conversion.prepare_folder(make_source(boxes=np.zeros((10, 4), np.int64)), tmp_path / "part")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"facts": 1, "rows": 6}', '{"fa'])
def test_damaged_progress_is_none(tmp_path, text):
    part = tmp_path / "part"
    conversion.prepare_folder(make_source(), part)
    (part / "progress.json").write_text(text)
    assert conversion.prepare_folder(make_source(), part)["rows"] == 0


REFUSED = {
    "no image": ({"count": 0}, "a holds no image"),
    "many channels": ({"shape": (65, 4, 6)}, "must have 1 to 64 channels, got 65"),
    "no height": ({"shape": (3, 0, 6)}, "are 0 x 6 pixels"),
    "few labels": (
        {"labels": Labels(("f",), (2,), np.zeros((9, 1), np.int64))},
        "10 images but labels of 9 rows",
    ),
    "another grid": ({"labels": FactorGrid(("f", "g"), (3, 3))}, "10 images but labels of 9 rows"),
    "classes out of range": ({"labels": Labels(("f",), (2,), np.arange(10)[:, None])}, r"not in 0 \.\. size - 1"),
    "classes below 0": ({"labels": Labels(("f",), (2,), np.arange(10)[:, None] - 9)}, r"not in 0 \.\. size - 1"),
    "one name for two": ({"labels": Labels(("f",), (2,), np.zeros((10, 2), np.int64))}, r"not in 0 \.\. size - 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_source_that_contradicts_itself_is_refused_and_leaves_nothing(tmp_path, case):
    changes, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        conversion.prepare_folder(make_source(**changes), tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_rows_that_are_not_as_announced_are_refused(tmp_path):
    source = make_source(read=lambda start, stop: ImageBlock(PIXELS[:1]))
    conversion.prepare_folder(source, tmp_path / "part")
    with pytest.raises(ValueError, match=r"rows 0\.\.2 of a are uint8 \[1, 4, 6, 3\]"):
        conversion.convert_rows(source, tmp_path / "part", 0)
