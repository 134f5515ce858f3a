"""The tab in which units come from another image."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from unweave.app import parts
from unweave.app.explorer import STEPS, Explorer, Partner, Picked, partners
from unweave.app.parts import LONG, Keep, needed, options, refusal, told
from unweave.app.sliders import Panel
from unweave.figures.pixels import pixels


def tab(explorer: Explorer, panel: Panel, keep: Keep) -> tuple[gr.CheckboxGroup, list[Any]]:
    """The choice of units, and the events."""
    partner = gr.State(None)
    count = min(6, len(explorer.choices))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            source = parts.source(explorer, "Partner: images of the data", "Your own partner")
            shown = gr.Image(
                label="partner", interactive=False, format="png", elem_classes="pixels", alt_text="partner", height=160,
                buttons=[],
            )  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            units = gr.CheckboxGroup(
                options(explorer.names()), value=list(range(count)), label="Units to take, one at a time"
            )
            with gr.Row():
                go = gr.Button("Swap", variant="primary")
                go_between = gr.Button("Interpolate all units")
            edits = parts.gallery("Edits")
            command = parts.command()

    def pick(source: int | Path, seed: int | None, name: str | None = None) -> list[Any]:
        with told():
            found = explorer.partner(source, name)
        return [found, keep(pixels(found.image)[0])]

    def swap(
        one: Picked | None,
        two: Partner | None,
        places: Sequence[int],
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[list[Any]]:
        mine, theirs = needed(one), needed(two, "a partner")
        if not places:
            raise refusal("tick a unit to take from the partner.")
        made = [(keep(pixels(mine.plain)[0]), "rebuilt"), (keep(pixels(theirs.image)[0]), "partner")]
        words = ",".join(explorer.choices[place].word for place in places)
        line = explorer.command("swap", mine, ["--partners", partners(theirs), "--units", words])
        names = explorer.names()
        for done, (place, picture) in enumerate(explorer.swap(mine, theirs, places), 1):
            made.append((keep(picture[0], line), names[place]))
            progress((done, len(places)), desc=names[place])
            yield [made, line]

    def between(one: Picked | None, two: Partner | None) -> list[Any]:
        mine, theirs = needed(one), needed(two, "a partner")
        frames = explorer.interpolate(mine, theirs)
        line = explorer.command("interpolate", mine, ["--partners", partners(theirs)])
        made = [(keep(frame, line), f"{share:.0%}") for frame, share in zip(frames, np.linspace(0, 1, STEPS))]
        return [made, line]

    events: list[Any] = [
        go.click(swap, [panel.picked, partner, units], [edits, command], **LONG),
        go_between.click(between, [panel.picked, partner], [edits, command], **LONG),
    ]
    panel.key.change(lambda: [None, ""], None, [edits, command], cancels=events)  # they are of the image before
    return units, [*source.on(pick, panel.begins, [partner, shown]), *events]
