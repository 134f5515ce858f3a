"""What a person may upload."""

from contextlib import suppress
from pathlib import Path

from PIL import Image

from unweave.data.reading.image_files import IMAGE_FORMATS, WEBP_HEAD, webp_pixels
from unweave.data.reading.stored_pictures import stored_shape

MAX_UPLOAD_PIXELS = 40_000_000


def check_upload_size(path: Path) -> None:
    """Raises ValueError for more pixels than a person's picture has, before they are decoded."""
    try:
        with path.open("rb") as file:
            count = webp_pixels(file.read(WEBP_HEAD))
        if count is None:
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                count = image.width * image.height
    except Exception:  # what cannot be opened is refused by the reader, in better words
        count = 0
    if count <= MAX_UPLOAD_PIXELS:
        with suppress(ValueError):
            shape = stored_shape(path)
            count = max(count, shape.height * shape.width * shape.channels * shape.pages // 3)
    if count > MAX_UPLOAD_PIXELS:
        raise ValueError(f"the image has {count:,} pixels; at most {MAX_UPLOAD_PIXELS:,} are taken.")
