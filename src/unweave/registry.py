"""The registry is the file system: a family is one or two folders, a name is a file in them.

`name = "encdiff"` in a settings file is `unweave/methods/encdiff.py`. A package outside adds its own by the entry-point
groups `unweave.methods`, `unweave.data` and `unweave.demos`, each pointing to a module. Files that begin with an
underscore are shared by members of the family and are none themselves. What is installed is read once for each
`sys.path`, as it takes longer than all else here.
"""

import ast
import sys
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from unweave.config import nearest

FAMILIES = {
    "methods": ("unweave.methods",),
    "pretraining": ("unweave.models.pretraining",),
    "data": ("unweave.data.sets", "unweave.data.formats"),
    "demos": ("unweave.demos",),
}
"""The packages in which the members of each family lie."""

TRAINED = ("methods", "pretraining")
"""The families whose members are trained."""


def names(family: str) -> list[str]:
    """Every name of a family, sorted; nothing is imported but the family's packages."""
    if family not in FAMILIES:
        raise LookupError(f"there is no family {family!r}; there is: {', '.join(FAMILIES)}.")
    return sorted({*_files(family), *(point.name for point in points_outside(family))})


def trainable_names() -> list[str]:
    """The names of all that can be trained: methods, and the networks that they stand on."""
    return [name for family in TRAINED for name in names(family)]


def trainable(name: str) -> ModuleType:
    """The module of something that can be trained. Raises LookupError with the nearest name."""
    for family in TRAINED:
        if name in names(family):
            return module(family, name)
    known = trainable_names()
    raise LookupError(f"there is no method {name!r}.{nearest(name, known)} There is: {', '.join(known)}.")


def module(family: str, name: str) -> ModuleType:
    """The module of a name. Raises LookupError with the nearest name."""
    _check_known(family, name)
    for point in points_outside(family):
        if point.name == name:
            loaded = point.load()
            assert isinstance(loaded, ModuleType), f"the entry point {name!r} of unweave.{family} must be a module"
            return loaded
    return import_module(_files(family)[name])


def summary(family: str, name: str) -> str:
    """The first paragraph of the docstring of a name's module, as one line; the module is not imported.

    Raises LookupError with the nearest name.
    """
    docstring = ast.get_docstring(ast.parse(source_file(family, name).read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def source_file(family: str, name: str) -> Path:
    """The file of a name's module, which is not imported. Raises LookupError with the nearest name."""
    _check_known(family, name)
    outside = {point.name: point.value for point in points_outside(family)}
    spec = find_spec(outside.get(name) or _files(family)[name])
    assert spec is not None, f"{name} is not installed"
    assert spec.origin is not None, f"{name} is no file"
    return Path(spec.origin)


def points_outside(family: str) -> tuple[EntryPoint, ...]:
    """The entry points by which installed packages add to a family."""
    return _installed(f"unweave.{family}", tuple(sys.path))


@lru_cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


def _check_known(family: str, name: str) -> None:
    known = names(family)
    if name not in known:
        raise LookupError(f"there is no {name!r} in {family}.{nearest(name, known)} There is: {', '.join(known)}.")


def _files(family: str) -> dict[str, str]:
    """The dotted path of every member that is a file of ours, by its name."""
    found: dict[str, str] = {}
    for package in FAMILIES[family]:
        spec = find_spec(package)
        assert spec is not None, f"{package} is not installed"
        for folder in spec.submodule_search_locations or []:
            found |= {path.stem: f"{package}.{path.stem}" for path in Path(folder).glob("[a-z]*.py")}
    return found
