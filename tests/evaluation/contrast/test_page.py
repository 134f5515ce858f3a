import base64
import io

import numpy as np
import torch
from PIL import Image

from unweave.evaluation.contrast.page import render_contrast
from unweave.figures.pixels import use_colours

UNIT = {"word": "3", "name": "<size>", "delta": 0.5, "low": 0.3, "high": 0.7, "p": 0.00001, "adjusted": 0.001}
FACTS = {
    "names": ["a&b", "c"],
    "rows": [10, 12],
    "replicates": None,
    "design": "rows",
    "smallest_p": 0.001,
    "kind": "units",
    "ceiling": {"auroc": 0.9, "low": 0.8, "high": 0.95},
    "units": [{**UNIT, "auroc": 0.75, "differs": True, "change": 0.1, "faint": False, "measured": None}],
    "level": 0.05,
    "measured_rows": 200,
    "differ_together": False,
}
EXAMPLES = [[torch.zeros(2, 3, 8, 8)] * 2] * 2


def test_the_page_needs_nothing_beside_it_and_escapes_names():
    page = render_contrast(FACTS, [np.zeros((3, 8, 8, 3), np.uint8)], EXAMPLES)
    assert "&lt;size&gt;" in page
    assert "a&amp;b" in page
    assert "<size>" not in page
    assert "http" not in page
    assert "data:image/png;base64," in page
    assert "below 0.0001" in page
    assert "+0.50 (+0.30 to +0.70)" in page


def test_what_is_measured_and_what_moves_nothing_is_said():
    def page(**changes):
        return render_contrast({**FACTS, "units": [{**FACTS["units"][0], **changes}]}, [], EXAMPLES)

    assert "median 0.09 in a&amp;b, 0.146 in c" in page(measured=[0.09, 0.1464])
    assert "next to nothing" in page(faint=True)
    assert "AUROC 0.77" in page(auroc=0.23)
    assert "median" not in page()
    assert "next to nothing" not in page()


def test_every_design_says_how():
    for design, words in (("rows", "Mann and Whitney"), ("nested", "change groups together"), ("crossed", "inside it")):
        replicates = None if design == "rows" else [4, 4]
        assert words in render_contrast({**FACTS, "design": design, "replicates": replicates}, [], EXAMPLES)


def test_too_few_to_differ_are_said():
    assert "allow no p below" not in render_contrast(FACTS, [], EXAMPLES)
    few = {**FACTS, "design": "nested", "replicates": [3, 3], "smallest_p": 0.1}
    assert "allow no p below 0.1: none can be said to differ" in render_contrast(few, [], EXAMPLES)


def test_groups_that_differ_in_no_single_unit_are_said_to_differ():
    words = "So the groups do differ, and no single one of the units shows it"
    assert words in render_contrast({**FACTS, "differ_together": True}, [], EXAMPLES)
    assert words not in render_contrast(FACTS, [], EXAMPLES)


def test_channels_are_shown_in_their_colours_and_once():
    first_alone = np.zeros((3, 8, 8, 2), np.uint8)
    first_alone[..., 0] = 255
    use_colours(("lime", "magenta"))
    try:
        page = render_contrast(FACTS, [first_alone], [[torch.zeros(2, 2, 8, 8)]] * 2)
    finally:
        use_colours(None)
    content = base64.b64decode(page.split("data:image/png;base64,")[2].split('"')[0])
    colours = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).reshape(-1, 3)
    assert (colours == [0, 255, 0]).all(1).sum() >= 3 * 64
    assert not (colours == [255, 0, 255]).all(1).any()


def test_both_groups_are_shown_and_rebuilt_where_they_can_be():
    assert "what is not rebuilt is not compared" in render_contrast(FACTS, [], EXAMPLES)
    encoder_alone = render_contrast(FACTS, [], [[torch.zeros(2, 3, 8, 8)]] * 2)
    assert "Random pictures of both groups." in encoder_alone
    assert encoder_alone.count("<img") == 1


def test_pictures_stand_beside_the_name_of_their_group(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "unweave.evaluation.contrast.page.grid", lambda *asked, **_: calls.append(asked) or Image.new("L", (1, 1))
    )
    of_a, of_c = ([torch.full((2, 3, 8, 8), shade), torch.full((2, 3, 8, 8), shade + 0.1)] for shade in (-0.5, 0.5))
    render_contrast(FACTS, [], [of_a, of_c])
    ((rows, labels),) = calls
    assert labels == ["a&b", "rebuilt", "c", "rebuilt"]
    assert [round(float(row.mean()), 1) for row in rows] == [-0.5, -0.4, 0.5, 0.6]
