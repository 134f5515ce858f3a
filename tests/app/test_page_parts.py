import struct
import zlib
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from PIL import Image

from unweave.app.page_parts import thumbnail


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
