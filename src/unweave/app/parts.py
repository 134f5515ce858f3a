"""What the tabs of the explorer's page are made of."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin

from unweave.app.explorer import Explorer, Picked, Picture
from unweave.data.disk.pixels import ENDINGS
from unweave.figures.pixels import enlarge

COMMAND = "The command that makes this picture again"
OWN, SEED = "the image's own noise", "noise of seed 0"
SIDE = 224  # pixels on the screen that an image is high, at least

ONE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
LONG: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "long"}
"""One edit at a time, and one longer piece of work, between whose steps edits of others are drawn."""


class Source(NamedTuple):
    """Pictures of the data to pick one of, and a place for a file."""

    explorer: Explorer
    examples: Sequence[tuple[int | Path, Picture]]
    gallery: gr.Gallery
    upload: gr.File
    original: gr.Textbox  # the file's name; Gradio takes signs out of that of its own copy

    def on(self, pick: Callable[..., Any], begins: gr.Radio, outputs: Any) -> list[Any]:
        """The events by which `pick(source, seed, name)` is called."""

        def row(begin: str, at: gr.SelectData) -> Any:
            source = self.examples[at.index][0]
            return pick(source, seed(begin), source.name if isinstance(source, Path) else None)

        def file(path: str, begin: str, original: str) -> Any:
            return pick(Path(path), seed(begin), Path(original or path).name)

        latest: dict[str, Any] = {"trigger_mode": "always_last", **ONE}
        name = "(file, begin, _) => [file, begin, file && file.orig_name]"
        events = [self.upload.upload(file, [self.upload, begins, self.original], outputs, js=name, **latest)]
        if self.examples:
            events.append(self.gallery.select(row, begins, outputs, **latest))
        return events


def source(explorer: Explorer, label: str, own: str) -> Source:
    examples = explorer.examples()
    gallery = gr.Gallery(
        [big(pixel) for _, pixel in examples], label=label, columns=6, height="auto", format="png",
        allow_preview=False, interactive=False, visible=bool(examples), elem_classes=["pixels", "source"],
    )  # fmt: skip
    upload = gr.File(label=own, file_types=list(ENDINGS), type="filepath", height=135)
    return Source(explorer, examples, gallery, upload, gr.Textbox(visible=False))


def seed(begin: str) -> int | None:
    """Of x_T, as the page says it; None is the inverted one."""
    return None if begin == OWN else 0


def command() -> gr.Textbox:
    return gr.Textbox(label=COMMAND, interactive=False, lines=2)


def gallery(label: str) -> gr.Gallery:
    return gr.Gallery(label=label, columns=7, height="auto", format="png", elem_classes="pixels", interactive=False)


def options(names: Sequence[str]) -> list[tuple[str, int]]:
    return [(name, place) for place, name in enumerate(names)]


def needed(picked: Picked | None, what: str = "an image") -> Picked:
    if picked is None:
        raise gr.Error(f"pick {what} first: one of the data, or a file of yours.")
    return picked


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is said in the page."""
    try:
        yield
    except (ValueError, LookupError, OSError) as error:
        raise gr.Error(str(error)) from error


def big(image: Picture) -> UInt8[np.ndarray, "tall wide 3"]:
    """As large as one looks at it, in colour."""
    rgb = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    return enlarge(rgb, max(1, -(-SIDE // rgb.shape[0])))


Keep = Callable[..., str]


def keeper() -> Keep:
    """`keep(picture, line="")` writes a PNG that carries a command in its text; those of ten minutes ago are forgotten.

    Gradio copies a file that it is shown once, and keeps the copy for an hour. Arrays it would write anew each time,
    under a browser that is reading them.
    """
    folder = tempfile.TemporaryDirectory(prefix="unweave-")  # as long as the page lives

    def keep(picture: Picture | Image.Image, line: str = "") -> str:
        for old in Path(folder.name).iterdir():
            if time.time() - old.stat().st_mtime > 600:
                shutil.rmtree(old, ignore_errors=True)
        text = PngImagePlugin.PngInfo()
        if line:
            text.add_text("unweave", line)
        place = Path(tempfile.mkdtemp(dir=folder.name)) / "unweave-edit.png"
        drawn = picture if isinstance(picture, Image.Image) else Image.fromarray(big(picture))
        drawn.save(place, pnginfo=text)
        return str(place)

    return keep
