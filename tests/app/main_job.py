"""A zip of pictures and a browser: learned from, three factors named, one changed in twenty pictures, a zip taken home.

`python -m tests.app.film` takes its pictures from these steps.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw

Shoot = Callable[..., None]
"""Takes a picture of the page: `shoot(text, at=locator)`."""

STRIPS_ARE_DRAWN = "document.querySelectorAll('.card .strip img').length > 14"
SLIDERS = "input[type=range][aria-label^='range slider']"


def draw_lamp(rng: np.random.Generator) -> Image.Image:
    """A lamp over ground at dusk: the colours of sky and ground, the lamp's colour, its size and its place."""
    sky, ground, lamp = (
        ImageColor.getrgb(f"hsl({rng.uniform(*hues):.0f}, {share}%, {rng.uniform(*light):.0f}%)")
        for hues, share, light in (((190, 300), 55, (45, 55)), ((60, 150), 45, (28, 36)), ((0, 60), 95, (55, 62)))
    )
    picture = Image.new("RGB", (128, 128), sky)
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((0, 80, 128, 128), fill=ground)
    x, radius = rng.uniform(36, 92), rng.uniform(14, 28)
    canvas.ellipse((x - radius, 60 - radius, x + radius, 60 + radius), fill=lamp)
    return picture.resize((32, 32), Image.Resampling.LANCZOS)


def zip_of_lamps(path: Path, count: int) -> Path:
    """So many pictures of lamps in a zip."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            memory = io.BytesIO()
            draw_lamp(rng).save(memory, "PNG")
            archive.writestr(f"lamp-{number:04d}.png", memory.getvalue())
    return path


def drop(page: Any, address: str, archive: Path, shoot: Shoot) -> None:
    """From the start page to the training."""
    page.goto(address)
    page.get_by_role("heading", name="My pictures").wait_for()
    shoot("The start page")
    page.locator("input[type=file]").first.set_input_files(archive)
    page.get_by_text(archive.name).first.wait_for()
    button = page.get_by_role("button", name="Learn from them")
    shoot("Drop a zip of pictures", at=button)
    button.click()
    page.get_by_text(f"Learning from {archive.name}").wait_for()
    page.locator(".training img").wait_for()
    shoot("It learns, and draws what it has learned so far")


def open_it(page: Any, button: Any, shoot: Shoot) -> None:
    """From the start page to the factors of a run, which are looked for where nobody has done so yet."""
    button.click()
    page.wait_for_url("**/open/**")
    page.locator(SLIDERS).first.wait_for()
    finding = page.get_by_role("button", name="Find its factors")
    if page.get_by_role("tab", name="Units").count():
        page.get_by_role("button", name="Name or change a unit").click()
        finding.click()
        page.get_by_role("tab", name="Factors").wait_for()
    page.wait_for_function(STRIPS_ARE_DRAWN)
    page.wait_for_timeout(2_000)
    shoot("What varies, one card for each thing")


def name_factors(page: Any, names: Sequence[str], shoot: Shoot) -> None:
    """The first factors are given names."""
    for number, name in enumerate(names):
        change = page.locator(".card button[data-act=change]").nth(number)
        change.click()
        field = page.get_by_label("Name of the factor")
        field.wait_for()
        page.wait_for_timeout(600)
        field.fill(name)
        rename = page.get_by_role("button", name="Rename")
        shoot("Give it a name", at=rename)
        rename.click()
        page.locator(".card b", has_text=name).first.wait_for()


def change_many(page: Any, key: str, presses: int, shoot: Shoot, folder: Path) -> Path:
    """One factor is moved on the picture in hand, then in twenty pictures; the zip."""
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function(STRIPS_ARE_DRAWN)
    slider = page.locator(SLIDERS).first
    slider.focus()
    before = page.get_by_alt_text("edit").get_attribute("src")
    for _ in range(presses):
        page.keyboard.press(key)
    page.wait_for_function("src => document.querySelector('.compare img.after').src !== src", arg=before)
    page.wait_for_timeout(1_500)
    shoot("Move one of them", at=slider)
    page.get_by_role("tab", name="Many pictures").click()
    apply = page.get_by_role("button", name="Apply to them")
    apply.scroll_into_view_if_needed()
    shoot("The same in twenty pictures", at=apply)
    apply.click()
    page.get_by_text("20 of 20 pictures are edited.").wait_for()
    home = page.get_by_role("button", name="Take the zip home")
    home.wait_for()
    home.scroll_into_view_if_needed()
    page.wait_for_timeout(1_000)
    shoot("And home with the zip", at=home)
    with page.expect_download() as download:
        home.click()
    download.value.save_as(folder / "edits.zip")
    return folder / "edits.zip"
