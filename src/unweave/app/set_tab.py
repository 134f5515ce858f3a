"""The tab of the whole set: a gallery along a factor, a map with a lasso, two selections contrasted, odd pictures."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from unweave.app.cards import Cards
from unweave.app.components import LONG_WORK, SHORT_WORK, edit_gallery, start_seed, unit_options
from unweave.app.explorer import Explorer, Picture
from unweave.app.page_parts import errors_in_page, page_error
from unweave.app.picture_set import Contrasted, PictureSet
from unweave.figures.pixels import rgb_pixels

MAP = """<div class="map"><svg viewBox="-2 -2 104 104" role="img" aria-label="map of the pictures">${value}
<polyline class="lasso" fill="none" points=""/></svg></div>"""
LASSO = """let path = [];
const place = event => {
    const svg = element.querySelector('svg'), box = svg.getBoundingClientRect();
    return [104 * (event.clientX - box.left) / box.width - 2, 104 * (event.clientY - box.top) / box.height - 2];
};
const inside = (x, y) => path.reduce((odd, [ax, ay], i) => {
    const [bx, by] = path[(i + path.length - 1) % path.length];
    return (ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax ? !odd : odd;
}, false);
element.addEventListener('pointerdown', event => {
    if (event.target.closest('svg')) { path = [place(event)]; event.preventDefault(); }
});
element.addEventListener('pointermove', event => {
    if (!path.length) return;
    path.push(place(event));
    element.querySelector('.lasso').setAttribute('points', path.map(point => point.join(',')).join(' '));
});
window.addEventListener('pointerup', event => {
    if (!path.length) return;
    const points = [...element.querySelectorAll('circle')], row = point => Number(point.dataset.row);
    const at = point => [Number(point.getAttribute('cx')), Number(point.getAttribute('cy'))];
    if (path.length < 4) {
        const hit = points.find(point => Math.hypot(at(point)[0] - path[0][0], at(point)[1] - path[0][1]) < 1.6);
        if (hit) trigger('click', {act: 'pick', rows: [row(hit)]});
    } else {
        const taken = points.filter(point => inside(...at(point)));
        points.forEach(point => point.classList.toggle('taken', taken.includes(point)));
        trigger('click', {act: 'select', rows: taken.map(row)});
    }
    path = [];
});"""


def build_set_tab(explorer: Explorer, cards: Cards, start: gr.Radio) -> list[gr.Dropdown]:
    """The components and their events; the menus of factors. A sentence where the data are gone."""
    if explorer.dataset is None:
        gr.HTML("<p>The data of this run are not at hand.</p>")
        return []
    pictures, hand = PictureSet(explorer), cards.hand
    options, rows = unit_options(explorer.names()), gr.State([])
    with gr.Row():
        along = gr.Dropdown(options, value=0, label="Along", min_width=120)
        order = gr.Button("In its order", variant="primary", min_width=90)
        odd = gr.Button("Odd pictures", min_width=90)
    gallery = edit_gallery("Click one to take it in hand")
    with gr.Row():
        across = gr.Dropdown(options, value=0, label="Map: from left to right", min_width=120)
        up = gr.Dropdown(options, value=min(1, len(options) - 1), label="From low to high", min_width=120)
        draw = gr.Button("Draw the map", min_width=90)
    chart = gr.HTML("", html_template=MAP, js_on_load=LASSO)
    drawn = gr.State(None)  # what goes from left to right on the map
    taken, first, second = gr.State([]), gr.State([]), gr.State([])
    with gr.Row():
        to_a = gr.Button("Selection is A", min_width=90)
        to_b = gr.Button("Selection is B", min_width=90)
        ends = gr.Button("A: the left fifth, B: the right", min_width=90)
        compare = gr.Button("Contrast A and B", variant="primary", min_width=90)
    counts, contrasted = gr.HTML(""), gr.HTML("")

    def show(listed: Sequence[tuple[int, Picture]]) -> list[Any]:
        return [[(rgb_pixels(picture[None])[0], f"row {row}") for row, picture in listed], [row for row, _ in listed]]

    def in_order(index: int) -> list[Any]:
        with errors_in_page():
            return show(explorer.gallery(index, 24))

    def odd_ones() -> list[Any]:
        with errors_in_page():
            return show(pictures.outliers())

    def take(selected: gr.SelectData, listed: Sequence[int], start_choice: str) -> list[Any]:
        return cards.pick(listed[selected.index], start_seed(start_choice))

    def draw_map(x: int, y: int) -> list[Any]:
        with errors_in_page():
            return [map_svg(pictures.mapped(x, y).tolist()), x, [], [], [], "", ""]

    def take_ends(x: int | None) -> list[Any]:
        if x is None:
            raise page_error("draw the map first.")
        with errors_in_page():
            sets = pictures.ends(x)
        return [*sets, say(*sets), ""]

    def take_point(event: gr.EventData, start_choice: str) -> list[Any]:
        if event._data.get("act") != "pick":
            return [gr.skip()] * len(cards.image_outputs)
        return cards.pick(int(event._data["rows"][0]), start_seed(start_choice))

    def select(event: gr.EventData) -> Any:
        return [int(row) for row in event._data["rows"]] if event._data.get("act") == "select" else gr.skip()

    def say(a: Sequence[int], b: Sequence[int]) -> str:
        return f"<p role=status>A: {len(a)} pictures, B: {len(b)}.</p>"

    def contrast(a: Sequence[int], b: Sequence[int]) -> str:
        with errors_in_page():
            return contrast_html(pictures.contrast(a, b), explorer.names())

    gallery_outputs, both = [gallery, rows], [first, second]
    events = [
        order.click(in_order, along, gallery_outputs, **LONG_WORK),
        odd.click(odd_ones, None, gallery_outputs, **LONG_WORK),
        draw.click(draw_map, [across, up], [chart, drawn, taken, *both, counts, contrasted], **LONG_WORK),
        compare.click(contrast, both, contrasted, **LONG_WORK),
        gallery.select(take, [rows, start], cards.image_outputs, **SHORT_WORK),
        chart.click(take_point, start, cards.image_outputs, **SHORT_WORK),
    ]
    chart.click(select, None, taken, show_progress="hidden")
    to_a.click(lambda rows, b: [rows, say(rows, b), ""], [taken, second], [first, counts, contrasted])
    to_b.click(lambda rows, a: [rows, say(a, rows), ""], [taken, first], [second, counts, contrasted])
    ends.click(take_ends, drawn, [*both, counts, contrasted])
    gr.on([hand.stop.click], lambda: ["", None], None, [contrasted, gallery], cancels=events)
    return [along, across, up]


def map_svg(points: Sequence[Sequence[float]]) -> str:
    """The points of the map: row, and where it is from left to right and from low to high, each in [0, 1]."""
    return "".join(
        f'<circle data-row="{int(row)}" cx="{100 * x:.2f}" cy="{100 - 100 * y:.2f}" r="0.9"></circle>'
        for row, x, y in points
    )


def contrast_html(contrasted: Sequence[Contrasted], names: Sequence[str]) -> str:
    """A table of how two selections differ."""
    lines = "".join(
        f"<tr><td>{escape(names[each.slider])}</td><td>{each.delta:+.2f}</td><td>{each.adjusted:.2g}</td></tr>"
        for each in contrasted
    )
    head = "<tr><th>what</th><th>B above A (Cliff's delta)</th><th>p, adjusted</th></tr>"
    return f"<table><caption>What differs most comes first</caption>{head}{lines}</table>"
