"""How the explorer looks: Gradio's components around `Explorer`, which does everything."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin

from unweave.app.explorer import STEPS, Explorer, Picked, Picture, partners
from unweave.data.disk.pixels import ENDINGS
from unweave.figures.pixels import enlarge, pixels

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

OWN, SEED = "the image's own noise", "noise of seed 0"
COMMAND = "The command that makes this picture again"
SIDE = 224  # pixels on the screen that an image is high, at least
BIGGEST = "20mb"  # of an upload
CSS = """
.pixels img{image-rendering:pixelated}
@media(max-width:640px){.gradio-container{padding:8px!important}}
"""
ONE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
LONG: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "long"}
"""One edit at a time, and one longer piece of work, between whose steps edits of others are drawn."""


def build(explorer: Explorer, rename: bool = True) -> gr.Blocks:
    """The page of a run; units can be renamed by whoever has it, unless `rename` is False."""
    run = explorer.run
    count = len(explorer.choices)
    examples = explorer.examples()
    saves = tempfile.TemporaryDirectory(prefix="unweave-")  # as long as the page lives
    title = f"{run.method_name} on {run.settings.data['name']}: one unit at a time"
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(f"# {title}\n{count} units. Pick an image, move a slider, see what it does.")
        picked, partner = gr.State(None), gr.State(None)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                choose, upload = _source("Images of the data", examples, "Your own image")
                begins = gr.Radio(
                    [OWN, SEED], value=OWN, label="Begin from",
                    info="its own (inverted x_T) keeps what the units do not hold; a seed shows what they hold alone",
                    visible=explorer.noisy,
                )  # fmt: skip
            with gr.Column(scale=2, min_width=300):
                with gr.Row():
                    shown, edited, changed = (
                        gr.Image(
                            label=label, interactive=False, format="png", elem_classes="pixels", alt_text=label,
                            min_width=96, buttons=["download", "fullscreen"],
                        )
                        for label in ("image", "edit", "difference")
                    )  # fmt: skip
                command = gr.Textbox(label=COMMAND, interactive=False, lines=2)
                with gr.Row():
                    reset = gr.Button("Reset")
                    save = gr.DownloadButton("Save picture and command")
                    stop = gr.Button("Cancel what is running")
        with gr.Tab("Sliders"):
            gr.Markdown("Each slider goes from the lowest value of its unit (0) to the highest (100).")
            sliders = []
            for first in range(0, count, 3):
                with gr.Row():
                    sliders += [
                        gr.Slider(0, 100, value=50, step=1, label=name, interactive=True, min_width=200, buttons=[])
                        for name in explorer.names()[first : first + 3]
                    ]
        with gr.Tab("Swap"), gr.Row():
            with gr.Column(scale=1, min_width=280):
                other_choose, other_upload = _source("Partner: images of the data", examples, "Your own partner")
            with gr.Column(scale=2, min_width=300):
                units = gr.CheckboxGroup(
                    _options(explorer.names()), value=list(range(min(6, count))), label="Units to take, one at a time"
                )
                with gr.Row():
                    go_swap = gr.Button("Swap", variant="primary")
                    go_between = gr.Button("Interpolate all units")
                swapped = _gallery("Edits")
                swap_command = gr.Textbox(label=COMMAND, interactive=False, lines=2)
        with gr.Tab("One unit"):
            which = gr.Dropdown(_options(explorer.names()), value=0, label="Unit")
            with gr.Row():
                go_along = gr.Button("From low to high", variant="primary")
                go_every = gr.Button("Every unit from low to high")
                gone = "" if explorer.data is not None else "The data are not at hand"
                go_real = gr.Button(gone or "Real images along it", interactive=not gone)
                go_map = gr.Button(
                    explorer.no_attention() or "Where it is attended to", interactive=not explorer.no_attention()
                )
            along = _gallery("From low to high")
            unit_command = gr.Textbox(label=COMMAND, interactive=False, lines=2)
            attended = gr.Image(label="attention", interactive=False, format="png", visible=False, alt_text="attention")
            with gr.Row(visible=rename):
                text = gr.Textbox(label="Name of the unit", max_lines=1, placeholder="wall colour")
                go_name = gr.Button("Rename")

        def pick(source: int | Path, begin: str, name: str | None = None) -> list[Any]:
            with _told():
                one = explorer.pick(source, None if begin == OWN else 0, name)
            return [one, *drawn(one)]

        def drawn(one: Picked) -> list[Any]:
            made, difference, words = explorer.edit(one, one.shares)
            names = explorer.names()
            moved = [gr.Slider(value=round(100 * share), label=name) for share, name in zip(one.shares, names)]
            large = _big(made[0])
            return [_big(pixels(one.image)[0]), large, _big(difference[0]), words, saved(large, words), *moved]

        def row(begin: str, at: gr.SelectData) -> list[Any]:
            source = examples[at.index][0]
            return pick(source, begin, source.name if isinstance(source, Path) else None)

        def file(path: str | None, begin: str) -> list[Any]:
            if path is None:
                return [gr.skip()] * (6 + count)
            return pick(Path(path), begin, Path(path).name)

        def again(one: Picked | None, begin: str) -> list[Any]:
            with _told():
                made = explorer.prepared(_needed(one).image, None if begin == OWN else 0, _needed(one).name)
            return [made, *drawn(made)]

        def back(one: Picked | None) -> list[Any]:
            return drawn(_needed(one))

        def edit(one: Picked | None, *places: float | int) -> list[Any]:
            made, difference, words = explorer.edit(_needed(one), [place / 100 for place in places])
            large = _big(made[0])
            return [large, _big(difference[0]), words, saved(large, words)]

        def other_row(begin: str, at: gr.SelectData) -> Picked:
            source = examples[at.index][0]
            return explorer.pick(source, None if begin == OWN else 0, source.name if isinstance(source, Path) else None)

        def other_file(path: str | None, begin: str) -> Picked | None:
            if path is None:
                return None
            with _told():
                return explorer.pick(Path(path), None if begin == OWN else 0, Path(path).name)

        def swap(
            one: Picked | None,
            two: Picked | None,
            places: Sequence[int],
            progress: Any = gr.Progress(),  # noqa: B008
        ) -> Iterator[list[Any]]:
            mine, theirs = _needed(one), _needed(two, "a partner")
            if not places:
                raise gr.Error("tick a unit to take from the partner.")
            made = [(_big(pixels(mine.plain)[0]), "rebuilt"), (_big(pixels(theirs.image)[0]), "partner")]
            words = ",".join(explorer.choices[place].word for place in places)
            line = explorer.command("swap", mine, ["--partners", partners(theirs), "--units", words])
            names = explorer.names()
            for place, picture in explorer.swap(mine, theirs, places):
                made.append((_big(picture[0]), names[place]))
                progress(((len(made) - 2), len(places)), desc=names[place])
                yield [made, line]

        def between(one: Picked | None, two: Picked | None) -> list[Any]:
            mine, theirs = _needed(one), _needed(two, "a partner")
            frames = explorer.interpolate(mine, theirs)
            made = [(_big(frame), f"{share:.0%}") for frame, share in zip(frames, np.linspace(0, 1, STEPS))]
            return [made, explorer.command("interpolate", mine, ["--partners", partners(theirs)])]

        def traverse(one: Picked | None, place: int) -> list[Any]:
            mine, (_, frames) = _needed(one), next(explorer.traverse(_needed(one), [place]))
            shares = np.linspace(0.02, 0.98, STEPS)
            made = [(_big(frame), f"{share:.0%}") for frame, share in zip(frames, shares)]
            line = explorer.command("traverse", mine, ["--units", explorer.choices[place].word])
            return [gr.Gallery(made, label=explorer.names()[place]), line]

        def every(one: Picked | None, progress: Any = gr.Progress()) -> Iterator[list[Any]]:  # noqa: B008
            mine, made, names = _needed(one), [], explorer.names()
            words = ",".join(choice.word for choice in explorer.choices)
            line = explorer.command("traverse", mine, ["--units", words])
            for place, frames in explorer.traverse(mine, range(count)):
                ends = [(_big(frames[at]), f"{names[place]}, {end}") for at, end in ((0, "low"), (-1, "high"))]
                made += ends
                progress((place + 1, count), desc=names[place])
                yield [gr.Gallery(made, label="Every unit, low and high"), line]

        def real(place: int) -> Any:
            found = [(_big(pixel), f"row {row}") for row, pixel in explorer.gallery(place)]
            return [gr.Gallery(found, label=f"Real images along {explorer.names()[place]}"), ""]

        def attend(one: Picked | None, place: int) -> list[Any]:
            with _told():
                picture = explorer.attention(_needed(one), place)
            return [gr.Image(picture, visible=True), explorer.command("attention", _needed(one))]

        def call(place: int, text: str) -> list[Any]:
            with _told():
                explorer.rename(place, text)
            return labels()

        def labels() -> list[Any]:
            names = explorer.names()
            options = _options(names)
            return [*(gr.Slider(label=name) for name in names), gr.CheckboxGroup(options), gr.Dropdown(options)]

        def saved(image: UInt8[np.ndarray, "..."], line: str) -> str:
            """A PNG that carries the command in its text."""
            for old in Path(saves.name).iterdir():  # Gradio has a copy of each for an hour
                if time.time() - old.stat().st_mtime > 600:
                    shutil.rmtree(old, ignore_errors=True)
            told = PngImagePlugin.PngInfo()
            told.add_text("unweave", line)
            place = Path(tempfile.mkdtemp(dir=saves.name)) / "unweave-edit.png"
            Image.fromarray(image).save(place, pnginfo=told)
            return str(place)

        all_of_it = [picked, shown, edited, changed, command, save, *sliders]
        events: list[Any] = [
            upload.upload(file, [upload, begins], all_of_it, trigger_mode="always_last", **ONE),
            begins.change(again, [picked, begins], all_of_it, **ONE),
            reset.click(back, picked, all_of_it[1:], **ONE),
            other_upload.upload(other_file, [other_upload, begins], partner, **ONE),
            go_swap.click(swap, [picked, partner, units], [swapped, swap_command], **LONG),
            go_between.click(between, [picked, partner], [swapped, swap_command], **LONG),
            go_along.click(traverse, [picked, which], [along, unit_command], **LONG),
            go_every.click(every, picked, [along, unit_command], **LONG),
            go_real.click(real, which, [along, unit_command], **LONG),
            go_map.click(attend, [picked, which], [attended, unit_command], **LONG),
        ]
        if examples:
            events.append(choose.select(row, begins, all_of_it, trigger_mode="always_last", **ONE))
            events.append(other_choose.select(other_row, begins, partner, trigger_mode="always_last", **ONE))
        for slider in sliders:
            events.append(
                slider.input(
                    edit, [picked, *sliders], [edited, changed, command, save], trigger_mode="always_last",
                    show_progress="minimal", **ONE,
                )
            )  # fmt: skip
        stop.click(None, cancels=events)
        if rename:
            go_name.click(call, [which, text], [*sliders, units, which])
        page.load(labels, None, [*sliders, units, which])
        if examples:
            page.load(lambda: pick(examples[0][0], OWN), None, all_of_it, **ONE)
    return page


def launch(
    explorer: Explorer,
    *,
    host: str,
    port: int | None,
    share: bool,
    rename: bool = True,
    ready: Callable[[str], object] = print,
    wait: bool = True,
) -> gr.Blocks:
    """Serve the page until Ctrl-C (or, without `wait`, until its `close`); `ready` is told its address.

    It reads nothing but the run and what is uploaded. Raises OSError where the port is taken.
    """
    page = build(explorer, rename)
    page.queue(max_size=64)
    _, address, _ = page.launch(
        server_name=host, server_port=port, share=share, inbrowser=False, quiet=True, show_error=True,
        prevent_thread_lock=True, max_file_size=BIGGEST, allowed_paths=[], ssr_mode=False, mcp_server=False,
        footer_links=[], css=CSS, state_session_capacity=200, enable_monitoring=False,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )  # fmt: skip
    ready(address if not page.share_url else f"{address} and {page.share_url}")
    if wait:
        page.block_thread()
    return page


def _source(label: str, examples: Sequence[tuple[int | Path, Picture]], own: str) -> tuple[gr.Gallery, gr.File]:
    """Pictures to pick one of, and a place for a file."""
    gallery = gr.Gallery(
        [_big(pixel) for _, pixel in examples], label=label, columns=4, height=230, format="png",
        allow_preview=False, interactive=False, visible=bool(examples), elem_classes="pixels",
    )  # fmt: skip
    return gallery, gr.File(label=own, file_types=list(ENDINGS), type="filepath", height=110)


def _gallery(label: str) -> gr.Gallery:
    return gr.Gallery(label=label, columns=7, height="auto", format="png", elem_classes="pixels", interactive=False)


def _options(names: Sequence[str]) -> list[tuple[str, int]]:
    return [(name, place) for place, name in enumerate(names)]


def _needed(picked: Picked | None, what: str = "an image") -> Picked:
    if picked is None:
        raise gr.Error(f"pick {what} first: one of the data, or a file of yours.")
    return picked


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be done is said in the page."""
    try:
        yield
    except (ValueError, LookupError, OSError) as error:
        raise gr.Error(str(error)) from error


def _big(image: Picture) -> UInt8[np.ndarray, "tall wide 3"]:
    rgb = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    return enlarge(rgb, max(1, -(-SIDE // rgb.shape[0])))
