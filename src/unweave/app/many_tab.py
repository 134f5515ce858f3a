"""The tab that carries the edits of the picture in hand over to many pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from unweave.app.components import LONG_WORK, StorePicture, edit_gallery, require_picked
from unweave.app.edit_history import EditHistory
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.many import EditedPicture, edit_many, lines_of, sources_of, write_zip
from unweave.app.page_parts import errors_in_page, page_error
from unweave.app.picture_panel import Hand
from unweave.data.reading.image_files import IMAGE_ENDINGS

SHOWN = 60  # pictures of the gallery


def build_many_tab(explorer: Explorer, hand: Hand, store: StorePicture, own_machine: bool) -> None:
    """The components and their events. Folders and files are for one's own machine alone."""
    gr.HTML("<p>What was moved on the picture in hand is set to the same place in every picture.</p>")
    rows = gr.Slider(0, 100, value=20, step=1, label="Pictures of the data", visible=explorer.dataset is not None)
    folder = gr.Textbox(label="Or a folder on this machine", max_lines=1, visible=own_machine)
    dropped = gr.File(
        label="Or files", file_count="multiple", type="filepath", file_types=list(IMAGE_ENDINGS), height=110,
        visible=own_machine,
    )  # fmt: skip
    apply = gr.Button("Apply to them", variant="primary")
    said = gr.HTML("")
    gallery = edit_gallery("Edited")
    download = gr.DownloadButton("Take the zip home", visible=False)
    again = gr.Code("", language="python", label="The same in Python", interactive=False, visible=False)
    outputs = [said, gallery, download, again]

    def run(
        picked: PickedImage | None,
        history: EditHistory | None,
        count: float | int,
        place: str,
        files: Sequence[str] | None,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[list[Any]]:
        picked = require_picked(picked)
        positions = (history or EditHistory(tuple(picked.positions))).now
        moved = {index: positions[index] for index in explorer.moved(picked, positions)}
        if not moved:
            raise page_error("nothing is moved yet: move a slider first.")
        with errors_in_page():
            mine = (place, files or []) if own_machine else ("", [])
            sources = sources_of(explorer, int(count), *mine)
        done: list[EditedPicture] = []
        pictures: list[tuple[str, str]] = []
        for edited in edit_many(explorer, sources, moved, picked.seed):
            done.append(edited)
            if edited.picture is not None and len(pictures) < SHOWN:
                pictures.append((store(edited.picture), edited.name))
            progress((len(done), len(sources)), desc=edited.name)
            yield [sentence(done, len(sources)), pictures, gr.update(visible=False), gr.skip()]
        with errors_in_page():
            if not pictures:
                raise ValueError(done[-1].error)
            lines = lines_of(explorer, sources, moved, picked.seed)
            archive = write_zip(Path(pictures[0][0]).with_name("unweave-edits.zip"), done, lines)
        yield [
            sentence(done, len(sources)), pictures, gr.update(value=str(archive), visible=True),
            gr.update(value=lines, visible=True),
        ]  # fmt: skip

    event = apply.click(run, [hand.picked, hand.history, rows, folder, dropped], outputs, **LONG_WORK)
    gone = ["", None, gr.update(visible=False), gr.update(visible=False)]
    gr.on([hand.stop.click, hand.key.change], lambda: gone, None, outputs, cancels=[event])


def sentence(done: Sequence[EditedPicture], total: int) -> str:
    """How far it is, and what could not be read."""
    from html import escape

    bad = [edited.error for edited in done if edited.error]
    text = f"<p role=status>{len(done) - len(bad)} of {total} pictures are edited.</p>"
    return text + "".join(f"<p>{escape(error)}</p>" for error in bad[:5])
