"""Two runs on the same pictures: the same factor of both at the same slider."""

from functools import cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from jaxtyping import Float

from unweave.app.components import SHORT_WORK, image_picker, require_picked, unit_options
from unweave.app.explorer import Explorer, PickedImage
from unweave.app.page_parts import PICTURE_SECONDS, errors_in_page
from unweave.app.picture_panel import COMPARE, NOTHING, ON_LOAD, compare_value
from unweave.app.picture_set import PictureSet

Likeness = Float[np.ndarray, "first second"]


class Side(NamedTuple):
    """The components of one run."""

    explorer: Explorer
    picked: gr.State
    which: gr.Dropdown
    compare: gr.HTML
    command: gr.Textbox


def build_side_by_side(explorers: tuple[Explorer, Explorer]) -> gr.Blocks:
    """The page: one picture, one slider, a factor of each run; one of the first is given its like in the second."""
    names = [f"{explorer.run.method_name} ({explorer.run.path.name})" for explorer in explorers]
    with gr.Blocks(
        title=" and ".join(names), analytics_enabled=False, delete_cache=(PICTURE_SECONDS, PICTURE_SECONDS)
    ) as page:
        gr.HTML('<h1>Two runs, one slider</h1><p><a href="/">All runs</a></p>')
        with gr.Row(elem_classes="desk"):
            with gr.Column(scale=2, min_width=280, elem_classes="hand"):
                slider = gr.Slider(0, 100, value=50, step=1, label="Where it is, from low to high", buttons=[])
                with gr.Row():
                    sides = tuple(_side(explorer, name) for explorer, name in zip(explorers, names))
            with gr.Column(scale=1, min_width=280):
                source = image_picker(explorers[0], "Images of the data", "Your own image")
        one, two = sides
        start = gr.Radio([], visible=False)
        shown = [part for side in sides for part in (side.compare, side.command)]
        chosen = [one.picked, two.picked, one.which, two.which]

        @cache
        def likeness() -> Likeness:
            return rank_correlations(*explorers)

        def pick(place: int | Path, _seed: int | None, name: str | None, first: int, second: int) -> list[Any]:
            with errors_in_page():
                image = explorers[0].pick(place, None, name)
                other = explorers[1].pick_like(explorers[0], place, name)
            position = image.positions[first]
            drawn = [*_draw(one, image, first, position), *_draw(two, other, second, other.positions[second])]
            return [image, other, gr.update(value=round(100 * position)), *drawn]

        def move(
            a: PickedImage | None, b: PickedImage | None, first: int, second: int, value: float | int
        ) -> list[Any]:
            with errors_in_page():
                a, b = require_picked(a), require_picked(b)
                place = value / 100
                like = 1 - place if likeness()[first, second] < 0 else place
                return [*_draw(one, a, first, place), *_draw(two, b, second, like)]

        def match(first: int) -> Any:
            with errors_in_page():
                return gr.update(value=int(np.abs(likeness()[first]).argmax()))

        picking = [one.picked, two.picked, slider, *shown]
        latest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "minimal", **SHORT_WORK}
        source.on_pick_with(pick, [one.which, two.which], start, picking)
        slider.input(move, [*chosen, slider], shown, **latest)
        one.which.input(match, one.which, two.which).then(move, [*chosen, slider], shown, **latest)
        two.which.input(move, [*chosen, slider], shown, **latest)
        if source.examples:
            first_example, _ = source.examples[0]
            page.load(match, one.which, two.which).then(
                lambda a, b: pick(first_example, None, None, a, b), [one.which, two.which], picking, **SHORT_WORK
            )
    return page


def _side(explorer: Explorer, name: str) -> Side:
    with gr.Column(min_width=130):
        gr.HTML(f"<h2>{escape(name)}</h2>")
        which = gr.Dropdown(unit_options(explorer.names()), value=0, label=f"Of {name}")
        compare = gr.HTML(NOTHING, html_template=COMPARE, js_on_load=ON_LOAD, elem_classes="pixels")
        command = gr.Textbox(label=f"The command for {name}", interactive=False, lines=2)
    return Side(explorer, gr.State(None), which, compare, command)


def _draw(side: Side, picked: PickedImage, index: int, place: float) -> list[Any]:
    positions = [place if at == index else here for at, here in enumerate(picked.positions)]
    picture, difference, command = side.explorer.edit(picked, positions)
    before = side.explorer.pixels(picked.reconstruction)[0]
    return [compare_value(before, picture[0], difference[0]), command]


def rank_correlations(one: Explorer, two: Explorer) -> Likeness:
    """Of every factor or unit of one run with every one of the other over the same rows of the data, in [-1, 1].

    Those that go together have one far from 0, below it where one rises as the other falls; all are 0 where the two
    runs have no rows in common.
    """
    count = len(one.units)
    if not one.has_data_of(two):
        return np.zeros((count, len(two.units)))
    levels = np.column_stack([PictureSet(one).levels, PictureSet(two).levels])
    with np.errstate(invalid="ignore", divide="ignore"):  # of what is the same everywhere
        return np.nan_to_num(np.asarray(np.corrcoef(levels.argsort(0).argsort(0).T))[:count, count:])
