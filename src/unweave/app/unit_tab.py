"""The tab that looks at one unit: from low to high, real images along it, where it is attended to."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from unweave.app.components import (
    LONG_WORK,
    PictureStore,
    command_box,
    edit_gallery,
    require_picked,
    unit_options,
)
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.page_parts import errors_in_page
from unweave.app.picture_panel import Hand


def build_unit_tab(explorer: Explorer, hand: Hand, store: PictureStore) -> gr.Dropdown:
    """Where the unit is chosen."""
    dropdown = gr.Dropdown(unit_options(explorer.names()), value=0, label="Unit")
    with gr.Row():
        traverse_button = gr.Button("From low to high", variant="primary")
        every_button = gr.Button("Every unit from low to high")
        no_data = "" if explorer.dataset is not None else "The data are not at hand"
        real_button = gr.Button(no_data or "Real images along it", interactive=not no_data)
        no_maps = explorer.why_no_attention()
        attention_button = gr.Button(no_maps or "Where it is attended to", interactive=not no_maps)
    gallery = edit_gallery("From low to high")
    command = command_box()
    attention_map = gr.Image(label="attention", interactive=False, format="png", visible=False, alt_text="attention")

    def traverse(picked: PickedImage | None, index: int) -> list[Any]:
        picked = require_picked(picked)
        _, frames = next(explorer.traverse(picked, [index]))
        line = explorer.command("traverse", picked, ["--units", explorer.units[index].word])
        labels = explorer.ranges[index].labels(explorer.steps(index))
        pictures = [(store(frame, line), label) for frame, label in zip(frames, labels)]
        return [gr.update(value=pictures, label=explorer.names()[index]), line]

    def traverse_every(
        picked: PickedImage | None,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[list[Any]]:
        picked, pictures, names = require_picked(picked), [], explorer.names()
        words = ",".join(unit.word for unit in explorer.units)
        line = explorer.command("traverse", picked, ["--units", words])
        for index, (low, high) in explorer.traverse(picked, range(len(names)), 2):
            pictures += [(store(low, line), f"{names[index]}, low"), (store(high, line), f"{names[index]}, high")]
            progress((index + 1, len(names)), desc=names[index])
            yield [gr.update(value=pictures, label="Every unit, low and high"), line]

    def real_images(index: int) -> list[Any]:
        pictures = [(store(picture), f"row {row}") for row, picture in explorer.gallery(index)]
        return [gr.update(value=pictures, label=f"Real images along {explorer.names()[index]}"), ""]

    def attention(picked: PickedImage | None, index: int) -> list[Any]:
        with errors_in_page():
            picture = explorer.attention(require_picked(picked), index)
        line = explorer.command("attention", require_picked(picked))
        return [gr.update(value=store(picture, line), visible=True), line]

    events: list[Any] = [
        traverse_button.click(traverse, [hand.picked, dropdown], [gallery, command], **LONG_WORK),
        every_button.click(traverse_every, hand.picked, [gallery, command], **LONG_WORK),
        real_button.click(real_images, dropdown, [gallery, command], **LONG_WORK),
        attention_button.click(attention, [hand.picked, dropdown], [attention_map, command], **LONG_WORK),
    ]
    outputs = [gallery, command, attention_map]  # of the image or unit before
    changes = [hand.key.change, dropdown.change, hand.stop.click]
    gr.on(changes, lambda: [None, "", gr.update(visible=False)], None, outputs, cancels=events)
    return dropdown
