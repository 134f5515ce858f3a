"""huggingface: a folder that `datasets` wrote with save_to_disk, or a data set of the Hugging Face Hub, as RGB squares.

Of a data set, only one column of images and whole-numbered or worded columns are read. No code of a data set is run.

Rows are the data set's own. An image that cannot be read is named in a warning and left out.

A data set of the Hub is downloaded first where it is not there yet. `build` raises SettingsError for a folder, split or
column that is not there, ValueError where the content cannot be had or used.
"""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from unweave.config import SettingsError, nearest
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.reading import labels
from unweave.data.reading.image_files import MAX_FILE_BYTES, decode_image
from unweave.data.reading.image_source import ImageBlock, ImageSource, Labels, read_one_by_one
from unweave.data.settings import DatasetSettings
from unweave.foreign import Kinds, errors_as, load

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class HuggingFaceSettings(DatasetSettings):
    name: Literal["huggingface"] = "huggingface"
    path: str | Path = Field(description="a folder written by save_to_disk, or OWNER/NAME of a data set on the Hub")
    split: str | None = Field(default=None, description="train if not set, or the only one of a folder")
    subset: str | None = Field(default=None, description="the configuration of a data set on the Hub that has several")
    revision: str | None = Field(default=None, description="branch, tag or commit on the Hub; the newest if not set")
    column: str | None = Field(default=None, description="the column of the images; the only one if not set")
    factors: tuple[str, ...] | None = Field(
        default=None, description="the columns that are factors; if not set, every column of classes without gaps"
    )
    size: int = Field(default=64, ge=8, le=4096, description="pixels; the middle square of each image is resized to it")


def files(settings: HuggingFaceSettings) -> list[Path]:
    if not _is_folder(settings):
        return [Path(file["filename"]) for file in _load_from_hub(settings).cache_files]
    path = Path(settings.path).expanduser()
    folder, splits = _find_split(settings)
    others = [path / split for split in splits if path / split != folder]
    present = [file for file in path.rglob("*") if file.is_file() and not file.match("cache-*.arrow")]
    return sorted(
        file
        for file in present
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
        and not any(file.is_relative_to(other) for other in others)
    )


def source(settings: HuggingFaceSettings) -> ImageSource:
    is_folder, where = _is_folder(settings), str(settings.path)
    dataset = _load_from_disk(settings) if is_folder else _load_from_hub(settings)
    roots = [Path(settings.path).expanduser().resolve()] if is_folder else _download_folders()
    column = _image_column(dataset, settings.column, where)
    rows, size = dataset.select_columns([column]).with_format("arrow"), (settings.size, settings.size)

    def read(start: int, stop: int) -> ImageBlock:
        cells = _checked_cells(rows, start, stop, where)
        return read_one_by_one(
            start, stop, (*size, 3),
            lambda row: decode_image(_image_content(cells[row - start], roots), size, 3),
            lambda row: f"{where}: row {row}",
        )  # fmt: skip

    return ImageSource(
        name=Path(settings.path).name,
        card=_dataset_card(dataset, settings, is_folder),
        shape=(3, *size),
        count=len(rows),
        read=read,
        labels=_read_factors(dataset, settings.factors, column, where),
    )


def _checked_cells(rows: Any, start: int, stop: int, where: str) -> Any:
    """Cells of a data set of one column, checked: Arrow follows offsets in a file blindly. Raises ValueError."""
    damaged = f"{where} is damaged at rows {start}..{stop - 1}"
    with _explained(lambda reason: f"{damaged}: {reason}", but=(ImportError, PermissionError, MemoryError)):
        cells = rows[start:stop].column(0)
        cells.validate(full=True)
    if len(cells) != stop - start:
        raise ValueError(f"{where} is damaged: it has {len(cells)} rows where it announces {stop - start}.")
    return cells


def _explained(
    explain: Callable[[str], str], kinds: Kinds = Exception, but: Kinds = ()
) -> AbstractContextManager[None]:
    """Errors of the libraries, of any kind, as a ValueError; `explain` is given their first line."""

    def value_error(error: BaseException) -> ValueError:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return ValueError(explain((lines[0] if lines else type(error).__name__).rstrip(".")))

    return errors_as(kinds, value_error, but)


def _import_datasets() -> Any:
    return load("datasets", "reading Hugging Face data sets needs", "data")


