"""The tab in which units come from another image."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from unweave.app.argument_words import partner_word
from unweave.app.card_html import ON_CLICK
from unweave.app.cards import Cards
from unweave.app.components import (
    LONG_WORK,
    SHORT_WORK,
    PictureStore,
    command_box,
    edit_gallery,
    image_picker,
    require_picked,
    unit_options,
)
from unweave.app.explorer import STEPS, Explorer, Partner, PickedImage
from unweave.app.page_parts import errors_in_page, page_error
from unweave.app.pair import FactorDifference, by_what_matters, compared, differences, way
from unweave.app.pair_html import differences_html
from unweave.figures.pixels import rgb_pixels


def build_swap_tab(
    explorer: Explorer, cards: Cards, start: gr.Radio, store: PictureStore
) -> tuple[gr.CheckboxGroup, list[Any]]:
    """The boxes to tick units in, and the events that "Cancel" has yet to end."""
    hand, partner_state = cards.hand, gr.State(None)
    count = min(6, len(explorer.units))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            source = image_picker(explorer, "Partner: images of the data", "Your own partner")
            partner_picture = gr.Image(
                label="partner", interactive=False, format="png", elem_classes="pixels", alt_text="partner", height=160,
                buttons=[],
            )  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            compare_button = gr.Button("What differs?", variant="primary")
            differing = gr.HTML("", js_on_load=ON_CLICK)
            units = gr.CheckboxGroup(
                unit_options(explorer.names()),
                value=list(range(count)),
                label="Units to take: one at a time by Swap, all at once by Exchange",
            )
            with gr.Row():
                swap_button = gr.Button("Swap")
                exchange_button = gr.Button("Exchange in both")
                interpolate_button = gr.Button("Interpolate all units")
            both = gr.Gallery(
                label="Both, exchanged", columns=2, height="auto", format="png", elem_classes=["pixels", "both"],
                interactive=False, visible=False,
            )  # fmt: skip
            edits = edit_gallery("Edits")
            command = command_box()

    def pick(source: int | Path, seed: int | None, name: str | None = None) -> list[Any]:
        with errors_in_page():
            partner = explorer.partner(source, name)
        return [partner, store(rgb_pixels(partner.image)[0])]

    def compare(
        picked: PickedImage | None,
        partner: Partner | None,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[str]:
        picked, partner = require_picked(picked), require_picked(partner, "a partner")
        drawn, total = list[FactorDifference](), len(compared(explorer))
        for difference in differences(explorer, picked, partner):
            drawn = by_what_matters([*drawn, difference])
            progress((len(drawn), total), desc="comparing")
            yield differences_html(explorer, drawn, [])
        steps: list[Any] = []
        for step in way(explorer, picked, partner, [each.slider for each in drawn]):
            steps.append(step)
            yield differences_html(explorer, drawn, steps)

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
        line = explorer.command("swap", picked, ["--partners", partner_word(partner.name), "--units", words])
        names = explorer.names()
        for done, (index, picture) in enumerate(explorer.swap(picked, partner, indices), 1):
            pictures.append((store(picture[0], line), names[index]))
            progress((done, len(indices)), desc=names[index])
            yield [pictures, line]

    def exchange(picked: PickedImage | None, partner: Partner | None, indices: Sequence[int]) -> list[Any]:
        picked, partner = require_picked(picked), require_picked(partner, "a partner")
        if not indices:
            raise page_error("tick a unit to exchange.")
        with errors_in_page():
            here, there = explorer.exchange(picked, partner, indices)
        words, other = [explorer.units[index].word for index in indices], partner_word(partner.name)
        like = ",".join(f"{word}=like:{other}" for word in words)
        both = [partner.name, "--partners", f"{other},{partner_word(picked.name)}", "--units", words[0]]
        one = len(words) == 1
        line = explorer.command("swap", picked, both) if one else explorer.command("adjust", picked, ["--to", like])
        what = "these units" if len(indices) > 2 else " and ".join(explorer.names()[index] for index in indices)
        titles = (f"{picked.name} with {what} of {partner.name}", f"{partner.name} with {what} of {picked.name}")
        pictures = [(store(picture, line), title) for picture, title in zip((here, there), titles)]
        return [gr.update(value=pictures, visible=True), line]

    def interpolate(picked: PickedImage | None, partner: Partner | None) -> list[Any]:
        picked, partner = require_picked(picked), require_picked(partner, "a partner")
        frames = explorer.interpolate(picked, partner)
        line = explorer.command("interpolate", picked, ["--partners", partner_word(partner.name)])
        weights = np.linspace(0, 1, STEPS)
        return [[(store(frame, line), f"{weight:.0%}") for frame, weight in zip(frames, weights)], line]

    events: list[Any] = [
        compare_button.click(compare, [hand.picked, partner_state], differing, **LONG_WORK),
        swap_button.click(swap, [hand.picked, partner_state, units], [edits, command], **LONG_WORK),
        exchange_button.click(exchange, [hand.picked, partner_state, units], [both, command], **LONG_WORK),
        interpolate_button.click(interpolate, [hand.picked, partner_state], [edits, command], **LONG_WORK),
    ]
    taken = [*cards.edit_outputs, *cards.sliders]
    events.append(differing.click(cards.take, [partner_state, *cards.now], taken, **SHORT_WORK))
    changes = [hand.key.change, hand.stop.click, partner_picture.change]  # they are of the pictures before
    gr.on(
        changes,
        lambda: [None, "", "", gr.update(value=None, visible=False)],
        None,
        [edits, command, differing, both],
        cancels=events,
    )
    return units, source.on_pick(pick, start, [partner_state, partner_picture])
