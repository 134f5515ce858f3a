"""Two characters exchange their clothes: by the command, in Python, and in a browser, with a run of csdismo."""

import base64
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from tests.app.conftest import app_in
from tests.conftest import shared

pytest.importorskip("gradio")

import unweave
from unweave.runs.run import Run

pytestmark = pytest.mark.long

IMAGES = 38_400
SETTINGS = ["data.size=32", "method.width=16", "training.batch=16"]
SETTINGS += [f"training.images={IMAGES}", f"method.encoders_after={IMAGES // 2}", "training.threads=1"]


class Trained(NamedTuple):
    folder: Path  # where the commands are run
    run: Run


def characters(folder: Path) -> Path:
    """Of the first body and hair all clothes of three slots, walking, from three sides, in a folder of pictures."""
    with np.load(shared("data", "lpc_sprites", "lpc_sprites.npz")) as stored:
        body, bottom, top, hair, action, direction = stored["factors"].T
        chosen = stored["images"][(body == 0) & (hair == 0) & (action == 0)]
    assert len(chosen) == len(np.unique(bottom)) * len(np.unique(top)) * len(np.unique(direction))
    folder.mkdir()
    for number, image in enumerate(chosen):
        Image.fromarray(image).save(folder / f"{number:04d}.png")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("clothes")
    characters(folder / "characters")
    unweave_in(folder, "train", "csdismo", "data=characters", *SETTINGS, "--quiet", "-o", "run")
    return Trained(folder, Run(folder / "run"))


def unweave_in(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "unweave", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def change(one: np.ndarray, other: np.ndarray) -> float:
    """Absolute change of pixels of 0 .. 255: the mean of the tenth that changes most, for most is black."""
    every = np.sort(np.abs(one.astype(float) - other.astype(float)).ravel())
    return float(every[-len(every) // 10 :].mean())


def test_the_command_and_python_take_the_same_style(trained: Trained) -> None:
    row, partner = 1, 100
    unweave_in(
        trained.folder, "edit", "swap", "run", str(row), "--partners", str(partner), "--units", "style", "-o", "one.png"
    )
    swapped = unweave.swap(trained.run, images=[row], partners=[partner], units=["style"])
    swapped.save(trained.folder / "two.png")
    one, two = (np.asarray(Image.open(trained.folder / name)) for name in ("one.png", "two.png"))
    assert one.shape == two.shape
    assert change(one, two) < 1
    rebuilt = unweave.reconstruct(trained.run, images=[row]).images
    swaps = [unweave.swap(trained.run, images=[row], partners=[partner], units=[unit]) for unit in ("style", "content")]
    style, content = (swap.images for swap in swaps)
    assert (style - rebuilt).abs().mean() > 0.01
    assert (content - style).abs().mean() > 0.01


@pytest.fixture(scope="module")
def address(trained: Trained) -> Iterator[str]:
    with app_in(trained.folder, "run") as found:
        yield found


def pixels(image: Any) -> np.ndarray:
    """What an <img> of the page shows."""
    source = image.evaluate("one => one.src")
    if source.startswith("data:"):
        content = base64.b64decode(source.split(",", 1)[1])
    else:
        with urlopen(source, timeout=20) as answer:
            content = answer.read()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_two_characters_exchange_clothes_in_the_browser(trained: Trained, address: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.goto(address)
    page.get_by_role("tab", name="Two pictures").click()
    page.get_by_label("Thumbnail 4 of 12").last.click()
    page.get_by_alt_text("partner").wait_for()
    page.get_by_label("content").last.uncheck()
    assert page.get_by_label("style").last.is_checked()
    page.get_by_role("button", name="Swap", exact=True).click()
    edits = page.locator(".gallery-item, .thumbnail-item").filter(has_text="style").locator("img")
    edits.first.wait_for(timeout=60_000)
    rebuilt = page.locator(".gallery-item, .thumbnail-item").filter(has_text="rebuilt").locator("img").first
    swapped = edits.first
    if "UNWEAVE_SCREENSHOTS" in os.environ:
        page.screenshot(path=Path(os.environ["UNWEAVE_SCREENSHOTS"]) / "swapped.png", full_page=True)
    assert change(pixels(rebuilt), pixels(swapped)) > 5
    assert change(pixels(page.get_by_alt_text("partner").first), pixels(swapped)) > 5
    commands = page.evaluate("[...document.querySelectorAll('textarea')].map(one => one.value)")
    (command,) = [text for text in commands if "edit swap" in text]
    assert "--units style" in command
    page.get_by_role("button", name="Exchange in both").click()
    both = page.locator(".both img")
    both.nth(1).wait_for(timeout=60_000)
    assert change(pixels(both.nth(0)), pixels(swapped)) < 1, "the one in hand is as it was swapped"
    if "UNWEAVE_SCREENSHOTS" in os.environ:
        page.screenshot(path=Path(os.environ["UNWEAVE_SCREENSHOTS"]) / "clothes.png", full_page=True)
    page.get_by_role("button", name="What differs?").click()
    rows = page.locator("ol.differences li")
    rows.nth(1).wait_for(timeout=60_000)
    assert {text.split("\n")[0] for text in rows.all_inner_texts()} == {"content", "style"}
