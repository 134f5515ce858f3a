"""The tab with a slider for each factor, or each unit, of the image that a person works on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from unweave.app.components import (
    SHORT_WORK,
    StorePicture,
    errors_in_page,
    require_picked,
    start_seed,
)
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.image_panel import ImagePanel
from unweave.app.state_picker import build_state_picker
from unweave.figures.pixels import rgb_pixels


def slider_rows(labels: Sequence[str]) -> list[gr.Slider]:
    """A slider for every label, three in a row."""
    sliders: list[gr.Slider] = []
    for first in range(0, len(labels), 3):
        with gr.Row():
            sliders += [
                gr.Slider(
                    0, 100, value=50, step=1, label=label, precision=0, interactive=True, min_width=200, buttons=[]
                )
                for label in labels[first : first + 3]
            ]
    return sliders


def build_sliders(explorer: Explorer) -> list[gr.Slider]:
    """Those of the factors, where there are any, and those of single units folded away below."""
    labels, factors = explorer.slider_labels(), explorer.factor_count
    if not factors:
        gr.Markdown("Each slider goes from the lowest value of its unit (0) to the highest (100).")
        return slider_rows(labels)
    gr.Markdown(
        "Each slider moves all units of a factor together, from the lowest value (0) to the highest (100). "
        "One with ↻ goes round: 100 is where 0 is."
    )
    sliders = slider_rows(labels[:factors])
    with gr.Accordion("Single units", open=False):
        gr.Markdown("A unit that is moved here goes before the factor that it is in.")
        return sliders + slider_rows(labels[factors:])


def build_slider_tab(
    page: gr.Blocks, explorer: Explorer, panel: ImagePanel, store: StorePicture
) -> tuple[list[gr.Slider], list[Any]]:
    """The sliders, and the events of them and of the panel."""
    sliders = build_sliders(explorer)

    def pick(source: int | Path, seed: int | None, name: str | None = None) -> list[Any]:
        with errors_in_page():
            picked = explorer.pick(source, seed, name)
        return [picked, *show_image(picked)]

    def change_start(picked: PickedImage | None, start_choice: str) -> list[Any]:
        if picked is None:
            return [gr.skip()] * (1 + len(image_outputs))
        restarted = explorer.prepare(picked.image, start_seed(start_choice), picked.name)
        return [restarted, *show_image(restarted)]

    def reset(picked: PickedImage | None) -> list[Any]:
        fresh = require_picked(picked)._replace(key=uuid4().hex)  # an edit that still waits is of the image before
        return [fresh, *show_image(fresh)]

    def show_image(picked: PickedImage) -> list[Any]:
        moved = [
            gr.Slider(value=round(100 * position), label=name)
            for position, name in zip(picked.positions, explorer.slider_labels())
        ]
        return [picked.key, store(rgb_pixels(picked.image)[0]), *show_edit(picked, picked.positions), *moved]

    def edit(picked: PickedImage | None, key: str, *values: float | int) -> list[Any]:
        if require_picked(picked).key != key:  # moved for the image before, while this one was prepared
            return [gr.skip()] * len(edit_outputs)
        return show_edit(require_picked(picked), [value / 100 for value in values])

    def show_edit(picked: PickedImage, positions: list[float]) -> list[Any]:
        picture, difference, command = explorer.edit(picked, positions)
        path = store(picture[0], command)
        return [path, store(difference[0]), command, path]

    edit_outputs = panel.edit_outputs()
    image_outputs = [panel.key, panel.pictures[0], *edit_outputs, *sliders]
    events = [
        *panel.source.on_pick(pick, panel.start, [panel.picked, *image_outputs]),
        panel.start.input(change_start, [panel.picked, panel.start], [panel.picked, *image_outputs], **SHORT_WORK),
        panel.reset.click(reset, panel.picked, [panel.picked, *image_outputs], **SHORT_WORK),
    ]
    events += build_state_picker(explorer, panel, sliders, show_edit)
    latest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "minimal", **SHORT_WORK}
    events += [slider.input(edit, [panel.picked, panel.key, *sliders], edit_outputs, **latest) for slider in sliders]
    if panel.source.examples:
        first_example, _ = panel.source.examples[0]
        events.append(page.load(lambda: pick(first_example, None), None, [panel.picked, *image_outputs], **SHORT_WORK))
    return sliders, events
