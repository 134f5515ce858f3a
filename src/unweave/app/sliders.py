"""The image that a person works on, and a slider for each of its units."""

from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import gradio as gr

from unweave.app import parts
from unweave.app.explorer import Explorer, Picked
from unweave.app.parts import ONE, OWN, SEED, Keep, Source, needed, told
from unweave.figures.pixels import pixels


class Panel(NamedTuple):
    """The upper half of the page, which every tab works on."""

    source: Source
    begins: gr.Radio
    picked: gr.State
    key: gr.Textbox  # of what the browser shows, which may be the image before the one that is being prepared
    shown: list[gr.Image]  # image, edit, difference
    command: gr.Textbox
    reset: gr.Button
    save: gr.DownloadButton
    stop: gr.Button


def panel(explorer: Explorer) -> Panel:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            source = parts.source(explorer, "Images of the data", "Your own image")
            begins = gr.Radio(
                [OWN, SEED], value=OWN, label="Begin from",
                info="its own (inverted x_T) keeps what the units do not hold; a seed shows what they hold alone",
                visible=explorer.noisy,
            )  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                shown = [
                    gr.Image(
                        label=label, interactive=False, format="png", elem_classes="pixels", alt_text=label,
                        min_width=96, height=250, buttons=["download", "fullscreen"],
                    )
                    for label in ("image", "edit", "difference")
                ]  # fmt: skip
            command = parts.command()
            with gr.Row():
                reset = gr.Button("Reset")
                save = gr.DownloadButton("Save picture and command")
                stop = gr.Button("Cancel what is running")
    return Panel(source, begins, gr.State(None), gr.Textbox(visible="hidden"), shown, command, reset, save, stop)


def tab(page: gr.Blocks, explorer: Explorer, panel: Panel, keep: Keep) -> tuple[list[gr.Slider], list[Any]]:
    """The sliders, and the events of them and of the panel."""
    gr.Markdown("Each slider goes from the lowest value of its unit (0) to the highest (100).")
    sliders: list[gr.Slider] = []
    names = explorer.names()
    for first in range(0, len(names), 3):
        with gr.Row():
            sliders += [
                gr.Slider(
                    0, 100, value=50, step=1, label=name, precision=0, interactive=True, min_width=200, buttons=[]
                )
                for name in names[first : first + 3]
            ]

    def pick(source: int | Path, seed: int | None, name: str | None = None) -> list[Any]:
        with told():
            one = explorer.pick(source, seed, name)
        return [one, *drawn(one)]

    def again(one: Picked | None, begin: str) -> list[Any]:
        if one is None:
            return [gr.skip()] * (1 + len(drawing))
        made = explorer.prepared(one.image, parts.seed(begin), one.name)
        return [made, *drawn(made)]

    def back(one: Picked | None) -> list[Any]:
        fresh = needed(one)._replace(key=uuid4().hex)  # an edit that still waits is of the image before
        return [fresh, *drawn(fresh)]

    def drawn(one: Picked) -> list[Any]:
        moved = [gr.Slider(value=round(100 * share), label=name) for share, name in zip(one.shares, explorer.names())]
        return [one.key, keep(pixels(one.image)[0]), *made(one, one.shares), *moved]

    def edit(one: Picked | None, key: str, *places: float | int) -> list[Any]:
        if needed(one).key != key:  # moved for the image before, while this one was prepared
            return [gr.skip()] * len(result)
        return made(needed(one), [place / 100 for place in places])

    def made(one: Picked, shares: list[float]) -> list[Any]:
        picture, difference, line = explorer.edit(one, shares)
        large = keep(picture[0], line)
        return [large, keep(difference[0]), line, large]

    result = [*panel.shown[1:], panel.command, panel.save]
    drawing = [panel.key, panel.shown[0], *result, *sliders]
    events = [
        *panel.source.on(pick, panel.begins, [panel.picked, *drawing]),
        panel.begins.input(again, [panel.picked, panel.begins], [panel.picked, *drawing], **ONE),
        panel.reset.click(back, panel.picked, [panel.picked, *drawing], **ONE),
    ]
    latest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "minimal", **ONE}
    events += [slider.input(edit, [panel.picked, panel.key, *sliders], result, **latest) for slider in sliders]
    if panel.source.examples:
        greeting, _ = panel.source.examples[0]
        events.append(page.load(lambda: pick(greeting, None), None, [panel.picked, *drawing], **ONE))
    return sliders, events
