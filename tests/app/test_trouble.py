"""What a person reads in the page when the disk is full, or a picture is damaged."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.app.conftest import app_in

pytest.importorskip("gradio")

pytestmark = pytest.mark.long

SLIDERS = "input[type=range][aria-label^='range slider']"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB, which root alone can mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a disk needs another user")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def page_of(browser: Any, address: str) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector(".compare img.after[src^=data]")
    return page


def move(page: Any, key: str) -> str:
    """Another place of the first slider; the picture that is shown then."""
    before = page.get_by_alt_text("edit").get_attribute("src")
    page.locator(SLIDERS).first.focus()
    for _ in range(15):
        page.keyboard.press(key)
    page.wait_for_function("src => document.querySelector('.compare img.after').src !== src", arg=before)
    return str(page.get_by_alt_text("edit").get_attribute("src"))


def test_a_full_disk_is_said_and_edits_go_on(browser: Any, tmp_path: Path, small_disk: Path) -> None:
    with app_in(tmp_path, "builtin:rooms", TMPDIR=str(small_disk)) as address:
        page = page_of(browser, address)
        page.wait_for_timeout(3_000)
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
        move(page, "ArrowLeft")
        page.get_by_text(re.compile("cannot be saved: no space left")).first.wait_for()
        page.get_by_role("tab", name="Many pictures").click()
        page.get_by_role("button", name="Apply to them").click()
        page.get_by_text(re.compile("no space left: .* are free")).last.wait_for()
        filler.unlink()
        page.get_by_role("button", name="Apply to them").click()
        page.get_by_text("20 of 20 pictures are edited.").wait_for()


def test_a_damaged_picture_is_named_where_it_is_dropped(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photos" / "good.png")
    (tmp_path / "photos" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    with app_in(tmp_path, "builtin:rooms") as address:
        page = page_of(browser, address)
        move(page, "ArrowLeft")
        page.get_by_role("tab", name="Many pictures").click()
        page.get_by_label("Or a folder on this machine").fill("photos")
        page.get_by_role("button", name="Apply to them").click()
        page.get_by_text("1 of 2 pictures are edited.").wait_for()
        page.get_by_text(re.compile("damaged.png cannot be read")).first.wait_for()
        page.locator("input[type=file]").first.set_input_files(tmp_path / "photos" / "damaged.png")
        page.get_by_text(re.compile("damaged.png cannot be read as an image")).last.wait_for()
        assert page.get_by_alt_text("edit").get_attribute("src")
