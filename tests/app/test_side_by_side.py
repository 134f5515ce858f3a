import numpy as np
import pytest

pytest.importorskip("gradio")

import gradio as gr

from unweave.app.explorer import Explorer
from unweave.app.picture_set import PictureSet
from unweave.app.side_by_side import build_side_by_side, rank_correlations
from unweave.runs.run import Run


def test_a_run_is_most_like_itself(factored_run: Run) -> None:
    one, two = Explorer(factored_run), Explorer(factored_run)
    assert np.abs(rank_correlations(one, two))[:3].argmax(1).tolist() == [0, 1, 2]


def test_one_that_falls_as_the_other_rises_is_below_zero(factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rising = np.arange(9.0)[:, None]
    monkeypatch.setattr(PictureSet, "levels", property(lambda self: rising * self.explorer.way))
    one, two = Explorer(factored_run), Explorer(factored_run)
    for explorer, way in ((one, [1, 1]), (two, [-1, 1])):
        explorer.units, explorer.way = explorer.units[:2], np.array(way)  # type: ignore[attr-defined]
    assert np.allclose(rank_correlations(one, two), [[-1, 1], [-1, 1]])


def test_as_many_rows_are_not_yet_the_same_pictures(factored_run: Run) -> None:
    one, two = Explorer(factored_run.path), Explorer(factored_run.path)
    assert one.has_data_of(two)
    assert two.dataset is not None
    two.run.settings = two.run.settings.model_copy(  # type: ignore[misc]
        update={"data": two.run.settings.data.model_copy(update={"name": "others"})}
    )
    two.dataset.digest = lambda: "other"  # type: ignore[method-assign]
    assert not one.has_data_of(two)
    assert not rank_correlations(one, two).any()


def test_both_see_the_same_picture(factored_run: Run, quick_run: Run) -> None:
    one, two = Explorer(factored_run), Explorer(quick_run)
    assert np.array_equal(one.pick(5, None).image, two.pick_like(one, 5).image)
    labels = [block.label for block in build_side_by_side((one, two)).blocks.values() if isinstance(block, gr.Dropdown)]
    assert [label.split()[1] for label in labels] == ["betavae", "encdiff"]
