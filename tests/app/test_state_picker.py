import tempfile
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr

from unweave.app.components import picture_store
from unweave.app.explorer import Explorer
from unweave.app.image_panel import image_panel
from unweave.app.interface import build_page
from unweave.app.state_picker import build_state_picker
from unweave.runs.run import Run


def function(page: Any, name: str) -> Any:
    """What an event of the page calls."""
    return next(event.fn for event in page.fns.values() if event.name == name)


def test_factors_have_sliders_and_units_are_folded_away(factored_run: Run) -> None:
    page = build_page(Explorer(factored_run), picture_store(tempfile.TemporaryDirectory()))
    blocks = page.blocks.values()
    labels = [block.label for block in blocks if isinstance(block, gr.Slider)]
    assert labels[:2] == ["f1 ↻", "f2, size"]
    assert sorted(labels[2:]) == ["unit 0", "unit 2", "unit 3"]
    folded = next(block for block in blocks if isinstance(block, gr.Accordion))
    assert not folded.open
    assert next(block.choices for block in blocks if isinstance(block, gr.Dropdown)) == [("f2, size", 1)]


def test_a_click_on_a_state_moves_its_slider_and_draws(factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    picked = explorer.pick(3, 0)
    page = build_page(explorer, picture_store(tempfile.TemporaryDirectory()))
    drawn = function(page, "show")(picked, 1)
    assert [label for _, label in drawn] == ["1: 40%", "2: 60%"]
    click = gr.SelectData(None, {"index": 1, "value": None})
    outputs = function(page, "choose")(click, picked, 1, *[50] * len(explorer.units))
    assert outputs[1].value == 75
    assert "--to" in outputs[len(explorer.units) + 2]


def test_without_states_there_is_nothing_to_pick(vivid_run: Run) -> None:
    explorer = Explorer(vivid_run)
    with gr.Blocks():
        assert build_state_picker(explorer, image_panel(explorer), [], lambda *_: []) == []
