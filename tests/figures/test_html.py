import base64
import re
from io import BytesIO

from PIL import Image

from unweave.figures.html import facts_html, picture_html, table_html


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
