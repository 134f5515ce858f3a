import io
import os
import resource
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unweave.data.reading import image_files
from unweave.data.reading.image_files import decode_image, middle_box, resize_pixels

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(kind, image=None, **options):
    content = io.BytesIO()
    (image or Image.fromarray(NOISE)).save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_bytes_and_files_of_every_format_are_the_same(kind, tmp_path):
    data = encoded(kind)
    (tmp_path / "a.png").write_bytes(data)
    from_bytes, from_file = decode_image(data, (16, 16), 3), decode_image(tmp_path / "a.png", (16, 16), 3)
    assert (from_bytes == from_file).all()
    assert from_bytes.std() > 10


def test_only_formats_of_pictures_are_decoded(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: pytest.fail("a program was looked for"))
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(ValueError, match="no image that can be recognised"):
        decode_image(script, (8, 8), 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_files_cut_short_are_refused_and_never_half_read(kind):
    data = encoded(kind)
    for part in (0.2, 0.5, 0.8):
        with pytest.raises(ValueError):  # noqa: PT011  every format has words of its own
            decode_image(data[: int(part * len(data))], (16, 16), 3)


def test_a_picture_that_would_fill_memory_is_refused():
    tiny = bytearray(encoded("PNG", Image.new("L", (1, 1))))
    tiny[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    tiny[29:33] = zlib.crc32(tiny[12:29]).to_bytes(4, "big")
    with pytest.raises(ValueError, match="3600000000 pixels"):
        decode_image(bytes(tiny), (8, 8), 3)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    with pytest.raises(ValueError, match=r"it has .* bytes, more than 10"):
        decode_image(tmp_path / "a.png", (8, 8), 3)


def test_a_box_is_cut_and_has_to_lie_inside():
    data = encoded("PNG")
    assert (decode_image(data, (10, 20), 3, (5.0, 7.0, 25.0, 17.0)) == NOISE[7:17, 5:25]).all()
    with pytest.raises(ValueError, match=r"its 60 x 40 pixels do not hold the crop \(0\.0, 0\.0, 61\.0, 40\.0\)"):
        decode_image(data, (8, 8), 3, (0.0, 0.0, 61.0, 40.0))


def test_all_16_bits_are_rounded(tmp_path):
    wide = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    for kind in ("PNG", "TIFF"):
        got = decode_image(encoded(kind, Image.fromarray(wide)), None, 1)[..., 0]
        assert (got == np.round(wide / 257)).all()
    for deep in ([[-5, 257]], [[257, 70_000]]):
        with pytest.raises(ValueError, match="32 bits, of an unknown range"):
            decode_image(encoded("TIFF", Image.fromarray(np.array(deep, np.int32))), None, 1)


def test_the_first_picture_of_an_animation():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime")]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        data = encoded(kind, frames[0], save_all=True, append_images=frames[1:])
        assert abs(decode_image(data, None, 3)[4, 4].astype(int) - (255, 0, 0)).max() < 5


@pytest.mark.parametrize(
    ("have", "want"), [((40, 60), (8, 8)), ((60, 40), (10, 20)), ((7, 7), (3, 9)), ((1, 5), (5, 1))]
)
def test_the_middle_has_the_proportions_and_lies_inside(have, want):
    left, top, right, bottom = middle_box(have, want)
    assert (right - left) / (bottom - top) == pytest.approx(want[1] / want[0])
    assert (left, top) == pytest.approx((have[1] - right, have[0] - bottom), abs=1e-9)
    assert left >= 0
    assert top >= 0
    assert right - left == pytest.approx(have[1]) or bottom - top == pytest.approx(have[0])


def test_pixels_are_resized_as_files_are():
    assert (resize_pixels(NOISE[None], (16, 24))[0] == decode_image(encoded("PNG"), (16, 24), 3)).all()
    grey = NOISE[None, ..., :1]
    assert resize_pixels(grey, (8, 8)).shape == (1, 8, 8, 1)
    assert resize_pixels(grey, (40, 60)) is grey


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 32, 48])
def test_resizing_keeps_flat_colours_and_means(channels, size):
    flat = np.full((2, 32, 40, channels), 77, np.uint8)
    assert (resize_pixels(flat, (size, size)) == 77).all()
    smooth = np.broadcast_to(np.linspace(50, 200, 32).astype(np.uint8)[None, :, None, None], (1, 32, 32, channels))
    assert abs(resize_pixels(smooth, (size, size)).mean() - smooth.mean()) < 1


def test_resizing_is_antialiased():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    assert resize_pixels(stripes, (16, 16))[0, 2:-2].std() < 6


