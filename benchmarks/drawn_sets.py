"""Two drawn sets with complete factor grids, for scores on pictures that no threshold was set on.

    python benchmarks/drawn_sets.py avatars avatars.npz
    python benchmarks/drawn_sets.py glyphs glyphs.npz
    unweave train encdiff data=avatars.npz

avatars: 20,000 faces with seven factors: skin, hair colour, hair length, eyes, mouth, glasses, background.
glyphs: 14,976 capital letters with four factors: letter, slant, weight, width; the font that Pillow ships.
Pictures have 32 x 32 pixels, drawn four times as large and reduced.
"""

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Resampling, Transform

SIZE, LARGE = 32, 128
Factors = tuple[int, ...]

SKIN = ["#ffe0c4", "#eab78c", "#c68642", "#8d5524", "#4f2d16"]
HAIR = ["#1b1412", "#7a3e16", "#e2b33c", "#c7381f", "#d8d8e6"]
GROUND = ["#3c78d8", "#6aa84f", "#e06fa0", "#f1c232", "#7f6bb5"]
LENGTHS = [34, 58, 82, 108]  # the lowest row of hair
PUPILS = [(-4, 0), (4, 0), (0, -4), (0, 4)]
AVATARS = {
    "skin": 5, "hair_colour": 5, "hair_length": 4, "eyes": 4, "mouth": 5, "glasses": 2, "background": 5
}  # fmt: skip
GLYPHS = {"letter": 26, "slant": 9, "weight": 8, "width": 8}


def avatar(classes: Factors) -> Image.Image:
    skin, hair_colour, length, eyes, mouth, glasses, ground = classes
    picture = Image.new("RGB", (LARGE, LARGE), GROUND[ground])
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((22, 10, 106, LENGTHS[length]), 22, fill=HAIR[hair_colour])
    draw.rectangle((54, 96, 74, 128), fill=SKIN[skin])
    draw.ellipse((32, 24, 96, 110), fill=SKIN[skin])
    draw.chord((28, 12, 100, 72), 190, 350, fill=HAIR[hair_colour])
    across, down = PUPILS[eyes]
    for centre in (49, 79):
        draw.ellipse((centre - 10, 52, centre + 10, 72), fill="white")
        draw.ellipse((centre + across - 6, 56 + down, centre + across + 6, 68 + down), fill="black")
        if glasses:
            draw.ellipse((centre - 14, 48, centre + 14, 76), outline="#101010", width=5)
    if glasses:
        draw.line((61, 60, 67, 60), fill="#101010", width=5)
    _mouth(draw, mouth)
    return picture


def _mouth(draw: ImageDraw.ImageDraw, mouth: int) -> None:
    if mouth == 0:
        draw.line((50, 92, 78, 92), fill="#a01020", width=6)
    elif mouth == 1:
        draw.arc((48, 76, 80, 98), 20, 160, fill="#a01020", width=6)
    elif mouth == 2:
        draw.arc((48, 88, 80, 110), 200, 340, fill="#a01020", width=6)
    elif mouth == 3:
        draw.ellipse((55, 82, 73, 102), fill="#500810")
    else:
        draw.chord((46, 72, 82, 104), 10, 170, fill="white", outline="#a01020", width=4)


def glyph(classes: Factors) -> Image.Image:
    letter, slant, weight, width = classes
    font = ImageFont.load_default(80)
    picture = Image.new("L", (LARGE, LARGE), 0)
    middle = (LARGE // 2, LARGE // 2)
    ImageDraw.Draw(picture).text(middle, chr(ord("A") + letter), 255, font, anchor="mm", stroke_width=weight)
    across, shear = 1.0 / (0.55 + 0.09 * width), 0.1 * (slant - 4)  # of the output's column, of its row
    offset = LARGE / 2 * (1 - across - across * shear)
    return picture.transform(
        (LARGE, LARGE), Transform.AFFINE, (across, across * shear, offset, 0, 1, 0), Resampling.BILINEAR
    )


SETS: dict[str, tuple[dict[str, int], Callable[[Factors], Image.Image]]] = {
    "avatars": (AVATARS, avatar),
    "glyphs": (GLYPHS, glyph),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    sizes, draw = SETS[options.set]
    factors = np.array(list(product(*map(range, sizes.values()))))
    images = np.stack([np.asarray(draw(tuple(row)).resize((SIZE, SIZE), Resampling.BOX)) for row in factors])
    np.savez_compressed(options.out, images=images, factors=factors, factor_names=np.array(list(sizes)))
    print(f"{len(images)} images, factors {sizes}, in {options.out}")


if __name__ == "__main__":
    main()
