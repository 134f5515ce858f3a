"""From a name or a path to a data set."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from unweave import registry
from unweave.config import SettingsError, Table, merge, nearest, parse
from unweave.data import open as data_open
from unweave.data import views
from unweave.data.dataset import Card, Dataset

FROM_PATH = ("folder", "npz", "archive", "hdf5", "lmdb", "huggingface")  # data sets that are given as a path
ENDINGS = {
    ".npz": "npz",
    ".npy": "npz",
    ".zip": "archive",
    ".tar": "archive",
    ".tar.gz": "archive",
    ".tgz": "archive",
    ".tar.bz2": "archive",
    ".tbz2": "archive",
    ".tar.xz": "archive",
    ".txz": "archive",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".mdb": "lmdb",
}
PUBLISHED = {
    "3dshapes.h5": {"name": "shapes3d"},
    "3dshapes.npz": {"name": "shapes3d"},
    "mpi3d_toy.npz": {"name": "mpi3d", "kind": "toy"},
    "mpi3d_realistic.npz": {"name": "mpi3d", "kind": "realistic"},
    "mpi3d_real.npz": {"name": "mpi3d", "kind": "real"},
    "sim_toy_64x_ordered_without_heldout_factors.npz": {"name": "mpi3d", "kind": "toy"},
    "sim_realistic_64x_ordered_without_heldout_factors.npz": {"name": "mpi3d", "kind": "realistic"},
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz": {"name": "dsprites"},
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5": {"name": "dsprites"},
}
"""Files that are known by their names."""
WITHIN = {
    "data.mdb": "lmdb",
    "list_attr_celeba.txt": "celeba",
    "Anno/list_attr_celeba.txt": "celeba",
    "lfw_attributes.txt": "lfw",
    "state.json": "huggingface",
    "dataset_dict.json": "huggingface",
}
"""Files that tell what a folder is; any other is a folder of images."""
HUB = "hf://"
PATHS = f"a folder of images, {', '.join(ENDINGS)}, a folder with data.mdb or of Hugging Face's, {HUB}OWNER/NAME"


def table(text: str) -> Table:
    """The [data] settings for the name of a data set or for a path (see PATHS); published files are recognised.

    A name goes before a folder of that name (write ./rooms for the folder). Raises LookupError where it is neither.
    """
    known = [name for name in registry.names("data") if name not in FROM_PATH]
    if text in known:
        return {"name": text}
    if text.startswith(HUB):
        return {"name": "huggingface", "path": text.removeprefix(HUB)}
    path = Path(text).expanduser()
    if text and path.exists():
        return _at(path)
    if any(text.lower().endswith(ending) for ending in ENDINGS) or len(path.parts) > 1:
        raise LookupError(f"there is no file or folder {text!r}. Data sets by name: {', '.join(known)}.")
    raise LookupError(
        f"there is no data set {text!r}.{nearest(text, known)} There is: {', '.join(known)}. "
        f"A path is welcome too: {PATHS}."
    )


def _at(path: Path) -> Table:
    """The [data] settings for what lies at this path."""
    place = str(path.resolve())
    if path.is_dir():
        name = next((name for file, name in WITHIN.items() if (path / file).exists()), "folder")
        return {"name": name, "path": place}
    if path.name in PUBLISHED:
        return {**PUBLISHED[path.name], "path": place}
    reader = next((name for ending, name in ENDINGS.items() if path.name.lower().endswith(ending)), None)
    if reader is None:
        raise LookupError(f"{str(path)!r} is a file that is no data set; expected {PATHS}, or a name.")
    return {"name": reader, "path": place}


def known() -> dict[str, dict[str, str]]:
    """Every data set that has a name: its title, its licence, and whether it is on this machine."""
    found = {}
    for name in registry.names("data"):
        if name in FROM_PATH:
            continue
        module = registry.module("data", name)
        card: Card | None = vars(module).get("CARD")  # a third party's may have none
        found[name] = {
            "title": card.title if card else name,
            "here": _here(name, module) if "DOWNLOADS" in vars(module) else "built in",
            "licence": card.licence if card else "",
        }
    return found


def _here(name: str, module: ModuleType) -> str:
    try:
        module.files(module.Settings())
    except SettingsError:
        return f"no: `unweave data get {name}`" if any(file.urls for file in module.DOWNLOADS) else "no: by hand"
    except (ValueError, OSError) as error:
        return f"not whole: {error}"
    return "yes"


def build(table: Mapping[str, Any]) -> Dataset:
    """The data set of a [data] table, or the part of it that `view` chooses (see `views.Settings`).

    Raises SettingsError on bad settings, LookupError on an unknown name.
    """
    if "name" not in table:
        raise SettingsError(f"data.name is missing; there is: {', '.join(registry.names('data'))}.")
    module = registry.module("data", table["name"])
    view = views.settings_of(table["view"]) if "view" in table else views.Settings()
    rest = {key: value for key, value in table.items() if key not in ("name", "view")}
    dataset = module.build(parse(module.Settings, rest, "data", ("view",)))
    assert isinstance(dataset, Dataset), f"build of data set {table['name']!r} must give a Dataset"
    return views.viewed(dataset, view)


def open_data(what: str | Path | Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> Dataset:
    """A data set by name, by path, or by its [data] table; a set on disk is converted once and memory-mapped.

    `settings` are those of the data set, such as {"size": 32}. Raises LookupError for what is neither a name nor a
    path, TypeError for what is no text at all, SettingsError and ValueError for what cannot be used.
    """
    if not isinstance(what, str | Path | Mapping):
        raise TypeError(f"expected the name or the path of a data set, or its table, got {type(what).__name__}.")
    return data_open.build(merge(what if isinstance(what, Mapping) else data_open.table(str(what)), settings or {}))
