"""The data set that a run is scored, encoded or looked at with: its own, another one, or a split of either."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from unweave.config import Table
from unweave.data import views
from unweave.data.dataset import Dataset, find_dataset
from unweave.data.open import dataset_settings, dataset_table, open_data
from unweave.data.settings import FileSettings, ViewSettings
from unweave.data.shaped import ShapedDataset, can_be_shaped
from unweave.runs import ledger
from unweave.runs.encoded_dataset import EncodedDataset
from unweave.runs.ledger import UnconfirmedError
from unweave.runs.run import Run
from unweave.runs.sharded_codes import is_codes, whole_codes
from unweave.types import Rows

logger = logging.getLogger(__name__)


def dataset_for(run: Run, data: str | Mapping[str, Any] | None, split: str | None = None) -> Dataset:
    """The run's own data set, or another one at its size; of either, the rows of a split, if one is named. A folder of
    sharded codes is the set that was encoded, with these codes.

    A split is of the full set: what the run's own view keeps, leaves out or correlates is not in force, so a run that
    was trained on `train` is scored on `test`, and on everything with `all`; `unseen` are the rows of its own data that
    its view leaves out. A random split has the seed of the run's view, 0 without one. Raises ValueError for another
    number of channels, for a split that there is not, and where the run's own data are those of a run from elsewhere
    that nobody has confirmed (`runs.ledger`).
    """
    if data is None:
        try:
            run.check_data()
        except UnconfirmedError as error:
            raise UnconfirmedError(f"{error}\nOr name the data to look at with --data.") from None
    if data is None and split is None:
        return run.dataset()
    if data is None:
        dataset = open_data(run.settings.data.model_copy(update={"view": None}))
    elif isinstance(data, str) and is_codes(Path(data)):
        if split is not None:
            raise ValueError(f"{data} holds codes, which have no split: leave --split out.")
        encoded = whole_codes(Path(data)).data
        ledger.check_data(Path(data), dict(dataset_settings(encoded)))
        return EncodedDataset(Path(data), open_as_read(run, encoded))
    else:
        dataset = open_as_read(run, table_as_read(run, data))
    if split == "unseen" and data is None:
        return views.select_unseen(dataset, view_settings(run))
    return dataset if split is None else views.select_split(dataset, split, view_settings(run).split_seed)


def table_as_read(run: Run, data: str | Mapping[str, Any]) -> Table:
    """The [data] table of another set, with which its pictures are read as the run's own were."""
    shape = run.shape()
    table = dict(data) if isinstance(data, Mapping) else dataset_table(data)
    square = {"size": shape[1]} if shape[1] == shape[2] else {}  # others are cut from the images as they are
    return {**_as_read(run, table), **table, **square}


def open_as_read(run: Run, table: Mapping[str, Any]) -> Dataset:
    """The data set of such a table, at the run's shape. Raises ValueError for another number of channels."""
    shape, dataset = run.shape(), open_data(table)
    if dataset.shape != shape and can_be_shaped(dataset.shape, shape):
        dataset = ShapedDataset(dataset, shape)
    if dataset.shape != shape:
        raise ValueError(
            f"{run.path} was trained on images of shape {shape} (channels, height, width), {dataset.name} has "
            f"{dataset.shape}: convert them to the same number of channels first."
        )
    aside = run.settings.data.aside
    if aside is not None and "aside" not in table:
        logger.warning(
            "%s was trained on pictures that were corrected by %s (data.aside), and those of %s are read as they are: "
            "what their brightness and contrast differ in is seen by the units", run.path, aside, dataset.name,
        )  # fmt: skip
    _log_once(f"{dataset.name} is read at {shape[1]} x {shape[2]} pixels (height, width), as the run's own images were")
    return dataset


def _as_read(run: Run, table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by which pictures of another set are read as the run's own were."""
    reading, other = run.reading(), find_dataset(str(table["name"])).settings
    if reading is None:
        return {}
    settings = reading.model_dump()
    if reading.bytes_as_stored:
        settings = {"channels": reading.channels, "fit": reading.fit} if issubclass(other, FileSettings) else {}
    settings["patch"] = run.tables.get("data", {}).get("patch")
    return {key: value for key, value in settings.items() if key in other.model_fields}


@lru_cache
def _log_once(text: str) -> None:
    logger.info(text)


def view_settings(run: Run) -> ViewSettings:
    """The part of its data set that a run was trained on."""
    return run.settings.data.view or ViewSettings()


def describe_part(run: Run, dataset: Dataset, rows: Rows, split: str | None, *, own: bool) -> dict[str, Any]:
    """What part of a data set these rows are: nothing to say where the run was trained on all of it and so are they.

    `split` and its `split_seed` (None for a publishers' split); for the run's own data also `in_training`, the number
    of these rows that are in its training set, and `part`, which says so in words.
    """
    part: dict[str, Any] = {}
    view, whole = view_settings(run), views.base_dataset(dataset)
    if split is not None:
        part = {"split": split, "split_seed": None if whole.splits or split in ("all", "unseen") else view.split_seed}
    if own and (split is not None or run.settings.data.view is not None):
        trained = views.apply_view(whole, view)
        trained_rows = views.base_rows(trained, np.arange(len(trained)))
        count = int(np.isin(views.base_rows(dataset, rows), trained_rows).sum())
        share = {0: "none", len(rows): "all"}.get(count, f"{count:,}")
        hint = "; --split test scores others" if split is None and view.split == "train" else ""
        part["in_training"] = count
        part["part"] = f"{dataset.name}: of the {len(rows):,} rows scored, {share} are in the run's training set{hint}"
    return part
