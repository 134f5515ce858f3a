"""The tab that looks at one unit: from low to high, real images along it, where it is attended to, its name."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import gradio as gr

from unweave.app import parts
from unweave.app.explorer import SHARES, Explorer, Picked
from unweave.app.parts import LONG, Keep, needed, options, told
from unweave.app.sliders import Panel


class OneUnit(NamedTuple):
    which: gr.Dropdown
    text: gr.Textbox
    rename: gr.Button
    events: list[Any]


def tab(explorer: Explorer, panel: Panel, keep: Keep, rename: bool) -> OneUnit:
    which = gr.Dropdown(options(explorer.names()), value=0, label="Unit")
    with gr.Row():
        go_along = gr.Button("From low to high", variant="primary")
        go_every = gr.Button("Every unit from low to high")
        gone = "" if explorer.data is not None else "The data are not at hand"
        go_real = gr.Button(gone or "Real images along it", interactive=not gone)
        blind = explorer.no_attention()
        go_map = gr.Button(blind or "Where it is attended to", interactive=not blind)
    along = parts.gallery("From low to high")
    command = parts.command()
    attended = gr.Image(label="attention", interactive=False, format="png", visible=False, alt_text="attention")
    with gr.Row(visible=rename):
        text = gr.Textbox(label="Name of the unit", max_lines=1, placeholder="wall colour")
        go_name = gr.Button("Rename")

    def traverse(one: Picked | None, place: int) -> list[Any]:
        mine, (_, frames) = needed(one), next(explorer.traverse(needed(one), [place]))
        line = explorer.command("traverse", mine, ["--units", explorer.choices[place].word])
        made = [(keep(frame, line), f"{share:.0%}") for frame, share in zip(frames, SHARES)]
        return [gr.Gallery(made, label=explorer.names()[place]), line]

    def every(one: Picked | None, progress: Any = gr.Progress()) -> Iterator[list[Any]]:  # noqa: B008
        mine, made, names = needed(one), [], explorer.names()
        words = ",".join(choice.word for choice in explorer.choices)
        line = explorer.command("traverse", mine, ["--units", words])
        for place, frames in explorer.traverse(mine, range(len(names)), (0.02, 0.98)):
            made += [(keep(frames[at], line), f"{names[place]}, {end}") for at, end in ((0, "low"), (-1, "high"))]
            progress((place + 1, len(names)), desc=names[place])
            yield [gr.Gallery(made, label="Every unit, low and high"), line]

    def real(place: int) -> list[Any]:
        found = [(keep(pixel), f"row {row}") for row, pixel in explorer.gallery(place)]
        return [gr.Gallery(found, label=f"Real images along {explorer.names()[place]}"), ""]

    def attend(one: Picked | None, place: int) -> list[Any]:
        with told():
            picture = explorer.attention(needed(one), place)
        line = explorer.command("attention", needed(one))
        return [gr.Image(keep(picture, line), visible=True), line]

    events: list[Any] = [
        go_along.click(traverse, [panel.picked, which], [along, command], **LONG),
        go_every.click(every, panel.picked, [along, command], **LONG),
        go_real.click(real, which, [along, command], **LONG),
        go_map.click(attend, [panel.picked, which], [attended, command], **LONG),
    ]
    seen = [along, command, attended]  # of the image or unit before
    others = [panel.key.change, which.change]
    gr.on(others, lambda: [None, "", gr.Image(visible=False)], None, seen, cancels=events)
    return OneUnit(which, text, go_name, events)
