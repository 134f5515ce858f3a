import base64
import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image

from unweave.figures.html import facts_html, picture_html, table_html, thumbnail


def test_words_are_escaped_and_what_is_empty_is_left_out() -> None:
    shown = facts_html({"a<b": "x & y", "nothing": "", "none": None})
    assert "a&lt;b" in shown
    assert "x &amp; y" in shown
    assert "noth" not in shown
    assert table_html(("h",), [("<1>",)]) == "<table><tr><th>h</th></tr><tr><td>&lt;1&gt;</td></tr></table>"


def test_a_picture_comes_back_from_the_page() -> None:
    shown = picture_html(Image.new("RGB", (3, 2), "red"), "it's red")
    data = re.search("base64,([^']+)'", shown)
    assert data is not None
    assert Image.open(BytesIO(base64.b64decode(data[1]))).size == (3, 2)
    assert "it&#x27;s red" in shown


def test_a_preview_is_a_png_of_a_size_that_runs_draw(tmp_path: Path) -> None:
    path = tmp_path / "preview.png"
    Image.new("RGB", (40, 40), "red").save(path)
    assert thumbnail(path).startswith("data:image/jpeg;base64,")
    for side in (7_000, 30_000):  # the head says so, and there is nothing behind it
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        data = path.read_bytes()
        path.write_bytes(data[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + data[33:])
        assert thumbnail(path) == ""
    Image.new("RGB", (40, 40), "red").save(path, "EPS")
    assert thumbnail(path) == ""
    assert thumbnail(tmp_path / "absent.png") == thumbnail(None) == ""
