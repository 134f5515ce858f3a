import numpy as np
import pytest

pytest.importorskip("gradio")

import gradio as gr

from unweave.app.explorer import Explorer
from unweave.app.side_by_side import build_side_by_side, likest
from unweave.runs.run import Run


def test_a_run_is_most_like_itself(factored_run: Run) -> None:
    one, two = Explorer(factored_run), Explorer(factored_run)
    assert [likest(one, two, index) for index in range(3)] == [0, 1, 2]


def test_both_see_the_same_picture(factored_run: Run, quick_run: Run) -> None:
    one, two = Explorer(factored_run), Explorer(quick_run)
    assert np.array_equal(one.pick(5, None).image, two.pick_like(one, 5).image)
    labels = [block.label for block in build_side_by_side((one, two)).blocks.values() if isinstance(block, gr.Dropdown)]
    assert [label.split()[1] for label in labels] == ["betavae", "encdiff"]
