"""HTML: tables and pictures for objects that show themselves in a notebook, templates for pages."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from jinja2 import Template

MAX_PREVIEW_PIXELS = 40_000_000  # which are decoded


def template(package: str, name: str, **filters: Callable[..., Any]) -> "Template":
    """A jinja2 template that lies beside the modules of a package; what it is given is text unless it is Markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(package, "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= filters
    return environment.get_template(name)


def facts_html(facts: Mapping[str, object]) -> str:
    """Names and values, one below the other; what is empty is left out."""
    rows = [
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
        if value not in ("", None, {}, [], ())
    ]
    return f"<table>{''.join(rows)}</table>"


def table_html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a line of heads."""
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def picture_html(picture: Image.Image, alt: str) -> str:
    """A picture that is part of the page."""
    return f"<img alt='{escape(alt, quote=True)}' src='{picture_address(picture)}'>"


def picture_address(picture: Image.Image, kind: str = "png", **options: Any) -> str:
    """The bytes of a picture as the address of an <img>; the options are those of `Image.save`."""
    content = BytesIO()
    picture.save(content, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def thumbnail(path: Path | None, side: int = 320) -> str:
    """A PNG as an address that carries it; "" where it cannot be read, or is larger than any that a run draws."""
    if path is None:
        return ""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PREVIEW_PIXELS:
                return ""
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # SyntaxError is Pillow's, of its parts
        return ""
    small.thumbnail((side, 3 * side))
    return picture_address(small, "JPEG")