@given(*[st.integers(1, 500)] * 4)
def test_the_middle_box_has_the_wanted_proportions_and_is_centred(height, width, want_height, want_width):
    left, top, right, bottom = middle_box((height, width), (want_height, want_width))
    assert left >= 0 <= top
    assert right <= width
    assert bottom <= height
    assert np.isclose((right - left) * want_height, (bottom - top) * want_width)
    assert np.allclose([left + right, top + bottom], [width, height])


PICTURES = Path(__file__).parents[1] / "pictures"


def test_colours_of_another_profile_become_those_of_srgb():
    theirs, plain = (decode_image(PICTURES / "icc" / name, None, 3).astype(int) for name in ("p3.png", "srgb.png"))
    assert np.abs(np.asarray(Image.open(PICTURES / "icc" / "p3.png").convert("RGB")).astype(int) - plain).max() > 20
    assert np.abs(theirs - plain).max() <= 2


def test_a_profile_that_is_damaged_is_passed_over():
    assert (decode_image(encoded("PNG", icc_profile=b"no profile"), None, 3) == NOISE).all()


def grey_profile(gamma: float) -> bytes:
    """A profile of greys (ICC.1:2001): value ** gamma is how light it is."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in (0.9642, 1, 0.8249))),
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma)) + bytes(2),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">2I", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    head = (
        struct.pack(">I4x4B", size, 2, 0x20, 0, 0) + b"mntrGRAYXYZ " + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    )
    return head.ljust(68, b"\0") + tags[b"wtpt"][8:20] + bytes(128 - 80) + table + body


@pytest.mark.parametrize(("gamma", "expected"), [(1.0, 188), (2.2, 128)])
def test_greys_of_another_profile_become_those_of_srgb(gamma: float, expected: int) -> None:
    for mode in ("L", "LA"):
        grey = Image.new(mode, (4, 4), 128 if mode == "L" else (128, 255))
        for channels in (1, 3):
            pixels = decode_image(encoded("PNG", grey, icc_profile=grey_profile(gamma)), None, channels)
            assert np.abs(pixels.astype(int) - expected).max() <= 2


def test_a_profile_keeps_transparency():
    profile = Image.open(PICTURES / "icc" / "p3.png").info["icc_profile"]
    clear = Image.new("RGBA", (4, 4), (200, 40, 40, 0))
    assert (decode_image(encoded("PNG", clear, icc_profile=profile), None, 3) == 255).all()


@pytest.mark.parametrize("number", range(4))
def test_integers_of_32_bits_are_not_black(number):
    with pytest.raises(ValueError, match="32 bits, of an unknown range; save it with 8 or 16 bits"):
        decode_image(PICTURES / "int32k" / f"k{number}.tif", None, 3)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_twelve_bits_in_sixteen_are_not_nearly_black(ending):
    with pytest.raises(ValueError, match=r"no number above 2,356, as data of 12 bits .*scale it to 0 \.\. 65535"):
        decode_image(PICTURES / "twelve_bit" / f"cell0.{ending}", None, 3)
    black = Image.fromarray(np.zeros((4, 4), np.uint16))
    assert (decode_image(encoded("PNG", black), None, 3) == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (300, 2), (16_383, 3)])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
def test_how_large_a_webp_is_stands_in_its_head(size: tuple[int, int], options: dict[str, object]) -> None:
    content = encoded("WEBP", Image.new("RGB", size), **options)
    assert image_files.webp_pixels(content[: image_files.WEBP_HEAD]) == size[0] * size[1]
    assert image_files.webp_pixels(encoded("PNG", Image.new("RGB", size))[:30]) is None


def test_a_webp_that_would_take_gigabytes_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was opened"))
    head = b"RIFF" + bytes(4) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xfe\x3f\0" * 2
    with pytest.raises(ValueError, match="268,402,689 pixels"):
        decode_image(head + bytes(100), None, 3)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match="no regular file"):
        decode_image(tmp_path / "pipe.png", None, 3)


FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "JPEG2000", "PPM")


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(FORMATS),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6)), max_size=4),
    end=st.integers(0, 4_000),
    junk=st.binary(max_size=300),
)
def test_any_bytes_are_a_picture_or_a_message(kind: str, cuts: list[tuple[int, bytes]], end: int, junk: bytes) -> None:
    content = bytearray(encoded(kind, Image.fromarray(NOISE[..., :3])))
    for place, part in cuts:
        content[place : place + len(part)] = part
    for hostile in (bytes(content[:end]), bytes(content), junk):
        pixels, message = None, ""
        try:
            pixels = decode_image(hostile, (8, 8), 3)
        except ValueError as error:
            message = str(error)
        assert message if pixels is None else (pixels.shape, pixels.dtype) == ((8, 8, 3), np.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 6 << 20  # kB: 179 million pixels, and what is loaded
