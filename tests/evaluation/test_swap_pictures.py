import numpy as np
import pytest

from unweave.evaluation import swap_pictures
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import SwapPictures, swaps_of_rows
from unweave.method import Generative, Sampling
from unweave.runs.run import Run
from unweave.tensors import to_pixels


@pytest.fixture
def swaps(quick_run: Run) -> SwapPictures:
    method = quick_run.method()
    assert isinstance(method, Generative)
    editor = RunEditor(method, quick_run.dataset(), Sampling("ddim", 2), 0)
    return swaps_of_rows(editor, np.array([0, 9, 30, 700]), 2)


def test_pictures_are_drawn_once(swaps: SwapPictures) -> None:
    assert swaps.drawing([2, 0]) == 2
    pictures = swaps.pixels([2, 0])
    assert (pictures == to_pixels(swaps.editor.swap(swaps.first, swaps.second, [0, 2]))).all()
    assert swaps.drawing([0, 2]) == 0
    assert swaps.pixels([0, 2]) is pictures
    assert swaps.unedited.shape == (2, 16, 16, 3)


def test_no_more_is_kept_than_there_is_room_for(swaps: SwapPictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap_pictures, "MAX_KEPT", 2 * 16 * 16 * 3)
    swaps.pixels([0])
    swaps.pixels([1])
    assert [swaps.drawing([unit]) for unit in (0, 1)] == [0, 2]


def test_pairs_are_of_these_rows(swaps: SwapPictures) -> None:
    assert set(swaps.first) | set(swaps.second) <= {0, 9, 30, 700}
    assert (swaps.first != swaps.second).all()
