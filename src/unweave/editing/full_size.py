"""An edit at the size of the original: what it changes, drawn at the model's size, put onto the original.

A model of 64 pixels draws no more than 64 pixels, and rebuilds those not quite. What an edit changes is the difference
between the edited and the rebuilt picture; spread over the original, it leaves the original's detail as it is.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from unweave.data.reading.image_files import ImageContent, middle_box
from unweave.data.reading.picture_files import read_picture
from unweave.data.reading.stored_pictures import stored_shape
from unweave.data.settings import Fit, Reading
from unweave.editing.edit import Edit
from unweave.figures.pixels import rgb_pixels
from unweave.figures.save import check_picture_path, save_picture
from unweave.files import check_writable
from unweave.runs.images import ImageNames, list_images
from unweave.runs.run import Run

FullPixels = UInt8[np.ndarray, "tall wide channel"]
"""A picture of any size."""


ENDINGS = ("", "-enlarged")
"""Of the names of the two pictures of an edit."""


class FullSize(NamedTuple):
    """One edit of one picture, at its own size."""

    on_original: FullPixels  # the change on the original
    enlarged: FullPixels  # the edited picture of the model, enlarged; beyond what the model sees, the original


def full_size(run: Run | str | Path, images: ImageNames, edit: Edit) -> list[list[FullSize]]:
    """Of each image file that was edited (`unweave.swap`, `unweave.adjust`), every edit of it at the file's own size.

    `images` are those that the verb was given. Raises ValueError for rows, which have no file of their own, and for
    edits that are not of one picture each.
    """
    run = run if isinstance(run, Run) else Run(run)
    names, rebuilt, edits = _of_each(images, edit)
    return [
        at_full_size(read_original(run, name), before, after, _fit(run))
        for name, before, after in zip(names, rebuilt, edits)
    ]


def save_full_size(
    run: Run | str | Path, images: ImageNames, edit: Edit, folder: Path, overwrite: bool = False
) -> list[Path]:
    """Both pictures of every edit, in the folder: NAME-EDIT.png and NAME-EDIT-enlarged.png, numbered where a name comes
    again. Raises what `full_size` raises; before anything is drawn, UnwritableError, and FileExistsError where one is
    there and not to be overwritten.
    """
    names, _, edits = _of_each(images, edit)
    stems = full_size_stems(names, list(edit.labels.columns), edits.shape[1])
    paths = [folder / f"{stem}{ending}.png" for stem in stems for ending in ENDINGS]
    for path in paths:
        check_writable(path)
        check_picture_path(path, overwrite)
    drawn = [pixels for row in full_size(run, names, edit) for pictures in row for pixels in pictures]
    for path, pixels in zip(paths, drawn, strict=True):
        save_picture(Image.fromarray(rgb_pixels(pixels[None])[0]), path, overwrite=overwrite)
    return paths


def full_size_stems(names: Sequence[Path], columns: Sequence[str], count: int) -> list[str]:
    """The name of each of `count` edits of every picture, none twice, whatever a disk makes of capital letters."""
    words = columns[-count:] if count > 1 or columns[-1] != "difference" else ["edit"]
    stems, taken = list[str](), set[str]()
    for name in names:
        for word in words:
            first = stem = f"{name.stem}-" + re.sub(r"[^\w.-]+", "-", word)
            number = 1
            while taken & {f"{stem}{ending}".casefold() for ending in ENDINGS}:
                number += 1
                stem = f"{first}-{number}"
            taken |= {f"{stem}{ending}".casefold() for ending in ENDINGS}
            stems.append(stem)
    return stems


def _of_each(images: ImageNames, edit: Edit) -> tuple[list[Path], Tensor, Tensor]:
    """The files, and of each what it is without its edits, and with each of them. Raises what `full_size` raises."""
    names = check_files(images)
    if edit.rebuilt is None:
        raise ValueError("an edit at full size is one of `swap` or `adjust`: this one is not of one picture each.")
    if len(names) != len(edit.rebuilt):
        raise ValueError(f"{len(edit.rebuilt)} images were edited, and {len(names)} are named: name the same ones.")
    return names, edit.rebuilt.cpu(), edit.images.reshape(len(names), -1, *edit.rebuilt.shape[1:]).cpu()


def check_files(images: ImageNames | None) -> list[Path]:
    """The images as files. Raises ValueError for rows and for what is no file: they have no size but the model's."""
    files = [Path(str(name)) for name in list_images(images or [])]
    odd = [str(path) for path in files if not path.is_file()]
    if odd or not files:
        what = f"{odd[0]!r} is no image file" if odd else "no image was named"
        raise ValueError(f"{what}: at full size, edits are of image files; give the path of a picture.")
    return files


