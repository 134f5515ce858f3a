"""Pictures on disk: whole or not at all, and never over another one unasked."""

import os
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image


def save_picture(picture: Image.Image, path: Path | str, *, overwrite: bool = False) -> Path:
    """Writes a picture in the format of the path's ending (.png, .jpg, .webp, ...).

    Raises FileExistsError unless `overwrite`, ValueError for an ending that is no format for pictures.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise ValueError(f"{path.name!r} must end in a format for pictures, such as .png, got {path.suffix!r}.")
    content = BytesIO()
    picture.save(content, kind)
    return write_bytes(content.getvalue(), path, overwrite=overwrite)


def write_bytes(content: bytes, path: Path | str, *, overwrite: bool = False) -> Path:
    """Writes bytes to a temporary name beside `path` and renames. Raises FileExistsError unless `overwrite`."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another name, or ask for it to be overwritten.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.close()
            temporary.chmod(0o666 & ~_mask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