def _is_folder(settings: HuggingFaceSettings) -> bool:
    """Whether the path is a folder. Raises SettingsError where it is neither that nor a name on the Hub."""
    path = Path(settings.path).expanduser()
    if path.is_dir():
        return True
    if path.exists() or not HUB_NAME.fullmatch(str(settings.path)) or ".." in str(settings.path):
        problem = "is a file" if path.exists() else "does not exist"
        raise SettingsError(
            f"data.path: {path} {problem}; expected a folder written by datasets' save_to_disk, or OWNER/NAME on the "
            "Hub."
        )
    return False


def _find_split(settings: HuggingFaceSettings) -> tuple[Path, list[str]]:
    """The folder of the split, and all splits. Raises SettingsError where there is none."""
    path = Path(settings.path).expanduser()
    for name, value in (("revision", settings.revision), ("subset", settings.subset)):
        if value is not None:
            raise SettingsError(f"data.{name} is for data sets on the Hub, and {path} is a folder: leave it out.")
    if (path / "dataset_dict.json").is_file():
        splits = _read_names(path / "dataset_dict.json", lambda table: table["splits"])
        split = settings.split or ("train" if "train" in splits else splits[0] if len(splits) == 1 else "")
        if split not in splits:
            problem = f"there is no {split!r}.{nearest(split, splits)}" if split else "say which."
            raise SettingsError(f"data.split: {problem} {path} has: {', '.join(splits)}.")
        folder = path / split
    elif (path / "state.json").is_file():
        splits, folder = [], path
        if settings.split is not None:
            raise SettingsError(f"data.split: {path} has no splits: leave it out.")
    else:
        raise SettingsError(
            f"data.path: {path} has no state.json or dataset_dict.json: it was not written by datasets' save_to_disk. "
            "A folder of image files is data.name=folder."
        )
    for name in _read_names(folder / "state.json", lambda table: [file["filename"] for file in table["_data_files"]]):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder} is not whole: there is no {name}, which state.json names. Save or copy it anew."
            )
    return folder, splits


def _read_names(path: Path, select: Callable[[Any], list[str]]) -> list[str]:
    """Names of files beside this JSON file. Raises ValueError where it is damaged, or they lead elsewhere."""
    kinds = (OSError, ValueError, LookupError, TypeError, RecursionError)
    remedy = "Save or copy the data set anew."
    with _explained(lambda reason: f"{path} cannot be read: {reason}. {remedy}", kinds, but=PermissionError):
        names = select(json.loads(path.read_text(encoding="utf-8")))
        plain = all(Path(name).name == name and name != ".." for name in names)
    if not plain or not names:
        raise ValueError(f"{path} names files in other folders, or none, and is not read: {', '.join(names)}.")
    return names


def _load_from_disk(settings: HuggingFaceSettings) -> Any:
    folder, datasets = _find_split(settings)[0], _import_datasets()
    damaged = f"{folder} cannot be loaded as a data set; it is probably damaged"
    with _explained(lambda reason: f"{damaged}: {reason}. Save or copy it anew.", but=(PermissionError, MemoryError)):
        return datasets.load_from_disk(str(folder.resolve()), keep_in_memory=False)


def _load_from_hub(settings: HuggingFaceSettings) -> Any:
    name, datasets = str(settings.path), _import_datasets()
    with _explained(
        lambda reason: (
            f"{name} is no folder here, and cannot be had from the Hugging Face Hub: {reason}. "
            "Check the name, data.split, data.subset and the connection; without one, run "
            "datasets.load_dataset(...).save_to_disk(FOLDER) on a machine that has it, and give the folder."
        )
    ):
        dataset = datasets.load_dataset(
            name, settings.subset, split=settings.split or "train", revision=settings.revision
        )
    if not dataset.cache_files:
        raise ValueError(f"{name} was not stored on disk; save it with save_to_disk(FOLDER), and give the folder.")
    return dataset


def _download_folders() -> list[Path]:
    """The folders that hold what was downloaded from the Hub."""
    import huggingface_hub

    folders = [huggingface_hub.constants.HF_HUB_CACHE, _import_datasets().config.HF_DATASETS_CACHE]
    return [Path(folder).expanduser().resolve() for folder in folders]


