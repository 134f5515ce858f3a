"""From a name or a path to a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unweave import registry
from unweave.config import SettingsError, Table, merge, nearest, parse
from unweave.data.corrected import correct_by
from unweave.data.dataset import Dataset, DatasetDefinition, find_dataset
from unweave.data.reading.shards import is_sharded
from unweave.data.settings import DatasetSettings, ViewSettings
from unweave.data.views import apply_view

PATH_FORMATS = (
    "folder",
    "npz",
    "archive",
    "hdf5",
    "zarr",
    "lmdb",
    "huggingface",
    "shards",
)  # data sets that are given as a path
FORMAT_BY_ENDING = {
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
PUBLISHED_FILES = {
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
"""The [data] settings, but for the path, of published files that are known by their names."""
FORMAT_BY_FILE_INSIDE = {
    "data.mdb": "lmdb",
    "list_attr_celeba.txt": "celeba",
    "Anno/list_attr_celeba.txt": "celeba",
    "lfw_attributes.txt": "lfw",
    "state.json": "huggingface",
    "dataset_dict.json": "huggingface",
    "zarr.json": "zarr",
    ".zgroup": "zarr",
    ".zarray": "zarr",
}
"""Files that tell what a folder is; any other is a folder of images."""
HUB_PREFIX = "hf://"
ACCEPTED_PATHS = (
    f"a folder of images or of shards (.tar, .parquet), {', '.join(FORMAT_BY_ENDING)}, a folder with data.mdb, of "
    "zarr's or of Hugging Face's, "
    f"{HUB_PREFIX}OWNER/NAME"
)


def open_data(
    what: DatasetSettings | str | Path | Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> Dataset:
    """A data set by its settings, by name, by path, or by its [data] table; one on disk is converted once and
    memory-mapped.

    `settings` are those of the data set, such as {"size": 32}; `aside` takes a factor out of the pictures (see
    `data.aside`), and `view` chooses a part of it (see `ViewSettings`). Raises
    LookupError for what is neither a name nor a path, TypeError for what is no text at all, SettingsError and
    ValueError for what cannot be used.
    """
    if not isinstance(what, DatasetSettings):
        if not isinstance(what, str | Path | Mapping):
            raise TypeError(f"expected the name or the path of a data set, or its table, got {type(what).__name__}.")
        what = dataset_settings(merge(what if isinstance(what, Mapping) else dataset_table(str(what)), settings or {}))
    dataset = find_dataset(what.name).build(what)
    assert isinstance(dataset, Dataset), f"build of data set {what.name!r} must give a Dataset"
    if what.aside is not None:
        check_view(what.aside, what.view)
        dataset = correct_by(dataset, what.aside)
    return dataset if what.view is None else apply_view(dataset, what.view)


def check_view(aside: str, view: ViewSettings | None) -> None:
    """Raises SettingsError for a view that chooses rows by the factor that is set aside."""
    together = () if view is None or view.correlate is None else view.correlate.factors
    if view is not None and aside in {*view.keep, *view.leave_out, *together}:
        raise SettingsError(
            f"data.view chooses rows by {aside}, which data.aside takes out of the set: do one of both."
        )


def dataset_settings(table: Mapping[str, Any]) -> DatasetSettings:
    """A [data] table as the settings of that data set. Raises SettingsError that names every bad key."""
    if "name" not in table:
        raise SettingsError(f"data.name is missing; there is: {', '.join(registry.names('data'))}.")
    if not isinstance(table.get("view", {}), Mapping | ViewSettings):
        raise SettingsError(f"data.view must be a table, as by data.view.split=train, got {table['view']!r}.")
    return parse(find_dataset(str(table["name"])).settings, table, "data")


def dataset_table(text: str) -> Table:
    """The [data] table for the name of a data set or for a path (see ACCEPTED_PATHS); published files are recognised.

    A name goes before a folder of that name (write ./rooms for the folder). Raises LookupError where it is neither.
    """
    known = [name for name in registry.names("data") if name not in PATH_FORMATS]
    if text in known:
        return {"name": text}
    if text.startswith(HUB_PREFIX):
        return {"name": "huggingface", "path": text.removeprefix(HUB_PREFIX)}
    path = Path(text).expanduser()
    if text and path.exists():
        return _path_table(path)
    if any(text.lower().endswith(ending) for ending in FORMAT_BY_ENDING) or len(path.parts) > 1:
        raise LookupError(f"there is no file or folder {text!r}. Data sets by name: {', '.join(known)}.")
    raise LookupError(
        f"there is no data set {text!r}.{nearest(text, known)} There is: {', '.join(known)}. "
        f"A path is welcome too: {ACCEPTED_PATHS}."
    )


def _path_table(path: Path) -> Table:
    """The [data] table for what lies at this path."""
    resolved = str(path.resolve())
    if path.is_dir():
        other = "shards" if is_sharded(path) else "folder"
        name = next((name for file, name in FORMAT_BY_FILE_INSIDE.items() if (path / file).exists()), other)
        return {"name": name, "path": resolved}
    if path.name in PUBLISHED_FILES:
        return {**PUBLISHED_FILES[path.name], "path": resolved}
    reader = next((name for ending, name in FORMAT_BY_ENDING.items() if path.name.lower().endswith(ending)), None)
    if reader is None:
        raise LookupError(f"{str(path)!r} is a file that is no data set; expected {ACCEPTED_PATHS}, or a name.")
    return {"name": reader, "path": resolved}


def list_datasets() -> dict[str, dict[str, str]]:
    """Every data set that has a name: its title, its licence, and whether it is on this machine."""
    datasets = {}
    for name in registry.names("data"):
        if name in PATH_FORMATS:
            continue
        dataset = find_dataset(name)
        datasets[name] = {
            "title": dataset.card.title if dataset.card else name,
            "here": _availability(name, dataset) if dataset.downloads else "built in",
            "licence": dataset.card.licence if dataset.card else "",
        }
    return datasets


def _availability(name: str, dataset: DatasetDefinition) -> str:
    try:
        dataset.files(dataset.settings(name=name))
    except SettingsError:
        return f"no: `unweave data get {name}`" if any(file.urls for file in dataset.downloads) else "no: by hand"
    except (ValueError, OSError) as error:
        return f"not whole: {error}"
    return "yes"
