import gc
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from unweave.app import components, page_parts


def test_pictures_are_kept_at_their_size_with_their_command_for_an_hour() -> None:
    store = components.PictureStore(tempfile.TemporaryDirectory())  # which nobody else holds
    gc.collect()
    first = store(np.full((9, 7, 1), 200, np.uint8), "unweave edit adjust runs/a 3 --to 1=0.5")
    with Image.open(first) as picture:
        assert (picture.size, picture.mode) == ((7, 9), "RGB")
        assert picture.info["unweave"] == "unweave edit adjust runs/a 3 --to 1=0.5"
    assert store(np.full((9, 7, 1), 200, np.uint8)) != first
    assert Path(first).is_file()
    other = Path(first).parents[2] / "gradio"
    other.mkdir()
    for path in (Path(first).parent, other):
        os.utime(path, (time.time() - 3601,) * 2)
    store.cleared = 0.0  # it looks once a minute
    with Image.open(store(Image.new("RGB", (4, 4)))) as picture:
        assert "unweave" not in picture.info
    assert not Path(first).exists()
    assert other.is_dir()


def test_what_a_person_did_is_not_read_as_html() -> None:
    with pytest.raises(Exception, match="&lt;script&gt;") as error, page_parts.errors_in_page():
        raise ValueError("<script> cannot be read")
    assert not error.value.print_exception
    with pytest.raises(Exception, match="pick a partner first"):
        components.require_picked(None, "a partner")
