"""The start page and the pages below it in a real browser, from a zip of pictures on."""

import io
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.app.conftest import app_in

pytest.importorskip("gradio")

pytestmark = pytest.mark.long

SLIDERS = "input[type=range][aria-label^='range slider']"
SERIOUS = {"serious", "critical"}


def zip_of_pictures(path: Path, count: int = 40) -> Path:
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            memory = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(memory, "PNG")
            archive.writestr(f"{number}.png", memory.getvalue())
    return path


def serious(page: Any) -> list[str]:
    """What axe-core finds, of a serious kind."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found if each["impact"] in SERIOUS]


def test_a_zip_is_learned_from_paused_and_gone_on_with(browser: Any, tmp_path: Path) -> None:
    archive = zip_of_pictures(tmp_path / "noise.zip")
    with app_in(tmp_path) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.get_by_text("There is no run below this folder yet.").wait_for()
        assert serious(page) == []
        page.get_by_label("A folder on this machine").fill("absent")
        page.get_by_role("button", name="Learn from them").click()
        page.get_by_text("there is no folder 'absent'").wait_for()
        page.locator("input[type=file]").first.set_input_files(archive)
        page.get_by_label("noise.zip").wait_for()  # its text is there only on the way
        page.get_by_role("button", name="Learn from them").click()
        page.get_by_text("Learning from noise.zip").wait_for()
        page.get_by_text(re.compile("training: .* of")).wait_for()
        page.close()  # which does not end it
        page = browser.new_page(viewport={"width": 375, "height": 700})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.get_by_text("Learning from noise.zip").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    with app_in(tmp_path) as address:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        page.get_by_text("Paused: noise.zip").wait_for()
        page.get_by_role("button", name="Go on").click()
        page.get_by_text("Learning from noise.zip").wait_for()


def test_the_model_of_the_package_is_tried_at_three_widths(browser: Any, tmp_path: Path) -> None:
    with app_in(tmp_path) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.get_by_role("button", name="Try it on rooms").click()
        page.wait_for_url("**/open/**")
        for width in (1280, 768, 375):
            page.set_viewport_size({"width": width, "height": 700})
            page.wait_for_selector(".compare img.after[src^=data]")
            slider = page.locator(SLIDERS).nth(2)
            slider.scroll_into_view_if_needed()
            slider.focus()
            for place, height in (slider.bounding_box(), 700), (page.locator(".stage").bounding_box(), 700):
                assert 0 <= place["y"] < place["y"] + place["height"] <= height, width
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious(page) == []
        page.goto(address)
        page.get_by_text("encdiff on rooms").first.wait_for()
        shutil.rmtree(tmp_path / "runs" / "builtin-rooms")
        page.get_by_text("encdiff on rooms").first.click()
        page.get_by_text("is no run below this folder any more").wait_for()
