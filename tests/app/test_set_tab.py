import tempfile
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr

from unweave.app.components import PictureStore
from unweave.app.explorer import Explorer
from unweave.app.interface import build_page
from unweave.app.picture_set import PictureSet
from unweave.runs.run import Run


@pytest.fixture
def page(factored_run: Run) -> gr.Blocks:
    async def reopen() -> str:
        return "/"

    return build_page(Explorer(factored_run), PictureStore(tempfile.TemporaryDirectory()), reopen=reopen)


def test_the_fifths_are_of_the_map_that_is_drawn(factored_run: Run, page: gr.Blocks) -> None:
    functions: dict[Any, Any] = {each.name: each.fn for each in page.fns.values()}
    with pytest.raises(gr.Error, match="draw the map"):
        functions["take_ends"](None)
    svg, drawn, *selected, _, _ = functions["draw_map"](1, 0)
    assert (svg.count("<circle"), drawn, selected) == (400, 1, [[], [], []])
    assert tuple(functions["take_ends"](drawn)[:2]) == PictureSet(Explorer(factored_run)).ends(1)


def test_a_new_name_is_in_every_menu_and_strips_are_drawn_again(page: gr.Blocks) -> None:
    rename = next(each for each in page.fns.values() if each.name == "rename_unit")
    updates = dict(zip((each._id for each in rename.outputs), rename.fn(1, "wall size")))  # type: ignore[misc]
    menus = [each for each in page.blocks.values() if isinstance(each, gr.Dropdown) and each.label != "Hidden"]
    assert len(menus) == 6
    for menu in menus:
        assert "wall size" in {name for name, _ in updates[menu._id]["choices"]}, menu.label
    assert sum(each.name == "draw_strips" for each in page.fns.values()) == 2
