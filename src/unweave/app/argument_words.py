"""Pictures, places and files as the command line takes them."""

from pathlib import Path

from unweave.app.places import SliderPlace, Taken


def place_argument(place: SliderPlace) -> float | str:
    """A place as `unweave edit adjust --to` and `unweave.adjust` take it."""
    return f"like:{place.name}" if isinstance(place, Taken) else round(place, 2)


def place_word(place: SliderPlace) -> str:
    """The same as a word, in which no comma ends it."""
    return f"like:{argument(place.name)}".replace(",", "\\,") if isinstance(place, Taken) else f"{place:.2f}"


def partner_word(name: str) -> str:
    """The name of a picture as --partners takes it."""
    return argument(name).replace(",", "\\,")


def relative(path: Path) -> str:
    """As one types it where the command was started."""
    inside = path.is_absolute() and path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if inside else path)


def argument(name: str) -> str:
    """A file's name that is not taken for an option, and keeps its spaces."""
    return f"./{name}" if name.startswith(("-", " ")) else name
