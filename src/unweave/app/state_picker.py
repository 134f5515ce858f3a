"""The states of factors as pictures of the image that is worked on: a click chooses one."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from unweave.app.components import SHORT_WORK, require_picked, unit_options
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.image_panel import ImagePanel
from unweave.figures.pixels import rgb_pixels

ShowEdit = Callable[[PickedImage, list[float]], list[Any]]
"""The outputs of an edit, for sliders in [0, 1]."""


def build_state_picker(
    explorer: Explorer, panel: ImagePanel, sliders: Sequence[gr.Slider], show_edit: ShowEdit
) -> list[Any]:
    """The choice of a factor, its states, and their events; nothing where no factor has states."""
    options = [option for option in unit_options(explorer.names()) if explorer.states(option[1])]
    if not options:
        return []
    with gr.Row():
        dropdown = gr.Dropdown(options, value=options[0][1], label="States of")
        button = gr.Button("Show its states")
    gallery = gr.Gallery(
        label="States, with their shares of the images: click the one to be in", columns=7, height="auto", format="png",
        elem_classes="pixels", interactive=False, allow_preview=False,
    )  # fmt: skip

    def show(picked: PickedImage | None, index: int) -> list[Any]:
        states = explorer.states(index)
        frames = explorer.draw_at(require_picked(picked), index, [quantile for quantile, _ in states])
        labels = [f"{number}: {share:.0%}" for number, (_, share) in enumerate(states, 1)]
        return list(zip(rgb_pixels(frames), labels))

    def choose(selected: gr.SelectData, picked: PickedImage | None, index: int, *values: float | int) -> list[Any]:
        quantile, _ = explorer.states(index)[selected.index]
        positions = [value / 100 for value in values]
        positions[index] = quantile
        moved = [gr.Slider(value=round(100 * quantile)) if at == index else gr.skip() for at in range(len(values))]
        return [*moved, *show_edit(require_picked(picked), positions)]

    gr.on([panel.key.change, dropdown.change], lambda: None, None, gallery)  # they are of the image before
    return [
        button.click(show, [panel.picked, dropdown], gallery, **SHORT_WORK),
        gallery.select(choose, [panel.picked, dropdown, *sliders], [*sliders, *panel.edit_outputs()], **SHORT_WORK),
    ]
