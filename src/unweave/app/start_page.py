"""The start page: try the model of the package, learn from one's own pictures, or open a run; nothing of torch."""

from collections.abc import Awaitable, Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from unweave.app.own_pictures import ARCHIVE_ENDINGS, data_of
from unweave.app.page_parts import PICTURE_SECONDS, errors_in_page, page_error
from unweave.app.run_list import ListedRun, list_runs
from unweave.app.trainings import Training, Trainings, command_of
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.figures.html import thumbnail

OpenRun = Callable[[str], Awaitable[str]]
"""Opens a run, by its folder or builtin:NAME; where its page is."""

TITLE = "unweave: what varies in pictures"
WHAT = "Learns the separate things that vary in a pile of pictures, and lets you change one at a time."
GO = "(path) => { if (path) window.location.assign(path) }"
ON_CLICK = """element.addEventListener('click', event => {
    const button = event.target.closest('button[data-run]');
    if (button && !button.disabled) trigger('click', {run: button.dataset.run});
});"""
WORDS = {
    "running": "Learning from", "pausing": "Saving", "paused": "Paused:", "stopped": "Stopped:",
    "finished": "Learned from", "failed": "It ended with an error:", "elsewhere": "Another process learns from",
}  # fmt: skip


class Panel(NamedTuple):
    """How a training stands, and what can be done with it."""

    box: gr.Column
    which: gr.Dropdown
    status: gr.HTML
    pause: gr.Button
    go_on: gr.Button
    stop: gr.Button
    look: gr.Button
    forget: gr.Button

    def outputs(self) -> list[Any]:
        return [*self]


