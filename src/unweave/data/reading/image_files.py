"""Image files of any kind -> uint8 pixels of one size. The only place that decodes, turns, crops and resizes."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps, Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin, features  # noqa: F401  formats sign in

from unweave.foreign import errors_as
from unweave.types import Pixels

IMAGE_ENDINGS: tuple[str, ...] = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm",
)  # fmt: skip
IMAGE_FORMATS: tuple[str, ...] = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "JPEG2000", "PPM")
"""What is decoded, whatever the ending says. Pillow knows more, such as PostScript, for which it starts a program."""
if features.check("avif"):  # Pillow has it from 11.3 on
    from PIL import AvifImagePlugin  # noqa: F401

    IMAGE_ENDINGS += (".avif",)
    IMAGE_FORMATS += ("AVIF",)
MAX_FILE_BYTES = 256 << 20  # bytes of one image file; above it the file is not read

ImagePixels = UInt8[np.ndarray, "height width channel"]
ResizedPixels = UInt8[np.ndarray, "rows new_height new_width channel"]
ImageContent = bytes | Path
T = TypeVar("T")
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""


def read_image(path: Path, size: tuple[int, int] | None = None, channels: int = 3) -> Pixels:
    """One image file as [1, height, width, channels], its middle cut and resized to size = (height, width).

    Turned upright (EXIF), transparency over white, 16-bit greys to 8 bits, the first frame of an animation. None keeps
    the size; channels are 1 or 3. Raises ValueError that names the file where it is missing or unreadable.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}.")
    with errors_as(ValueError, lambda error: ValueError(f"{path} cannot be read as an image: {error}")):
        return decode_image(path, size, channels)[None]


def decode_image(
    data: ImageContent, size: tuple[int, int] | None, channels: int, box: Box | None = None
) -> ImagePixels:
    """The picture in these bytes (or this file), its box (the middle, if None) resized to size = (height, width).

    Raises ValueError that says what is wrong: damaged, cut short, too large (256 MB, or 179 million pixels), a box
    outside the picture. Nothing else is raised, whatever the bytes are.
    """

    def decode(content: ImageContent) -> ImagePixels:
        with Image.open(image_stream(content), formats=IMAGE_FORMATS) as image:
            if size is not None and box is None:
                image.draft(None, (2 * size[1], 2 * size[0]))  # large JPEGs: decode at no more than is needed
            return to_picture(image, size, channels, box)

    return naming_reason(decode, data)


def image_stream(content: ImageContent) -> Path | io.BytesIO:
    """What Pillow opens."""
    return content if isinstance(content, Path) else io.BytesIO(content)


def naming_reason(read: Callable[[ImageContent], T], content: ImageContent) -> T:
    """What `read` makes of an image file; all that goes wrong is a ValueError that says what it is."""
    try:
        check_webp(content)
        if isinstance(content, Path):
            if content.exists() and not content.is_file():
                raise ValueError("it is no regular file")
            if content.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"it has {content.stat().st_size:,} bytes, more than {MAX_FILE_BYTES:,}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, and of pictures that it still reads
            return read(content)
    except MemoryError:
        raise ValueError("it does not fit into memory") from None
    except Exception as error:  # decoders of damaged files raise anything
        reason = str(error).replace(f" {content!r}", "") if isinstance(content, Path) else str(error)
        if "BytesIO" in reason or "cannot identify" in reason:
            reason = "it is no image that can be recognised"
        raise ValueError(reason or type(error).__name__) from error


WEBP_HEAD = 30  # bytes of a file that say how large a WebP is
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)  # what Pillow takes for a bomb