def at_full_size(
    original: FullPixels,
    rebuilt: Float[Tensor, "channel height width"],
    edited: Float[Tensor, "edit channel height width"],
    fit: Fit,
) -> list[FullSize]:
    """The edits (in [-1, 1], as `rebuilt`, what they are compared with) of a picture that was read with this `fit`."""
    size = (rebuilt.shape[1], rebuilt.shape[2])
    part, inside = places(original.shape[:2], size, fit)
    shape = (part[1] - part[0], part[3] - part[2])
    below = torch.from_numpy(original[part[0] : part[1], part[2] : part[3]].copy()).permute(2, 0, 1).float()
    seen = (slice(None), slice(None), slice(inside[0], inside[1]), slice(inside[2], inside[3]))
    change = enlarge_smoothly(((edited - rebuilt) * 127.5)[seen], shape)
    drawn = enlarge_smoothly(((edited + 1) * 127.5)[seen], shape)
    return [
        FullSize(_put(original, part, below + one), _put(original, part, other)) for one, other in zip(change, drawn)
    ]


PartSides = tuple[int, int, int, int]
"""Top, bottom, left, right, in pixels."""


def places(shape: tuple[int, int], size: tuple[int, int], fit: Fit) -> tuple[PartSides, PartSides]:
    """The part of a picture (of shape = height, width) that a model of this size sees, and where it sees it."""
    if fit == "crop":
        left, top, right, bottom = (round(side) for side in middle_box(shape, size))
        return (top, bottom, left, right), (0, size[0], 0, size[1])
    whole = (0, shape[0], 0, shape[1])
    if fit == "squash":
        return whole, (0, size[0], 0, size[1])
    scale = min(size[0] / shape[0], size[1] / shape[1])
    tall, wide = (max(1, round(side * scale)) for side in shape)
    top, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    return whole, (top, top + tall, left, left + wide)


def enlarge_smoothly(
    values: Float[Tensor, "edit channel height width"], shape: Sequence[int]
) -> Float[Tensor, "edit channel tall wide"]:
    """Bicubic."""
    return interpolate(values.float(), size=tuple(shape), mode="bicubic", align_corners=False)


def _put(original: FullPixels, part: PartSides, values: Float[Tensor, "channel below right"]) -> FullPixels:
    result = original.copy()
    pixels = values.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    result[part[0] : part[1], part[2] : part[3]] = pixels
    return result


def change_on_original(
    run: Run,
    original: FullPixels,
    rebuilt: Float[Tensor, "channel height width"],
    edited: Float[Tensor, "channel height width"],
) -> FullPixels:
    """The change of one edit (in [-1, 1], as `rebuilt`) on a picture that the run has read."""
    part, inside = places(original.shape[:2], (rebuilt.shape[1], rebuilt.shape[2]), _fit(run))
    below = original[part[0] : part[1], part[2] : part[3]]
    change = ((edited - rebuilt) * 127.5).cpu()[None, :, inside[0] : inside[1], inside[2] : inside[3]]
    spread = enlarge_smoothly(change, below.shape[:2])[0]
    return _put(original, part, spread.add_(torch.from_numpy(below.copy()).permute(2, 0, 1)))


def read_original(run: Run, content: ImageContent) -> FullPixels:
    """The whole picture at its own size, in 8 bits, as the run reads pictures. Raises ValueError where it cannot."""
    shape = stored_shape(content)
    return read_picture(content, _reading(run).model_copy(update={"fit": "crop"}), (shape.height, shape.width))


def _reading(run: Run) -> Reading:
    channels = run.shape()[0]
    plain = Reading(channels="grey" if channels == 1 else "rgb", range=((0.0, 255.0),) * channels)
    return run.reading() or plain


def _fit(run: Run) -> Fit:
    return _reading(run).fit