def build_start_page(trainings: Trainings, open_run: OpenRun, photos: str = "") -> gr.Blocks:
    """The page; `photos` is a folder that the third way begins with."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(PICTURE_SECONDS, PICTURE_SECONDS)) as page:
        gr.HTML(f"<h1>{escape(TITLE)}</h1><p>{WHAT}</p>")
        address, chosen = gr.Textbox(visible="hidden"), gr.State("")
        panel = build_panel()
        with gr.Row():
            with gr.Column(min_width=300, scale=2, elem_id="mine"):
                gr.HTML("<h2>My pictures</h2><p>A few hundred or more of one kind: faces, leaves, chairs.</p>")
                folder = gr.Textbox(photos, label="A folder on this machine", max_lines=1, placeholder="photos/")
                dropped = gr.File(
                    label="Or drop a zip, or pictures", file_count="multiple", type="filepath", height=140,
                    file_types=[*ARCHIVE_ENDINGS, *IMAGE_ENDINGS],
                )  # fmt: skip
                learn = gr.Button("Learn from them", variant="primary")
            with gr.Column(min_width=240, scale=1):
                gr.HTML("<h2>Try it</h2><p>A small model of rooms comes with the package.</p>")
                attempt = gr.Button("Try it on rooms", variant="secondary" if photos else "primary")
        gr.HTML("<h2>Open a run</h2>")
        runs = gr.HTML("", js_on_load=ON_CLICK)

        async def open_(run: str) -> str:
            try:
                return await open_run(run)
            except (ValueError, LookupError, OSError, TypeError, ImportError) as error:
                raise page_error(f"{run} cannot be opened: {error}") from error

        async def open_rooms() -> str:
            return await open_("builtin:rooms")

        async def open_listed(event: gr.EventData) -> str:
            run = str(event._data["run"])
            if run not in {str(listed.path) for listed in list_runs()}:
                raise page_error(f"{run} is no run below this folder any more: load this page again.")
            return await open_(run)

        def learn_from(place: str, files: Sequence[str] | None) -> list[Any]:
            with errors_in_page():
                trainings.check_free()
                name = trainings.start(data_of(place, files or []))
            return [name, None, *show(name)]

        def show(name: str) -> list[Any]:
            names = trainings.names()
            name = name if name in names else trainings.running() or next(iter(names), "")
            return panel_updates(trainings.look(name) if name else None, names)

        def tick(name: str) -> list[Any]:
            return show(name)

        def act(what: Callable[[str], object]) -> Callable[[str], list[Any]]:
            def acting(name: str) -> list[Any]:
                with errors_in_page():
                    what(name)
                return show(name)

            return acting

        async def look_now(name: str) -> str:
            return await look_at(trainings, name, open_)

        def first() -> list[Any]:
            names = trainings.names()
            name = trainings.running() or next(iter(names), "")
            return [name, list_html(list_runs()), *show(name)]

        page.load(first, None, [chosen, runs, *panel.outputs()])
        timer = gr.Timer(2.0)
        timer.tick(tick, chosen, panel.outputs(), show_progress="hidden")
        panel.which.input(lambda name: [name, *show(name)], panel.which, [chosen, *panel.outputs()])
        panel.pause.click(act(trainings.pause), chosen, panel.outputs())
        panel.stop.click(act(lambda name: trainings.pause(name, "stopped")), chosen, panel.outputs())
        panel.go_on.click(act(trainings.go_on), chosen, panel.outputs())
        panel.forget.click(act(trainings.forget), chosen, panel.outputs())
        panel.look.click(look_now, chosen, address).success(None, address, None, js=GO)
        learn.click(learn_from, [folder, dropped], [chosen, dropped, *panel.outputs()])
        attempt.click(open_rooms, None, address).success(None, address, None, js=GO)
        runs.click(open_listed, None, address).success(None, address, None, js=GO)
    return page


async def look_at(trainings: Trainings, name: str, open_: OpenRun) -> str:
    """The page of a training's run as it is now; one that is going on is paused meanwhile.

    Raises what `open_` raises, and a message where nothing is learned yet.
    """
    import asyncio

    training = trainings.look(name)
    going = training.state == "running"
    if training.run is None:
        raise page_error("nothing is learned yet: wait until it trains.")
    if going:
        trainings.pause(name)
        await asyncio.to_thread(trainings.wait, name)
        if trainings.look(name).state == "pausing":
            raise page_error("it is still saving: wait until it is paused, look at it then, and let it go on.")
    try:
        return await open_(str(training.run))
    finally:
        if going:
            trainings.go_on(name)


def build_panel() -> Panel:
    with gr.Column(visible=False, elem_classes="training") as box:
        which = gr.Dropdown([], label="Training", visible=False)
        status = gr.HTML("", elem_classes="training")
        with gr.Row():
            pause = gr.Button("Pause", min_width=90)
            go_on = gr.Button("Go on", min_width=90)
            stop = gr.Button("Stop", min_width=90)
            look = gr.Button("Look at it now", variant="primary", min_width=130)
            forget = gr.Button("Remove from this page", min_width=130)
    return Panel(box, which, status, pause, go_on, stop, look, forget)


def panel_updates(training: Training | None, names: Sequence[str]) -> list[Any]:
    """What the panel shows of a training: an update of each of its components."""
    if training is None:
        return [gr.update(visible=False), *([gr.skip()] * 7)]
    alive = training.state in ("running", "elsewhere")
    rests = training.state not in ("running", "pausing")
    opens = "Open it" if training.state == "finished" else "Look at it now"
    return [
        gr.update(visible=True),
        gr.update(choices=list(names), value=training.name, visible=len(names) > 1),
        status_html(training),
        gr.update(visible=alive),
        gr.update(visible=training.can_go_on),
        gr.update(visible=alive),
        gr.update(visible=training.run is not None and training.state not in ("pausing", "elsewhere"), value=opens),
        gr.update(visible=rests),
    ]


def status_html(training: Training) -> str:
    """How a training stands, with the newest picture that it drew."""
    where = escape(Path(training.data).name)
    parts = [f"<h2>{WORDS[training.state]} {where}</h2>"]
    if training.error:
        parts.append(f"<p class=error role=alert>{escape(training.error)}</p>")
    if training.state in ("running", "pausing") and not training.task:
        parts.append("<p>Reading the pictures.</p>")
    if training.state in ("running", "pausing") and training.task:
        parts.append(f"<p>{escape(progress_text(training))}</p>")
        if training.total:
            label = f'aria-label="{escape(training.task)}"'
            parts.append(f"<progress {label} max={training.total} value={training.done}></progress>")
    if picture := thumbnail(training.picture, 900):
        parts.append(f'<img src="{picture}" alt="pictures that it draws so far">')
    if training.can_go_on:
        parts.append(f"<p>Go on here, or with <code>{escape(command_of(training))}</code></p>")
    if training.run is not None and training.state == "finished":
        parts.append(f"<p>The run is in <code>{escape(str(training.run))}</code>.</p>")
    return "".join(parts)


def progress_text(training: Training) -> str:
    """As in "training: 2,000 of 120,000, 4 minutes left"."""
    text = f"{training.task}: {training.done:,.0f}"
    if training.total:
        text += f" of {training.total:,.0f}"
    left = training.seconds_left
    if left is None:
        return text
    return f"{text}, {left:.0f} seconds left" if left < 90 else f"{text}, {left / 60:.0f} minutes left"


def list_html(runs: Sequence[ListedRun]) -> str:
    """The runs as buttons, each with picture, date and verdict."""
    if not runs:
        return "<p>There is no run below this folder yet.</p>"
    lines = []
    for run in runs:
        picture = thumbnail(run.picture)
        shown = f'<img src="{picture}" alt="">' if picture else "<div class=none></div>"
        facts = f"<b>{escape(run.title)}</b><span>{escape(str(run.path))}</span><span>{run.date}</span>"
        verdict = f"<span>{escape(run.verdict)}</span>"
        able = "" if run.ready else " disabled"
        lines.append(f'<li><button data-run="{escape(str(run.path))}"{able}>{shown}{facts}{verdict}</button></li>')
    return f"<ul class=runs>{''.join(lines)}</ul>"
