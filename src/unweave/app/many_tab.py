"""The tab that carries the edits of the picture in hand over to many pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from unweave.app.components import LONG_WORK, PictureStore, edit_gallery, require_picked
from unweave.app.edit_history import EditHistory
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.many import EditedPicture, edit_many, lines_of, shown, sources_of, write_zip
from unweave.app.page_parts import errors_in_page, page_error
from unweave.app.picture_panel import Hand
from unweave.data.reading.image_files import IMAGE_ENDINGS

SHOWN = 60  # pictures of the gallery


def build_many_tab(explorer: Explorer, hand: Hand, store: PictureStore, own_machine: bool) -> None:
    """The components and their events. Folders and files are for one's own machine alone."""
    gr.HTML("<p>What was moved on the picture in hand is set to the same place in every picture.</p>")
    rows = gr.Slider(0, 100, value=20, step=1, label="Pictures of the data", visible=explorer.dataset is not None)
    folder = gr.Textbox(label="Or a folder on this machine", max_lines=1, visible=own_machine)
    dropped = gr.File(
        label="Or files", file_count="multiple", type="filepath", file_types=list(IMAGE_ENDINGS), height=110,
        visible=own_machine,
    )  # fmt: skip
    full = gr.Checkbox(False, label="At the size of the originals, where they are larger")
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
        full: bool,
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
            batch = EditedBatch([], store.new_folder())
        pictures: list[tuple[str, str]] = []
        hidden = gr.update(visible=False)
        with errors_in_page():
            for edited in edit_many(explorer, sources, moved, picked.seed, batch.folder, full):
                if mine[1] and isinstance(edited.source, Path):  # where Gradio's copy is goes, and not its name
                    edited = edited._replace(source=Path(edited.source.name))
                batch.done.append(edited)
                if edited.path is not None and len(pictures) < SHOWN:
                    pictures.append((str(shown(edited.path)), edited.name))
                batch.folder.touch()  # what is an hour old is removed
                batch.lines = lines_of(explorer, batch.done, moved, picked.seed, full)
                progress((len(batch.done), len(sources)), desc=edited.name)
                yield [sentence(batch.done, len(sources)), pictures, hidden, hidden, batch]
            if not pictures:
                raise ValueError(batch.done[-1].error)
        yield [sentence(batch.done, len(sources)), pictures, *take_home(batch)]

    def take_home(batch: EditedBatch | None) -> list[Any]:
        """The zip of what is edited so far, and the lines; nothing where there is none."""
        if batch is None or not any(edited.path for edited in batch.done):
            return [gr.skip(), gr.skip(), None]
        with errors_in_page():
            archive = write_zip(batch.folder / "unweave-edits.zip", batch.done, batch.lines)
        return [gr.update(value=str(archive), visible=True), gr.update(value=batch.lines, visible=True), None]

    def cancel(batch: EditedBatch | None) -> list[Any]:
        return [gr.skip(), gr.skip(), *take_home(batch)]

    begun = gr.State(None)
    event = apply.click(run, [hand.picked, hand.history, rows, folder, dropped, full], [*outputs, begun], **LONG_WORK)
    hand.stop.click(cancel, begun, [*outputs, begun], cancels=[event])


@dataclass
class EditedBatch:
    """The pictures of one click, while they are edited."""

    done: list[EditedPicture]
    folder: Path  # of this batch alone
    lines: str = ""


def sentence(done: Sequence[EditedPicture], total: int) -> str:
    """How far it is, and what could not be read."""
    from html import escape

    bad = [edited.error for edited in done if edited.error]
    text = f"<p role=status>{len(done) - len(bad)} of {total} pictures are edited.</p>"
    return text + "".join(f"<p>{escape(error)}</p>" for error in bad[:5])
