import tempfile
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr
import numpy as np

from unweave.app.card_html import card_html
from unweave.app.components import PictureStore
from unweave.app.explorer import Explorer
from unweave.app.interface import build_page
from unweave.runs.run import Run


def function(page: Any, name: str, number: int = 0) -> Any:
    """What an event of the page calls."""
    return [event.fn for event in page.fns.values() if event.name == name][number]


def click(act: str, place: float = 0.0) -> Any:
    return gr.EventData(None, {"act": act, "place": place})


@pytest.fixture
def page(factored_run: Run) -> gr.Blocks:
    return build_page(Explorer(factored_run), PictureStore(tempfile.TemporaryDirectory()))


def test_clear_factors_come_first_and_the_rest_is_folded_away(page: gr.Blocks) -> None:
    blocks = page.blocks.values()
    labels = [block.label for block in blocks if isinstance(block, gr.Slider)]
    assert labels[:3] == ["f1 ↻", "f2, size", "f3"]
    assert sorted(labels[3:5]) == ["unit 0", "unit 2"]
    folded = {block.label: block.open for block in blocks if isinstance(block, gr.Accordion)}
    assert folded["Mixed and left over: 1"] is folded["Single units"] is False


def test_a_click_on_a_picture_moves_its_slider_and_is_undone(page: gr.Blocks, factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    picked = explorer.pick(3, 0)
    sliders = [round(100 * position) for position in picked.positions]
    outputs = function(page, "click", 1)(click("move", 0.75), picked, picked.key, None, *sliders)
    history, _, command, lines, _, _, *moved = outputs
    assert history.now[1] == 0.75
    assert "--to" in command
    assert "'f2': 0.75" in lines
    assert [update["value"] for update in moved] == [sliders[0], 75, *sliders[2:]]
    back = function(page, "undo")(picked, history)
    assert back[0].now == tuple(picked.positions)
    assert function(page, "redo")(picked, back[0])[0].now == history.now
    moved_on = [update["value"] for update in moved]
    reset = function(page, "click", 1)(click("reset"), picked, picked.key, history, *moved_on)
    assert reset[0].now[1] == picked.positions[1]


def test_what_another_picture_has_is_taken_over_whole(page: gr.Blocks, factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    picked, partner = explorer.pick(3, 0), explorer.partner(9)
    sliders = [round(100 * position) for position in picked.positions]
    event = gr.EventData(None, {"index": 2})  # which has no curve
    history, *_ = function(page, "take")(event, partner, picked, picked.key, None, *sliders)
    exact = explorer.swap_all(picked, partner, explorer.units[2].units)
    assert np.abs(explorer.edit(picked, history.now)[0].astype(int) - exact).max() <= 1
    outputs = function(page, "take")(event, None, picked, picked.key, None, *sliders)
    assert all(output == gr.skip() for output in outputs)


def test_a_click_on_a_card_of_the_picture_before_does_nothing(page: gr.Blocks, factored_run: Run) -> None:
    picked = Explorer(factored_run).pick(3, 0)
    outputs = function(page, "click", 1)(click("move", 0.75), picked, "another", None, *[50] * 5)
    assert all(output == gr.skip() for output in outputs)


def test_strips_are_drawn_on_the_picture_in_hand(page: gr.Blocks, factored_run: Run) -> None:
    drawn = list(function(page, "draw_strips")(Explorer(factored_run).pick(3, 0)))
    assert len(drawn) == 3
    assert drawn[0][0].count("data:image/png") == 5
    assert "state 2 (60%)" in drawn[1][1]


def test_names_are_text() -> None:
    html = card_html("<b>wall</b>", "clear", [(0.5, "data:,")], [(0.2, 0.4)])
    assert "<b>wall" not in html
    assert "&lt;b&gt;wall" in html


def test_states_of_many_are_numbers_and_their_shares_are_shown_where_the_pointer_is() -> None:
    html = card_html("wall", "clear", [], [(place / 10, 0.1) for place in range(10)])
    assert 'aria-label="wall: state 10" title="10%">10</button>' in html
    assert ">state 2 (60%)</button>" in card_html("wall", "clear", [], [(0.2, 0.4), (0.8, 0.6)])


def test_cancel_ends_each_piece_of_work_once(page: gr.Blocks) -> None:
    stop = next(block._id for block in page.blocks.values() if getattr(block, "value", None) == "Cancel")
    cancelled = [one for event in page.fns.values() if (stop, "click") in event.targets for one in event.cancels]
    assert len(cancelled) == len(set(cancelled)) > 10