def _image_column(dataset: Any, name: str | None, where: str) -> str:
    """The column of the images. Raises SettingsError where there is none, or several, or it holds something else."""
    datasets, features = _import_datasets(), dataset.features
    columns = f"{where} has: {', '.join(f'{key} ({_format_feature(feature)})' for key, feature in features.items())}."
    images = [key for key, feature in features.items() if isinstance(feature, datasets.Image)]
    if name is None:
        if len(images) != 1:
            raise SettingsError(
                f"data.column: {len(images) or 'no'} columns hold images{': say which' if images else ''}. {columns}"
            )
        return images[0]
    if name not in features:
        raise SettingsError(f"data.column: there is no {name!r}.{nearest(name, features)} {columns}")
    if name not in images and _format_feature(features[name]) not in ("binary", "large_binary"):
        raise SettingsError(f"data.column: {name!r} holds no image files. {columns}")
    return name


def _format_feature(feature: Any) -> str:
    return str(feature.dtype) if isinstance(feature, _import_datasets().Value) else type(feature).__name__


def _image_content(entry: Any, roots: Sequence[Path]) -> bytes | Path:
    """The image file in one cell: its bytes, or where it lies. Raises ValueError where it is empty or elsewhere."""
    fields = entry if "struct" in str(entry.type) else {"bytes": entry, "path": None}
    data, path = fields["bytes"], fields["path"]
    buffer = data.as_buffer() if data.is_valid else None
    if buffer is not None and buffer.size > MAX_FILE_BYTES:
        raise ValueError(f"it has {buffer.size:,} bytes, more than {MAX_FILE_BYTES:,}")
    if buffer is not None:
        return buffer.to_pybytes()
    name = path.as_py() if path is not None else None
    if not name:
        raise ValueError("it is empty")
    kinds = (OSError, RuntimeError)  # of names that are too long, links in a circle
    with _explained(lambda reason: f"it is the file {name[:99]!r}: {reason}", kinds):
        file = (roots[0] / name).resolve()
        inside, exists = any(file.is_relative_to(root) for root in roots), file.is_file()
    if not inside:
        raise ValueError(f"it is the file {name!r}, which is not in the data set's folder and is not read")
    if not exists:
        raise ValueError(f"it is the file {name!r}, which is not there")
    return file


def _read_factors(dataset: Any, names: Sequence[str] | None, column: str, where: str) -> Labels | None:
    """The columns that are factors. Raises SettingsError for one that is not there or cannot be classes."""
    datasets, features = _import_datasets(), dataset.features
    others = [name for name in features if name != column]
    classes = [name for name in others if isinstance(features[name], datasets.ClassLabel)]
    factors = classes if names is None else names
    for name in factors:
        if name not in others:
            raise SettingsError(
                f"data.factors: {where} has no {name!r}.{nearest(name, others)} It has: {', '.join(others)}."
            )
        if not isinstance(features[name], datasets.ClassLabel) and not re.match(
            "u?int|bool|string|large_string|float", _format_feature(features[name])
        ):
            raise SettingsError(
                f"data.factors: {name!r} is {_format_feature(features[name])}; expected classes, integers or words."
            )
    columns = {}
    for name in factors:
        values = _checked_cells(dataset.select_columns([name]).with_format("arrow"), 0, len(dataset), where)
        gaps = values.null_count or (
            isinstance(features[name], datasets.ClassLabel) and -1 in values.unique().to_pylist()
        )
        if gaps and names is None:
            continue  # -1 is what publishers write where a class is kept secret
        if gaps:
            raise ValueError(f"data.factors: {name!r} of {where} has rows without a class: leave it out.")
        columns[name] = np.array(values.to_pylist())
    return labels.from_columns(columns, where) if columns else None


def _dataset_card(dataset: Any, settings: HuggingFaceSettings, is_folder: bool) -> Card:
    info, name = dataset.info, Path(settings.path).name
    return Card(
        title=name,
        source=name if is_folder else f"https://huggingface.co/datasets/{settings.path}",
        licence=str(info.license or "") or "unknown to unweave: see where the data set comes from",
        citation=str(info.citation or ""),
        notes=str(info.description or "")[:1000],
    )


DATASET = DatasetDefinition(version=2, settings=HuggingFaceSettings, build=build, files=files, source=source)
