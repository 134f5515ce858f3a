"""Pictures on disk: whole or not at all, and never over another one unasked."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from unweave.files import check_writable, write_atomically


def save_picture(picture: Image.Image, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a picture in the format of the path's ending (.png, .jpg, .webp, ...).

    Raises FileExistsError unless `overwrite`, ValueError for an ending that is no format for pictures.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise ValueError(f"{path.name!r} must end in a format for pictures, such as .png, got {path.suffix!r}.")
    content = BytesIO()
    picture.save(content, kind)
    return write_atomically(path, content.getvalue(), overwrite=overwrite)


def choose_picture_path(folder: Path, name: str, output: Path | None, overwrite: bool) -> Path:
    """Where a picture will go, checked before the work: `output`, or FOLDER/NAME.png, or a free name like it."""
    check_writable(folder / name if output is None else output)
    if output is not None:
        check_picture_path(output, overwrite)
        return output
    path, number = folder / f"{name}.png", 1
    while not overwrite and (path.exists() or path.with_suffix(".gif").exists()):
        number += 1
        path = folder / f"{name}-{number}.png"
    return path


def check_picture_path(path: Path, overwrite: bool) -> None:
    """Raises ValueError for another ending than a picture's, FileExistsError for a file that must not be replaced."""
    if path.suffix.lower() not in (".png", ".jpg", ".webp", ".gif"):
        raise ValueError(f"{path.name!r} must end in .png, .jpg or .webp, got {path.suffix!r}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another --output, or give --overwrite.")
