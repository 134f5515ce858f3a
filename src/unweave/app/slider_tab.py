"""The image that a person works on, and the tab with a slider for each of its units."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import gradio as gr

from unweave.app.components import (
    INVERTED,
    SEEDED,
    SHORT_WORK,
    ImagePicker,
    StorePicture,
    command_box,
    errors_in_page,
    image_picker,
    require_picked,
    start_seed,
)
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.state_picker import build_state_picker
from unweave.figures.pixels import rgb_pixels


class ImagePanel(NamedTuple):
    """The upper half of the page, which every tab works on."""

    source: ImagePicker
    start: gr.Radio
    picked: gr.State
    key: gr.Textbox  # of what the browser shows, which may be the image before the one that is being prepared
    pictures: list[gr.Image]  # image, edit, difference
    command: gr.Textbox
    reset: gr.Button
    save: gr.DownloadButton
    stop: gr.Button


def image_panel(explorer: Explorer) -> ImagePanel:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            source = image_picker(explorer, "Images of the data", "Your own image")
            start = gr.Radio(
                [INVERTED, SEEDED], value=INVERTED, label="Begin from",
                info="its own (inverted x_T) keeps what the units do not hold; a seed shows what they hold alone",
                visible=explorer.has_start,
            )  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                pictures = [
                    gr.Image(
                        label=label, interactive=False, format="png", elem_classes="pixels", alt_text=label,
                        min_width=96, height=250, buttons=["download", "fullscreen"],
                    )
                    for label in ("image", "edit", "difference")
                ]  # fmt: skip
            command = command_box()
            with gr.Row():
                reset = gr.Button("Reset")
                save = gr.DownloadButton("Save picture and command")
                stop = gr.Button("Cancel what is running")
    return ImagePanel(source, start, gr.State(None), gr.Textbox(visible="hidden"), pictures, command, reset, save, stop)


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

    edit_outputs = [*panel.pictures[1:], panel.command, panel.save]
    image_outputs = [panel.key, panel.pictures[0], *edit_outputs, *sliders]
    events = [
        *panel.source.on_pick(pick, panel.start, [panel.picked, *image_outputs]),
        panel.start.input(change_start, [panel.picked, panel.start], [panel.picked, *image_outputs], **SHORT_WORK),
        panel.reset.click(reset, panel.picked, [panel.picked, *image_outputs], **SHORT_WORK),
    ]
    events += build_state_picker(explorer, panel.picked, sliders, edit_outputs, show_edit)
    latest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "minimal", **SHORT_WORK}
    events += [slider.input(edit, [panel.picked, panel.key, *sliders], edit_outputs, **latest) for slider in sliders]
    if panel.source.examples:
        first_example, _ = panel.source.examples[0]
        events.append(page.load(lambda: pick(first_example, None), None, [panel.picked, *image_outputs], **SHORT_WORK))
    return sliders, events