def webp_pixels(head: bytes) -> int | None:
    """How many pixels a WebP has, from its first 30 bytes; None for other files.

    Pillow makes room for all of them when it opens the file: 2 GB for one of a kilobyte.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < WEBP_HEAD:
        return None
    if head[12:16] == b"VP8X":  # RFC 9649, section 2.7: 24 bits each, less one
        return (int.from_bytes(head[24:27], "little") + 1) * (int.from_bytes(head[27:30], "little") + 1)
    if head[12:16] == b"VP8L":  # 14 bits each, less one, after a byte of signature
        bits = int.from_bytes(head[21:25], "little")
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    return (int.from_bytes(head[26:28], "little") & 0x3FFF) * (int.from_bytes(head[28:30], "little") & 0x3FFF)


def check_webp(data: bytes | Path) -> None:
    """Raises ValueError for a WebP of more pixels than Pillow opens."""
    if isinstance(data, bytes):
        count = webp_pixels(data[:WEBP_HEAD])
    elif data.is_file():
        with data.open("rb") as file:
            count = webp_pixels(file.read(WEBP_HEAD))
    else:
        return
    if count is not None and count > MAX_PIXELS:
        raise ValueError(f"it has {count:,} pixels, more than {MAX_PIXELS:,}")


def to_picture(image: Image.Image, size: tuple[int, int] | None, channels: int, box: Box | None = None) -> ImagePixels:
    """A Pillow image as pixels: upright, over white, 8 bits, in sRGB, its box (the middle, if None) at the size."""
    upright = ImageOps.exif_transpose(_in_srgb(image))
    if upright.mode == "F":
        raise ValueError("its pixels are floats of an unknown range; save it with 8 or 16 bits per channel")
    if upright.mode.startswith("I"):  # 16 bits, which Pillow would clip to 8
        deep = np.asarray(upright)
        if (upright.mode == "I" and image.format != "PPM") or deep.min() < 0 or deep.max() > 65535:
            raise ValueError("its pixels have 32 bits, of an unknown range; save it with 8 or 16 bits per channel")
        if 0 < deep.max() < 4096:
            raise ValueError(
                f"its 16 bits hold no number above {deep.max():,}, as data of 12 bits or fewer do, and would be nearly "
                "black; scale it to 0 .. 65535, or save it with 8 bits per channel"
            )
        wide = deep.astype(np.uint32)
        upright = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if upright.has_transparency_data:
        above = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    converted = upright.convert("RGB" if channels == 3 else "L")
    shape = (converted.height, converted.width)
    if box is not None and not (0 <= box[0] < box[2] <= shape[1] and 0 <= box[1] < box[3] <= shape[0]):
        raise ValueError(f"its {shape[1]} x {shape[0]} pixels do not hold the crop {box} (left, top, right, bottom)")
    if size is not None and (box is not None or shape != size):
        converted = converted.resize(size[::-1], Image.Resampling.LANCZOS, box=box or middle_box(shape, size))
    return np.array(converted).reshape(converted.height, converted.width, channels)


MAX_PROFILE_BYTES = 4 << 20


def _in_srgb(image: Image.Image) -> Image.Image:
    """The image with its colours converted to sRGB, where it brings a profile of other ones that can be read."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > MAX_PROFILE_BYTES or image.mode not in ("RGB", "RGBA", "P", "CMYK", "L", "LA"):
        return image
    try:
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(theirs).lower():
            return image
        alpha = image.has_transparency_data
        grey = image.mode in ("L", "LA")
        plain = image if grey or image.mode == "CMYK" else image.convert("RGBA" if alpha else "RGB")
        ours = ImageCms.createProfile("sRGB")
        colours = plain.convert("L") if grey else plain  # of greys without their alpha, which is put back
        mode = "RGBA" if alpha and not grey else "RGB"
        converted = ImageCms.profileToProfile(colours, theirs, ours, outputMode=mode)
    except (ImageCms.PyCMSError, OSError):  # damaged, or of another kind than the picture
        return image
    if converted is None:
        return image
    if alpha:
        converted.putalpha(plain.getchannel("A"))
    converted.info = {key: value for key, value in plain.info.items() if key not in ("icc_profile", "transparency")}
    return converted


def resize_pixels(pixels: Pixels, size: tuple[int, int]) -> ResizedPixels:
    """The middle of each image, cut to the proportions of (height, width) and resized to it, antialiased (Lanczos)."""
    height, width = size
    if pixels.shape[1:3] == size:
        return pixels
    result = np.empty((len(pixels), height, width, pixels.shape[3]), np.uint8)
    box = middle_box(pixels.shape[1:3], size)
    for image, target in zip(pixels, result):
        source = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
        resized = source.resize((width, height), Image.Resampling.LANCZOS, box=box)
        target[...] = np.asarray(resized).reshape(target.shape)
    return result


def middle_box(shape: tuple[int, int], proportions: tuple[int, int]) -> Box:
    """The largest centred box with these proportions; both are (height, width)."""
    height, width = shape
    scale = min(height / proportions[0], width / proportions[1])
    left, top = (width - proportions[1] * scale) / 2, (height - proportions[0] * scale) / 2
    return max(left, 0.0), max(top, 0.0), min(width - left, width), min(height - top, height)
