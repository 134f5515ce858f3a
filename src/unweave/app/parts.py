"""What the tabs of the explorer's page are made of."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import gradio as gr
from PIL import Image, PngImagePlugin

from unweave.app.explorer import Explorer, Partner, Picked, Picture
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.figures.pixels import pixels

COMMAND = "The command that makes this edit again"
OWN, SEED = "the image's own noise", "noise of seed 0"

# One edit at a time, and one longer piece of work, between whose yields edits of others are drawn.
ONE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
LONG: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "long"}

Kind = TypeVar("Kind", Picked, Partner)


class Source(NamedTuple):
    """Pictures of the data to pick one of, and a place for a file."""

    examples: Sequence[tuple[int | Path, Picture]]
    gallery: gr.Gallery
    upload: gr.File
    original: gr.Textbox  # the file's name; Gradio takes signs out of that of its own copy

    def on(self, pick: Callable[..., Any], begins: gr.Radio, outputs: Any) -> list[Any]:
        """The events by which `pick(source, seed, name)` is called."""

        def row(begin: str, at: gr.SelectData) -> Any:
            return pick(self.examples[at.index][0], seed(begin))

        def file(path: str, begin: str, original: str) -> Any:
            return pick(Path(path), seed(begin), Path(original).name or Path(path).name)

        name = "(file, begin, _) => [file, begin, file && file.orig_name]"
        events = [self.upload.upload(file, [self.upload, begins, self.original], outputs, js=name, **ONE)]
        if self.examples:  # every click counts: Gradio's "always_last" would repeat the first
            events.append(self.gallery.select(row, begins, outputs, trigger_mode="multiple", **ONE))
        return events


def source(explorer: Explorer, label: str, own: str) -> Source:
    """The components, labelled; `own` is asked of the user."""
    examples = explorer.examples()
    gallery = gr.Gallery(
        [pixels(pixel[None])[0] for _, pixel in examples], label=label, columns=6, height="auto", format="png",
        allow_preview=False, interactive=False, visible=bool(examples), elem_classes=["pixels", "source"],
    )  # fmt: skip
    upload = gr.File(label=own, file_types=list(IMAGE_ENDINGS), type="filepath", height=135)
    return Source(examples, gallery, upload, gr.Textbox(visible=False))


def seed(begin: str) -> int | None:
    """Of x_T, as the page says it; None is the inverted one."""
    return None if begin == OWN else 0


def command() -> gr.Textbox:
    """Where a command is shown."""
    return gr.Textbox(label=COMMAND, interactive=False, lines=2)


def gallery(label: str) -> gr.Gallery:
    """For pictures that are made."""
    return gr.Gallery(label=label, columns=7, height="auto", format="png", elem_classes="pixels", interactive=False)


def options(names: Sequence[str]) -> list[tuple[str, int]]:
    """Units as a choice: what is shown, and what is chosen."""
    return [(name, place) for place, name in enumerate(names)]


def needed(picked: Kind | None, what: str = "an image") -> Kind:
    """What the page must know first."""
    if picked is None:
        raise refusal(f"pick {what} first: one of the data, or a file of yours.")
    return picked


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is said in the page."""
    try:
        yield
    except (ValueError, LookupError, OSError) as error:
        raise refusal(str(error)) from error


def refusal(text: str) -> gr.Error:
    """Said in the page, not in the terminal; Gradio reads the text as HTML."""
    return gr.Error(escape(text), print_exception=False)


KEPT = 3600  # seconds that pictures are there to be looked at
Keep = Callable[..., str]


def keeper(folder: tempfile.TemporaryDirectory[str]) -> Keep:
    """`keep(picture, line="")` writes a PNG of its own size that carries a command in its text, for an hour.

    Gradio copies a file that it is shown once, and keeps the copy as long. Arrays it would write anew each time, under
    a browser that is reading them. `folder` goes with the page; what else is in it is left alone.
    """

    def keep(picture: Picture | Image.Image, line: str = "") -> str:
        pictures = Path(folder.name) / "pictures"  # the folder itself is held, or it would go at once
        pictures.mkdir(exist_ok=True)
        for old in pictures.iterdir():
            with suppress(FileNotFoundError):  # another thread was faster
                if time.time() - old.stat().st_mtime > KEPT:
                    shutil.rmtree(old)
        text = PngImagePlugin.PngInfo()
        if line:
            text.add_text("unweave", line)
        place = Path(tempfile.mkdtemp(dir=pictures)) / "unweave-edit.png"
        drawn = picture if isinstance(picture, Image.Image) else Image.fromarray(pixels(picture[None])[0])
        drawn.save(place, pnginfo=text)
        return str(place)

    return keep
