"""Text in a picture: Pillow's own font, wrapped and shortened so that labels never overlap."""

import math
import re
from functools import cache
from typing import Literal

from PIL import ImageDraw, ImageFont

from unweave.figures.ticks import Number

Colour = tuple[int, int, int]
TEXT_COLOUR, GREY, RULE_COLOUR, ACCENT_COLOUR = (28, 28, 32), (104, 104, 112), (224, 224, 228), (213, 94, 0)
"""Colours of text, secondary text, hairlines and frames."""

MARGIN, LABEL_SIZE, TITLE_SIZE = 16, 15, 19
"""Pixels: around a picture; and the sizes of labels and title."""


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's bundled font. Raises RuntimeError when Pillow was built without FreeType."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType: install its ordinary wheel, pip install pillow.")
    return loaded


def wrap_text(text: str, size: int, width: Number, lines: int) -> str:
    """The text in at most `lines` lines of at most `width` pixels; what does not fit ends in "…".

    Breaks at spaces, and words too long for a line after "_", "-", "/" and "."; a line break in the text is kept.
    """
    face = font(size)
    wrapped = [line for part in _replace_missing_signs(text).split("\n") for line in _break_lines(part, face, width)]
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], wrapped[lines - 1] + "…"]
    return "\n".join(_shorten(line, face, width) for line in wrapped)


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height in pixels of text that may have several lines; (0, 0) of none."""
    if not text:
        return 0, 0
    lines = text.split("\n")
    return math.ceil(max(font(size).getlength(line) for line in lines)), _line_height(size) * len(lines)


def draw_text(
    draw: ImageDraw.ImageDraw,
    position: tuple[Number, Number],
    text: str,
    size: int,
    *,
    align: Literal["left", "centre", "right"] = "left",
    colour: Colour = TEXT_COLOUR,
) -> None:
    """Draws text whose top is at `position`, which is its left end, its centre or its right end."""
    x, y = position
    anchor = {"left": "lm", "centre": "mm", "right": "rm"}[align]
    for index, line in enumerate(_replace_missing_signs(text).split("\n")):
        draw.text((x, y + (index + 0.5) * _line_height(size)), line, fill=colour, font=font(size), anchor=anchor)


def _line_height(size: int) -> int:
    return round(1.25 * size)


def _break_lines(text: str, face: ImageFont.FreeTypeFont, width: Number) -> list[str]:
    lines = [""]
    for piece in (part for word in re.findall(r"\S*\s*", text) for part in _break_word(word, face, width)):
        if lines[-1] and face.getlength((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def _break_word(word: str, face: ImageFont.FreeTypeFont, width: Number) -> list[str]:
    fits = face.getlength(word.rstrip()) <= width
    return [word] if fits else re.findall(r"[^_\-/.]+[_\-/.]*|[_\-/.]+", word)


def _shorten(line: str, face: ImageFont.FreeTypeFont, width: Number) -> str:
    if face.getlength(line) <= width:
        return line
    shortened = line.removesuffix("…")
    while shortened and face.getlength(shortened.rstrip() + "…") > width:
        shortened = shortened[:-1]
    return shortened.rstrip() + "…"


def _replace_missing_signs(text: str) -> str:
    """Without the usual signs that the font lacks."""
    return text.translate(str.maketrans("\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}\N{MULTIPLICATION SIGN}", "---x"))
