"""The upper half of the explorer's page: the image that a person works on, and what has become of it."""

from typing import Any, NamedTuple

import gradio as gr

from unweave.app.components import INVERTED, SEEDED, ImagePicker, command_box, image_picker
from unweave.app.explorer import Explorer


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

    def edit_outputs(self) -> list[Any]:
        """What shows an edit: its picture, the difference, the command, and the file to save."""
        return [*self.pictures[1:], self.command, self.save]


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
