"""The tab of cards: one for each factor or unit, with a strip drawn on the picture in hand and a slider."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from unweave.app.card_html import ON_CLICK, card_html
from unweave.app.components import LONG_WORK, SHORT_WORK, STRIPS, ImagePicker, PictureStore, require_picked, start_seed
from unweave.app.edit_history import EditHistory
from unweave.app.explorer import Explorer, Partner, PickedImage, Picture
from unweave.app.page_parts import errors_in_page
from unweave.app.picture_panel import Hand, address_of, compare_large, compare_value
from unweave.app.places import SliderPlace, slider_at
from unweave.method import Sampling

STRIP = 5  # pictures of a strip
THUMBNAIL = Sampling("dpmsolver++", 5)  # what they are drawn with: pictures this small show no difference


class Cards:
    """The cards of a page, in the order of the explorer's units, and what happens to them.

    The head of each says what it is; a click on a picture of its strip goes there.
    """

    def __init__(self, explorer: Explorer, hand: Hand, store: PictureStore, changeable: bool) -> None:
        self.explorer, self.hand, self.store, self.changeable = explorer, hand, store, changeable
        self.heads: list[gr.HTML] = []
        self.sliders: list[gr.Slider] = []

    def build(self) -> None:
        """The components: clear ones first, the others folded away."""
        kinds = [self.explorer.kind(index) for index in range(len(self.explorer.units))]
        open_ = [i for i, kind in enumerate(kinds) if kind in ("clear", "plain")]
        folded = [i for i, kind in enumerate(kinds) if kind in ("mixed", "leftover")]
        units = [i for i, kind in enumerate(kinds) if kind == "unit"]
        placed: dict[int, tuple[gr.HTML, gr.Slider]] = {}
        if not (open_ or folded):
            open_, units = units, []
        if not open_:
            open_, folded = folded, []
        placed |= self._section(open_)
        if folded:
            with gr.Accordion(f"Mixed and left over: {len(folded)}", open=False):
                placed |= self._section(folded)
        if units:
            with gr.Accordion("Single units", open=False):
                gr.HTML("<p>A unit that is moved here goes before the factor that it is in.</p>")
                placed |= self._section(units)
        self.heads = [placed[index][0] for index in range(len(kinds))]
        self.sliders = [placed[index][1] for index in range(len(kinds))]

    def _section(self, indices: Sequence[int]) -> dict[int, tuple[gr.HTML, gr.Slider]]:
        labels, placed = self.explorer.slider_labels(), {}
        with gr.Row(elem_classes="cards"):
            for index in indices:
                with gr.Column(elem_classes="card", min_width=220):
                    head = gr.HTML(self.head(index), js_on_load=ON_CLICK)
                    slider = gr.Slider(
                        0, 100, value=50, step=1, label=labels[index], precision=0, interactive=True, buttons=[],
                        show_label=False,
                    )  # fmt: skip
                    placed[index] = (head, slider)
        return placed

    def head(self, index: int, strip: Sequence[tuple[float, str]] = ()) -> str:
        """The head of a card, with a strip once it is drawn."""
        explorer = self.explorer
        changeable = self.changeable and index < explorer.factor_count
        name = explorer.slider_labels()[index]
        return card_html(name, explorer.kind(index), strip, explorer.states(index), changeable)

    def connect(self, page: gr.Blocks, source: ImagePicker, start: gr.Radio) -> list[Any]:
        """The events of the picture and the cards."""
        hand, sliders = self.hand, self.sliders
        self.now = [hand.picked, hand.key, hand.history, *sliders]
        self.edit_outputs = [hand.history, *hand.edit_outputs()]
        self.image_outputs = [hand.picked, hand.key, *self.edit_outputs, *sliders, hand.full]
        latest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "minimal", **SHORT_WORK}
        both = [*self.edit_outputs, *sliders]
        empty = hand.key.change(
            lambda: [self.head(i) for i in range(len(self.heads))], None, self.heads, show_progress="hidden"
        )
        draw = empty.then(self.draw_strips, hand.picked, self.heads, show_progress="hidden", **STRIPS)
        events = [
            *source.on_pick(self.pick, start, self.image_outputs),
            start.input(self.change_start, [hand.picked, start], self.image_outputs, **SHORT_WORK),
            hand.reset.click(self.reset, hand.picked, self.image_outputs, **SHORT_WORK),
            hand.undo.click(self.undo, [hand.picked, hand.history], both, **SHORT_WORK),
            hand.redo.click(self.redo, [hand.picked, hand.history], both, **SHORT_WORK),
            hand.full.click(
                self.at_full_size, [hand.picked, hand.history], [hand.compare, hand.full_save], **LONG_WORK
            ),
            *(slider.input(self.edit, self.now, self.edit_outputs, **latest) for slider in sliders),
            *(head.click(self.click_of(i), self.now, both, **SHORT_WORK) for i, head in enumerate(self.heads)),
        ]
        hand.key.change(None, cancels=[draw])  # one of the picture before, which is known to run by now
        if source.examples:
            first, _ = source.examples[0]
            events.append(page.load(lambda: self.pick(first, None), None, self.image_outputs, **SHORT_WORK))
        return [*events, draw]

    def pick(self, source: int | Path, seed: int | None, name: str | None = None) -> list[Any]:
        with errors_in_page():
            return self.show_picked(self.explorer.pick(source, seed, name))

    def change_start(self, picked: PickedImage | None, start_choice: str) -> list[Any]:
        if picked is None:
            return [gr.skip()] * len(self.image_outputs)
        return self.show_picked(
            self.explorer.prepare(picked.image, start_seed(start_choice), picked.name, picked.source)
        )

    def reset(self, picked: PickedImage | None) -> list[Any]:
        """All sliders as they were; an edit that still waits is of the image before."""
        return self.show_picked(require_picked(picked)._replace(key=uuid4().hex))

    def show_picked(self, picked: PickedImage) -> list[Any]:
        shown, size = self.show(picked, EditHistory(tuple(picked.positions))), self.explorer.full_size_of(picked)
        full = gr.update(visible=False) if size is None else gr.update(visible=True)
        return [picked, picked.key, *shown, *self.moved(picked.positions), full]

    def edit(
        self, picked: PickedImage | None, key: str, history: EditHistory | None, *values: float | int
    ) -> list[Any]:
        """The picture with the sliders where they are; nothing for sliders of the image before."""
        picked = require_picked(picked)
        if picked.key != key:  # moved for the image before, while this one was prepared
            return [gr.skip()] * len(self.edit_outputs)
        return self.show(picked, self.after(picked, history, values))

    def undo(self, picked: PickedImage | None, history: EditHistory | None) -> list[Any]:
        return self.step(picked, history and history.undo())

    def redo(self, picked: PickedImage | None, history: EditHistory | None) -> list[Any]:
        return self.step(picked, history and history.redo())

    def step(self, picked: PickedImage | None, history: EditHistory | None) -> list[Any]:
        picked = require_picked(picked)
        history = history or EditHistory(tuple(picked.positions))
        return [*self.show(picked, history), *self.moved(history.now)]

    def click_of(self, index: int) -> Any:
        """What a click on a card does: go to a place, or back to the picture's own."""

        def click(
            event: gr.EventData, picked: PickedImage | None, key: str, history: EditHistory | None, *values: float | int
        ) -> list[Any]:
            act, place = str(event._data.get("act")), float(event._data.get("place", 0))
            if act not in ("move", "reset") or require_picked(picked).key != key:
                return [gr.skip()] * (len(self.edit_outputs) + len(self.sliders))
            picked = require_picked(picked)
            there = min(1.0, max(0.0, place)) if act == "move" else picked.positions[index]
            return self.place(picked, history, values, index, there)

        return click

    def take(
        self,
        event: gr.EventData,
        partner: Partner | None,
        picked: PickedImage | None,
        key: str,
        history: EditHistory | None,
        *values: float | int,
    ) -> list[Any]:
        """A factor or unit, which the event says, as the other picture has it."""
        index = int(event._data.get("index", -1))
        if partner is None or require_picked(picked).key != key or not 0 <= index < len(self.sliders):
            return [gr.skip()] * (len(self.edit_outputs) + len(self.sliders))
        return self.place(require_picked(picked), history, values, index, self.explorer.take(index, partner))

    def place(
        self,
        picked: PickedImage,
        history: EditHistory | None,
        values: Sequence[float | int],
        index: int,
        there: SliderPlace,
    ) -> list[Any]:
        """One slider at a place, all others as they are."""
        before = self.after(picked, history, values)
        positions = list(before.now)
        positions[index] = there
        return self.step(picked, (history or EditHistory(tuple(picked.positions))).moved(positions))

    def at_full_size(self, picked: PickedImage | None, history: EditHistory | None) -> list[Any]:
        """The edit on the picture at its own size: shown, and to be saved."""
        picked = require_picked(picked)
        positions = (history or EditHistory(tuple(picked.positions))).now
        with errors_in_page():
            before, after = self.explorer.at_full_size(picked, positions)
            saved = self.store(after, self.explorer.edit_command(picked, positions))
        large = f"Save {after.shape[1]} x {after.shape[0]}"
        return [compare_large(before, after), gr.update(value=saved, label=large, visible=True)]

    def after(self, picked: PickedImage, history: EditHistory | None, values: Sequence[float | int]) -> EditHistory:
        """The history once the sliders are at these values; one that was not moved keeps its exact position."""
        before = (history or EditHistory(tuple(picked.positions))).now
        exact = [old if round(100 * slider_at(old)) == value else value / 100 for old, value in zip(before, values)]
        return (history or EditHistory(tuple(picked.positions))).moved(exact)

    def show(self, picked: PickedImage, history: EditHistory) -> list[Any]:
        """The outputs of an edit."""
        with errors_in_page():
            picture, difference, command = self.explorer.edit(picked, history.now)
        before = self.explorer.pixels(picked.reconstruction)
        compared = compare_value(before[0], picture[0], difference[0])
        lines = self.explorer.python_lines(picked, history.now)
        return [history, compared, command, lines, self.saved(picture[0], command), gr.update(visible=False)]

    def saved(self, picture: Picture, command: str) -> Any:
        """The file to save; where the disk is full, the picture is shown all the same, and a sentence says so."""
        try:
            return self.store(picture, command)
        except OSError as error:
            gr.Warning(escape(f"the picture cannot be saved: {error}"))
            return None

    def moved(self, positions: Sequence[SliderPlace]) -> list[Any]:
        return [gr.update(value=round(100 * slider_at(place))) for place in positions]

    def draw_strips(self, picked: PickedImage | None) -> Iterator[list[Any]]:
        """The strip of each factor on the picture in hand, one after the other; of units where there is no factor."""
        if picked is None:
            return
        count = self.explorer.factor_count or len(self.heads)
        order = sorted(range(count), key=lambda index: self.explorer.kind(index) not in ("clear", "plain", "unit"))
        for index in order:
            places = self.explorer.steps(index, STRIP)
            frames = self.explorer.draw_at(picked, index, places, THUMBNAIL)
            head = self.head(index, [(place, address_of(frame)) for place, frame in zip(places, frames)])
            yield [head if index == at else gr.skip() for at in range(len(self.heads))]
