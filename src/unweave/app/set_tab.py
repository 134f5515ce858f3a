"""The tab of the whole set: a gallery along a factor, a map with a lasso, two selections contrasted, odd pictures.

The lasso is drawn by the pointer, or by keys: corners that a cross sets.
"""

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

KEYS = "Draw around pictures, or click one. With keys: arrows move the cross, space sets a corner, Enter ends."
MAP = f"""<div class="map"><svg viewBox="-2 -2 104 104" tabindex="0" role="application"
aria-label="map of the pictures" aria-description="{KEYS}">${{value}}
<polyline class="lasso" fill="none" points=""/><path class="cross" d=""/></svg><p>{KEYS}</p></div>"""
LASSO = """let path = [], corners = [], cross = [50, 50];
const place = event => {
    const svg = element.querySelector('svg'), box = svg.getBoundingClientRect();
    return [104 * (event.clientX - box.left) / box.width - 2, 104 * (event.clientY - box.top) / box.height - 2];
};
const draw = points => {
    const [x, y] = cross;
    element.querySelector('.lasso').setAttribute('points', points.map(point => point.join(',')).join(' '));
    element.querySelector('.cross').setAttribute('d', `M${x - 3},${y}H${x + 3}M${x},${y - 3}V${y + 3}`);
};
const circles = () => [...element.querySelectorAll('circle')], row = point => Number(point.dataset.row);
const at = point => [Number(point.getAttribute('cx')), Number(point.getAttribute('cy'))];
const pick = ([x, y], reach) => {
    const far = point => Math.hypot(at(point)[0] - x, at(point)[1] - y);
    const near = circles().filter(point => far(point) < reach).sort((a, b) => far(a) - far(b))[0];
    if (near) trigger('click', {act: 'pick', rows: [row(near)]});
};
const select = polygon => {
    const inside = ([x, y]) => polygon.reduce((odd, [ax, ay], i) => {
        const [bx, by] = polygon[(i + polygon.length - 1) % polygon.length];
        return (ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax ? !odd : odd;
    }, false);
    const taken = circles().filter(point => inside(at(point)));
    circles().forEach(point => point.classList.toggle('taken', taken.includes(point)));
    trigger('click', {act: 'select', rows: taken.map(row)});
};
element.addEventListener('pointerdown', event => {
    if (event.target.closest('svg')) { path = [place(event)]; event.preventDefault(); }
});
element.addEventListener('pointermove', event => { if (path.length) { path.push(place(event)); draw(path); } });
window.addEventListener('pointerup', event => {
    if (path.length) path.length < 4 ? pick(path[0], 1.6) : select(path);
    path = [];
});
element.addEventListener('focusin', event => { if (event.target.closest('svg')) draw(corners); });
element.addEventListener('keydown', event => {
    if (!event.target.closest('svg')) return;
    const step = event.shiftKey ? 1 : 4;
    const moves = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]};
    if (moves[event.key]) cross = cross.map((now, i) => Math.min(102, Math.max(-2, now + moves[event.key][i])));
    else if (event.key === ' ') corners = [...corners, cross];
    else if (event.key === 'Escape') corners = [];
    else if (event.key === 'Enter') { corners.length > 2 ? select(corners) : pick(cross, 6); corners = []; }
    else return;
    event.preventDefault();
    draw(event.key === 'Enter' ? [] : [...corners, cross]);
});"""


def build_set_tab(explorer: Explorer, cards: Cards, start: gr.Radio) -> list[gr.Dropdown]:
    """The components and their events; the menus of factors. A sentence where the data are gone."""
    if explorer.dataset is None:
        gr.HTML("<p>The data of this run are not at hand.</p>")
        return []
    pictures, hand = PictureSet(explorer), cards.hand
    options, rows = unit_options(explorer.names()), gr.State([])
    with gr.Row():
        along = gr.Dropdown(options, value=0, label="Along", min_width=200, scale=2)
        order = gr.Button("In its order", variant="primary", min_width=90)
        odd = gr.Button("Odd pictures", min_width=90)
    gallery = edit_gallery("Click one to take it in hand")
    with gr.Row():
        across = gr.Dropdown(options, value=0, label="Map: from left to right", min_width=190, scale=2)
        up = gr.Dropdown(options, value=min(1, len(options) - 1), label="From low to high", min_width=190, scale=2)
        draw = gr.Button("Draw the map", min_width=90)
    chart = gr.HTML("", html_template=MAP, js_on_load=LASSO)
    drawn = gr.State(None)  # what goes from left to right on the map
    taken, first, second = gr.State([]), gr.State([]), gr.State([])
    with gr.Row():
        to_a = gr.Button("Selection is A", min_width=120, size="sm")
        to_b = gr.Button("Selection is B", min_width=120, size="sm")
        ends = gr.Button("A: the left fifth, B: the right", min_width=120, size="sm")
        compare = gr.Button("Contrast A and B", variant="primary", min_width=120, size="sm")
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

    def select(event: gr.EventData) -> list[Any]:
        if event._data.get("act") != "select":
            return [gr.skip(), gr.skip()]
        chosen = [int(row) for row in event._data["rows"]]
        return [chosen, f"<p role=status>{len(chosen)} pictures are selected.</p>"]

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
    chart.click(select, None, [taken, counts], show_progress="hidden")
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
