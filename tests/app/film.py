"""The main job of the studio as a film, from its steps in a real browser.

    python -m tests.app.film FOLDER learn                          # drops a zip of lamps, and waits until it is learned
    python -m tests.app.film FOLDER edit docs/pictures/studio.gif sky lamp ground --key ArrowRight

The second opens what was learned, and takes names for the first factors, which a person reads off their cards.
"""

import argparse
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from tests.app.conftest import app_in, open_browser
from tests.app.main_job import change_many, drop, name_factors, open_it, zip_of_lamps

WIDTH, HEIGHT, SHOWN = 1280, 800, 820  # pixels of the page, and of the film's width
COLOURS = 96
LATER = 150.0  # seconds between two pictures of what it learns


def camera(page: Any, folder: Path) -> Any:
    """`shoot(text, at=locator)`, which writes numbered pictures, with a text below and a ring where is clicked."""
    folder.mkdir(parents=True, exist_ok=True)

    def shoot(text: str, at: Any = None) -> None:
        number = len(list(folder.glob("*.png")))
        path = folder / f"{number:03d}.png"
        page.screenshot(path=path)
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        canvas = ImageDraw.Draw(picture)
        if at is not None and (box := at.bounding_box()):
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            canvas.ellipse((x - 16, y - 16, x + 16, y + 16), outline="#b91c1c", width=4)
        canvas.rectangle((0, HEIGHT - 46, WIDTH, HEIGHT), fill="#1e1b4b")
        canvas.text((24, HEIGHT - 38), text, fill="white", font=ImageFont.load_default(26))
        picture.save(path)

    return shoot


def write_film(folder: Path, path: Path) -> None:
    """All pictures of the folder, one after the other, as an endless GIF; the last one stays longer."""
    frames = []
    for file in sorted(folder.glob("*.png")):
        with Image.open(file) as picture:
            small = picture.convert("RGB").resize((SHOWN, SHOWN * HEIGHT // WIDTH), Image.Resampling.LANCZOS)
        frames.append(small.quantize(COLOURS, dither=Image.Dither.NONE))
    durations = [1_600] * (len(frames) - 1) + [4_000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("part", choices=["learn", "edit"])
    parser.add_argument("film", type=Path, nargs="?")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--key", default="ArrowRight", help="that moves the first factor")
    parser.add_argument("--looks", type=int, default=4, help="at what it learns, two and a half minutes apart")
    parser.add_argument("--count", type=int, default=1_500, help="of lamps")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with app_in(options.folder) as address, open_browser() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(2_400_000)
        shoot = camera(page, options.folder / "frames")
        if options.part == "learn":
            drop(page, address, zip_of_lamps(options.folder / "lamps.zip", options.count), shoot)
            for _ in range(options.looks):
                page.wait_for_timeout(1_000 * LATER)
                shoot("It learns, and draws what it has learned so far")
            button = page.get_by_role("button", name="Open it")
            button.wait_for()
            shoot("It has learned: open it", at=button)
            return
        page.goto(address)
        open_it(page, page.locator("button[data-run]").first, shoot)
        name_factors(page, options.names, shoot)
        change_many(page, options.key, 30, shoot, options.folder)
    write_film(options.folder / "frames", options.film)


if __name__ == "__main__":
    main()
