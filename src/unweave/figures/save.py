"""Pictures on disk: whole or not at all, and never over another one unasked."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from unweave.files import write_atomically


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
