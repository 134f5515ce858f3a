"""The picture in hand: where it comes from, before and after with a divider, and what can be done with all edits."""

from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from PIL import Image

from unweave.app.components import COMMAND_LABEL, INVERTED, SEEDED, ImagePicker, image_picker
from unweave.app.explorer import Explorer, Picture
from unweave.editing.full_size import FullPixels
from unweave.figures.html import picture_address
from unweave.figures.pixels import rgb_pixels

SCREEN = 1_200  # pixels of the longer side of what is shown
NOTHING = {"before": "", "after": "", "difference": "", "shown": "none"}
COMPARE = """<div class="compare" style="display:${value.shown}">
<div class="stage"><img class="before" src="${value.before}" alt="image">
<img class="after" src="${value.after}" alt="edit">
<i class="cut"></i></div>
<img class="change" src="${value.difference}" alt="difference">
<span>before | after</span><span class="change">what changed</span>
<input type="range" min="0" max="100" value="0" aria-label="divider: before on the left, after on the right">
</div>"""
ON_LOAD = """const cut = share => element.style.setProperty('--cut', share + '%');
let last = '0';
element.addEventListener('input', event => { if (event.target.type === 'range') cut(last = event.target.value); });
watch('value', () => { const line = element.querySelector('input[type=range]'); if (line) line.value = last; });"""


class Hand(NamedTuple):
    """The picture in hand."""

    picked: gr.State
    key: gr.Textbox  # of what the browser shows, which may be the image before the one that is being prepared
    history: gr.State
    compare: gr.HTML
    command: gr.Textbox
    python: gr.Code
    undo: gr.Button
    redo: gr.Button
    reset: gr.Button
    save: gr.DownloadButton
    full: gr.Button  # asks for the edit at the size of the original
    full_save: gr.DownloadButton  # which has it
    stop: gr.Button

    def edit_outputs(self) -> list[Any]:
        """What shows an edit: its picture, the command and the lines that repeat it, and the files to save."""
        return [self.compare, self.command, self.python, self.save, self.full_save]


def picture_source(explorer: Explorer) -> tuple[ImagePicker, gr.Radio]:
    """Where a picture comes from."""
    start = gr.Radio(
        [INVERTED, SEEDED], value=INVERTED, label="Begin from", min_width=240,
        info="its own (inverted x_T) keeps what the units do not hold; a seed shows what they hold alone",
        visible=explorer.has_start, render=False,
    )  # fmt: skip
    return image_picker(explorer, "Images of the data", "Your own image", beside=start), start


def picture_in_hand() -> Hand:
    """The picture, which stays in view beside or above everything else."""
    with gr.Column(scale=2, min_width=280, elem_classes="hand"):
        compare = gr.HTML(NOTHING, html_template=COMPARE, js_on_load=ON_LOAD, elem_classes="pixels")
        with gr.Row(elem_classes="actions"):
            undo, redo, reset = (gr.Button(word, min_width=50, size="sm") for word in ("Undo", "Redo", "Reset"))
            save = gr.DownloadButton("Save", min_width=50, size="sm")
            full = gr.Button("Full size", min_width=50, size="sm", visible=False)
            full_save = gr.DownloadButton("Save at full size", min_width=50, size="sm", visible=False)
            stop = gr.Button("Cancel", min_width=50, size="sm")
    command = gr.Textbox(label=COMMAND_LABEL, interactive=False, lines=2, render=False)
    python = gr.Code("", language="python", label="The same in Python", interactive=False, lines=3, render=False)
    key = gr.Textbox(visible="hidden")
    return Hand(
        gr.State(None), key, gr.State(None), compare, command, python, undo, redo, reset, save, full, full_save, stop
    )


def repeat_box(hand: Hand) -> None:
    """Where the command and the lines of Python are shown that make the edit again."""
    with gr.Accordion("Make it again: the command, and Python", open=False):
        hand.command.render()
        hand.python.render()


def compare_value(before: Picture, after: Picture, difference: Picture) -> dict[str, str]:
    """The pictures as the page compares them."""
    parts = {"before": before, "after": after, "difference": difference}
    return {name: address_of(picture) for name, picture in parts.items()} | {"shown": "grid"}


def compare_large(before: FullPixels, after: FullPixels) -> dict[str, str]:
    """Pictures of any size, no larger than a screen shows them."""
    shown = {"shown": "grid"}
    for name, pixels in (("before", before), ("after", after)):
        picture = Image.fromarray(rgb_pixels(pixels[None])[0])
        picture.thumbnail((SCREEN, SCREEN))
        shown[name] = picture_address(picture, "JPEG")
    difference = np.abs(after.astype(np.int16) - before).astype(np.uint8)
    small = Image.fromarray(rgb_pixels(difference[None])[0])
    small.thumbnail((SCREEN // 2, SCREEN // 2))
    return shown | {"difference": picture_address(small, "JPEG")}


def address_of(picture: Picture) -> str:
    """Pixels as an address that carries them as a PNG."""
    return picture_address(Image.fromarray(np.ascontiguousarray(rgb_pixels(picture[None])[0])))
