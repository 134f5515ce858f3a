"""From a name or a path to a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unweave import registry
from unweave.dataset import Dataset
from unweave.settings import SettingsError, Table, nearest, parse

FROM_PATH = ("folder", "npz")  # data sets that are given as a path
HINT = "A path to an .npz file or to a folder of images is welcome too."


def table(text: str) -> Table:
    """The [data] settings for the name of a data set, or for the path of an .npz file or a folder of images.

    A name goes before a folder of that name (write ./rooms for the folder). Raises LookupError where it is neither.
    """
    known = [name for name in registry.names("data") if name not in FROM_PATH]
    if text in known:
        return {"name": text}
    path = Path(text).expanduser()
    if text and path.is_dir():
        return {"name": "folder", "path": str(path.resolve())}
    if path.is_file() and path.suffix.lower() in (".npz", ".npy"):
        return {"name": "npz", "path": str(path.resolve())}
    if path.is_file():
        raise LookupError(f"{text!r} is a file, but not an .npz; expected an .npz file, a folder of images or a name.")
    if path.suffix.lower() == ".npz" or len(path.parts) > 1:
        raise LookupError(f"there is no file or folder {text!r}. Data sets by name: {', '.join(known)}.")
    raise LookupError(f"there is no data set {text!r}.{nearest(text, known)} There is: {', '.join(known)}. {HINT}")


def build(table: Mapping[str, Any]) -> Dataset:
    """The data set of a [data] table. Raises SettingsError on bad settings, LookupError on an unknown name."""
    if "name" not in table:
        raise SettingsError(f"data.name is missing; there is: {', '.join(registry.names('data'))}.")
    module = registry.module("data", table["name"])
    rest = {key: value for key, value in table.items() if key != "name"}
    dataset = module.build(parse(module.Settings, rest, "data"))
    assert isinstance(dataset, Dataset), f"build of data set {table['name']!r} must give a Dataset"
    return dataset
