"""The tab in which units come from another image."""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import numpy as np

from unweave.app import parts
from unweave.app.explorer import STEPS, Explorer, Picked, partners
from unweave.app.parts import LONG, Keep, needed, options, told
from unweave.app.sliders import Panel
from unweave.figures.pixels import pixels


def tab(explorer: Explorer, panel: Panel, keep: Keep) -> tuple[gr.CheckboxGroup, list[Any]]:
    """The choice of units, and the events."""
    partner = gr.State(None)
    count = min(6, len(explorer.choices))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            source = parts.source(explorer, "Partner: images of the data", "Your own partner")
        with gr.Column(scale=2, min_width=300):
            units = gr.CheckboxGroup(
                options(explorer.names()), value=list(range(count)), label="Units to take, one at a time"
            )
            with gr.Row():
                go = gr.Button("Swap", variant="primary")
                go_between = gr.Button("Interpolate all units")
            edits = parts.gallery("Edits")
            command = parts.command()

    def pick(*words: Any) -> Picked:
        with told():
            return explorer.pick(*words)

    def swap(
        one: Picked | None,
        two: Picked | None,
        places: Sequence[int],
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[list[Any]]:
        mine, theirs = needed(one), needed(two, "a partner")
        if not places:
            raise gr.Error("tick a unit to take from the partner.")
        made = [(keep(pixels(mine.plain)[0]), "rebuilt"), (keep(pixels(theirs.image)[0]), "partner")]
        words = ",".join(explorer.choices[place].word for place in places)
        line = explorer.command("swap", mine, ["--partners", partners(theirs), "--units", words])
        names = explorer.names()
        for done, (place, picture) in enumerate(explorer.swap(mine, theirs, places), 1):
            made.append((keep(picture[0], line), names[place]))
            progress((done, len(places)), desc=names[place])
            yield [made, line]

    def between(one: Picked | None, two: Picked | None) -> list[Any]:
        mine, theirs = needed(one), needed(two, "a partner")
        frames = explorer.interpolate(mine, theirs)
        line = explorer.command("interpolate", mine, ["--partners", partners(theirs)])
        made = [(keep(frame, line), f"{share:.0%}") for frame, share in zip(frames, np.linspace(0, 1, STEPS))]
        return [made, line]

    return units, [
        *source.on(pick, panel.begins, partner),
        go.click(swap, [panel.picked, partner, units], [edits, command], **LONG),
        go_between.click(between, [panel.picked, partner], [edits, command], **LONG),
    ]
