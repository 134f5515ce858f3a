"""A family is a folder, a name is a file in it, or an entry point of a third party.

`name = "encdiff"` in a config is `unweave/methods/encdiff.py`. A package outside adds its own
by the entry-point groups `unweave.methods` and `unweave.data`, each pointing to a module.
"""

from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from unweave.settings import nearest

LEARNERS = ("methods", "pretrain")
"""The families whose members are trained."""

INTERNAL = {"data": {"factors", "store", "open", "sampling", "views"}}
"""Files of a family's folder that are no member of the family."""


def names(family: str) -> list[str]:
    """Every name of a family, sorted; nothing is imported but the family's folder."""
    spec = find_spec(f"unweave.{family}")
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"there is no family {family!r}.")
    files = {path.stem for folder in spec.submodule_search_locations for path in Path(folder).glob("[a-z]*.py")}
    outside = {point.name for point in entry_points(group=f"unweave.{family}")}
    return sorted((files - INTERNAL.get(family, set())) | outside)


def learners() -> list[str]:
    """The names of all that can be trained: methods, and what they stand on."""
    return [name for family in LEARNERS for name in names(family)]


def learner(name: str) -> ModuleType:
    """The module of something that can be trained. Raises LookupError with the nearest name."""
    for family in LEARNERS:
        if name in names(family):
            return module(family, name)
    known = learners()
    raise LookupError(f"there is no method {name!r}.{nearest(name, known)} There is: {', '.join(known)}.")


def module(family: str, name: str) -> ModuleType:
    """The module of a name. Raises LookupError with the nearest name."""
    known = names(family)
    if name not in known:
        raise LookupError(f"there is no {name!r} in {family}.{nearest(name, known)} There is: {', '.join(known)}.")
    for point in entry_points(group=f"unweave.{family}"):
        if point.name == name:
            loaded = point.load()
            assert isinstance(loaded, ModuleType), f"the entry point {name!r} of unweave.{family} must be a module"
            return loaded
    return import_module(f"unweave.{family}.{name}")
