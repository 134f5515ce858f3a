import tempfile
import zipfile
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr
from PIL import Image

from unweave.app.components import PictureStore
from unweave.app.edit_history import EditHistory
from unweave.app.explorer import Explorer
from unweave.app.many_tab import build_many_tab
from unweave.app.picture_panel import picture_in_hand
from unweave.runs.run import Run


def test_what_is_edited_before_cancel_is_taken_home(factored_run: Run, tmp_path: Any) -> None:
    explorer, folder = Explorer(factored_run), tempfile.TemporaryDirectory()
    with gr.Blocks() as page:
        build_many_tab(explorer, picture_in_hand(), PictureStore(folder), own_machine=True)
    functions: dict[Any, Any] = {each.name: each.fn for each in page.fns.values()}
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for file in files:
        Image.new("RGB", (20, 20), "red").save(file)
    picked = explorer.pick(3, 0)
    history = EditHistory(tuple(picked.positions))
    history = history.moved([1 - picked.positions[0], *picked.positions[1:]])
    running = functions["run"](picked, history, 0, "", [str(file) for file in files], False, lambda *_, **__: None)
    next(running)
    *_, pictures, _, _, batch = next(running)
    *_, download, again, _ = functions["cancel"](batch)
    with zipfile.ZipFile(download["value"]) as archive:
        assert archive.namelist() == ["again.py", "001-a.png", "002-b.png"]
    assert "['a.png', 'b.png']" in again["value"]
    assert {file.rpartition("/")[0] for file, _ in pictures} == {str(batch.folder)}
    *_, last = running
    assert last[-1] is None
    assert last[2]["visible"]
