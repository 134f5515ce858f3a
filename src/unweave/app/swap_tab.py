"""The tab in which units come from another image."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from unweave.app.components import (
    LONG_WORK,
    StorePicture,
    command_box,
    edit_gallery,
    image_picker,
    require_picked,
    unit_options,
)
from unweave.app.explorer import STEPS, Explorer, Partner, PickedImage, partners_argument
from unweave.app.page_parts import errors_in_page, page_error
from unweave.app.picture_panel import Hand
from unweave.figures.pixels import rgb_pixels


def build_swap_tab(
    explorer: Explorer, hand: Hand, start: gr.Radio, store: StorePicture
) -> tuple[gr.CheckboxGroup, list[Any]]:
    """The boxes to tick units in, and the events."""
    partner_state = gr.State(None)
    count = min(6, len(explorer.units))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            source = image_picker(explorer, "Partner: images of the data", "Your own partner")
            partner_picture = gr.Image(
                label="partner", interactive=False, format="png", elem_classes="pixels", alt_text="partner", height=160,
                buttons=[],
            )  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            units = gr.CheckboxGroup(
                unit_options(explorer.names()), value=list(range(count)), label="Units to take, one at a time"
            )
            with gr.Row():
                swap_button = gr.Button("Swap", variant="primary")
                interpolate_button = gr.Button("Interpolate all units")
            edits = edit_gallery("Edits")
            command = command_box()

    def pick(source: int | Path, seed: int | None, name: str | None = None) -> list[Any]:
        with errors_in_page():
            partner = explorer.partner(source, name)
        return [partner, store(rgb_pixels(partner.image)[0])]

    def swap(
        picked: PickedImage | None,
        partner: Partner | None,
        indices: Sequence[int],
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[list[Any]]:
        picked, partner = require_picked(picked), require_picked(partner, "a partner")
        if not indices:
            raise page_error("tick a unit to take from the partner.")
        pictures = [
            (store(rgb_pixels(picked.reconstruction)[0]), "rebuilt"),
            (store(rgb_pixels(partner.image)[0]), "partner"),
        ]
        with errors_in_page():
            explorer.check_indices(indices)
        words = ",".join(explorer.units[index].word for index in indices)
        line = explorer.command("swap", picked, ["--partners", partners_argument(partner), "--units", words])
        names = explorer.names()
        for done, (index, picture) in enumerate(explorer.swap(picked, partner, indices), 1):
            pictures.append((store(picture[0], line), names[index]))
            progress((done, len(indices)), desc=names[index])
            yield [pictures, line]

    def interpolate(picked: PickedImage | None, partner: Partner | None) -> list[Any]:
        picked, partner = require_picked(picked), require_picked(partner, "a partner")
        frames = explorer.interpolate(picked, partner)
        line = explorer.command("interpolate", picked, ["--partners", partners_argument(partner)])
        weights = np.linspace(0, 1, STEPS)
        return [[(store(frame, line), f"{weight:.0%}") for frame, weight in zip(frames, weights)], line]

    events: list[Any] = [
        swap_button.click(swap, [hand.picked, partner_state, units], [edits, command], **LONG_WORK),
        interpolate_button.click(interpolate, [hand.picked, partner_state], [edits, command], **LONG_WORK),
    ]
    hand.key.change(lambda: [None, ""], None, [edits, command], cancels=events)  # they are of the image before
    return units, [*source.on_pick(pick, start, [partner_state, partner_picture]), *events]
