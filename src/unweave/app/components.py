"""Gradio components and events that the tabs of the explorer's page share, and the store of their pictures."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import gradio as gr
from PIL import Image, PngImagePlugin

from unweave.app.explorer import Explorer, Partner, PickedImage, Picture
from unweave.app.page_parts import PICTURE_SECONDS, page_error
from unweave.data.disk_space import check_picture_space
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.figures.pixels import rgb_pixels

COMMAND_LABEL = "The command that makes this edit again"
CLEAR_SECONDS = 60  # between two looks for pictures that are too old
INVERTED, SEEDED = "the image's own noise", "noise of seed 0"

# One edit at a time, and one longer piece of work, between whose yields edits of others are drawn.
SHORT_WORK: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
LONG_WORK: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "long"}
STRIPS: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "strips"}

Kind = TypeVar("Kind", PickedImage, Partner)


class ImagePicker(NamedTuple):
    """Pictures of the data to pick one of, and a place for a file."""

    examples: Sequence[tuple[int | Path, Picture]]
    gallery: gr.Gallery
    upload: gr.File
    file_name: gr.Textbox  # that the person's file has; Gradio takes signs out of that of its own copy

    def on_pick(self, pick: Callable[..., Any], start: gr.Radio, outputs: Any) -> list[Any]:
        """The events by which `pick(source, seed, name)` is called."""
        return self.on_pick_with(pick, [], start, outputs)

    def on_pick_with(self, pick: Callable[..., Any], more: Sequence[Any], start: gr.Radio, outputs: Any) -> list[Any]:
        """The same with further inputs after the name."""

        def pick_row(selected: gr.SelectData, start_choice: str | None, *values: Any) -> Any:
            return pick(self.examples[selected.index][0], start_seed(start_choice), None, *values)

        def pick_file(path: str, start_choice: str | None, file_name: str, *values: Any) -> Any:
            return pick(Path(path), start_seed(start_choice), Path(file_name).name or Path(path).name, *values)

        with_name = "(file, start, _, ...more) => [file, start, file && file.orig_name, ...more]"
        inputs = [self.upload, start, self.file_name, *more]
        events = [self.upload.upload(pick_file, inputs, outputs, js=with_name, **SHORT_WORK)]
        if self.examples:  # every click counts: Gradio's "always_last" would repeat the first
            row = {"trigger_mode": "multiple", **SHORT_WORK}
            events.append(self.gallery.select(pick_row, [start, *more], outputs, **row))
        return events


def image_picker(explorer: Explorer, label: str, upload_label: str, beside: gr.Radio | None = None) -> ImagePicker:
    """The gallery and the upload, labelled; `beside` goes next to the upload."""
    examples = explorer.examples()
    gallery = gr.Gallery(
        [rgb_pixels(pixel[None])[0] for _, pixel in examples], label=label, columns=6, height="auto", format="png",
        allow_preview=False, interactive=False, visible=bool(examples), elem_classes=["pixels", "source"],
    )  # fmt: skip
    with gr.Row():
        upload = gr.File(
            label=upload_label, file_types=list(IMAGE_ENDINGS), type="filepath", height=135, min_width=200
        )  # fmt: skip
        if beside is not None:
            beside.render()
    return ImagePicker(examples, gallery, upload, gr.Textbox(visible=False))


def start_seed(start_choice: str | None) -> int | None:
    """Of x_T, as the page says it; None is the inverted one."""
    return None if start_choice in (None, INVERTED) else 0


def command_box() -> gr.Textbox:
    """Where a command is shown."""
    return gr.Textbox(label=COMMAND_LABEL, interactive=False, lines=2)


def edit_gallery(label: str) -> gr.Gallery:
    """For edited images."""
    return gr.Gallery(label=label, columns=7, height="auto", format="png", elem_classes="pixels", interactive=False)


def unit_options(names: Sequence[str]) -> list[tuple[str, int]]:
    """Units to choose from: the name that is shown, and the index that it stands for."""
    return [(name, index) for index, name in enumerate(names)]


def require_picked(picked: Kind | None, what: str = "an image") -> Kind:
    """The image (or partner). An error in the page where nothing was picked yet."""
    if picked is None:
        raise page_error(f"pick {what} first: one of the data, or a file of yours.")
    return picked


class PictureStore:
    """Pictures that a page shows or gives to save, each in a folder of its own, for an hour.

    `folder` goes with the page; what else is in it is left alone. Raises OSError where the disk is full.
    """

    def __init__(self, folder: tempfile.TemporaryDirectory[str]) -> None:
        self.folder = folder  # held, or it would go at once
        self.cleared = 0.0  # when what is an hour old was removed

    def new_folder(self) -> Path:
        """A new folder, which is there for an hour after the last file was put into it."""
        pictures = Path(self.folder.name) / "pictures"
        pictures.mkdir(exist_ok=True)
        if time.time() - self.cleared > CLEAR_SECONDS:
            self.cleared = time.time()
            for old in pictures.iterdir():
                with suppress(FileNotFoundError):  # another thread was faster
                    if time.time() - old.stat().st_mtime > PICTURE_SECONDS:
                        shutil.rmtree(old)
        check_picture_space(pictures)
        return Path(tempfile.mkdtemp(dir=pictures))

    def __call__(self, picture: Picture | Image.Image, command: str = "") -> str:
        """Where the picture is, as a PNG of its own size that carries the command in its text.

        Gradio copies a file that it is shown once, and keeps the copy as long. Arrays it would write anew each time,
        under a browser that is reading them.
        """
        metadata = PngImagePlugin.PngInfo()
        if command:
            metadata.add_text("unweave", command)
        path = self.new_folder() / "unweave-edit.png"
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(rgb_pixels(picture[None])[0])
        image.save(path, pnginfo=metadata)
        return str(path)
