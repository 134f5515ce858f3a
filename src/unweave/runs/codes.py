"""Images -> codes: of tensors, of rows of a data set, and of a run, whose code tables are kept on disk."""

import hashlib
import json
import logging
import shlex
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from unweave import progress
from unweave.data import views
from unweave.data.cache import cache
from unweave.data.dataset import Dataset
from unweave.files import temporary_path
from unweave.method import Generative, Method, evaluating
from unweave.runs import ledger
from unweave.runs.data import dataset_for
from unweave.runs.encoded_dataset import EncodedDataset
from unweave.runs.images import ImageNames, list_images, read_images
from unweave.runs.run import Run
from unweave.tensors import Images, Units, to_images
from unweave.types import Pixels, Rows, Weights, check_finite, check_weights

logger = logging.getLogger("unweave")


def encode(
    run: Run | str | Path,
    images: str | Path | ImageNames | None = None,
    *,
    split: str | None = None,
    weights: Weights = "averaged",
) -> dict[str, np.ndarray]:
    """Codes of a data set, a folder or an .npz (the run's own data unless given), of its `split`, or of single images.

    The arrays of codes.npz: `codes` [rows, unit, dim] in float32 and `rows`, the row number of each in the full data
    set; `files` where images are files (their names; of single ones their paths, where two have one name), `boxes`
    (left, top, right, bottom in pixels) where they are tiles of files, and `factors` where they are known.
    Splits: `runs.data.dataset_for`.
    """
    run = run if isinstance(run, Run) else Run(run)
    method = run.method(weights)
    if images is not None and not isinstance(images, str | Path):
        if split is not None:
            raise ValueError(f"split={split!r} is of a data set, and single images were given: leave it out.")
        listed = list_images(images)
        named = read_images(run, listed)
        files = named.labels if len(set(named.labels)) == len(listed) else list(map(str, listed))
        with evaluating(method):
            units = method.encode(named.images).float().cpu().numpy()
        return {"codes": units, "rows": np.arange(len(units)), "files": np.array(files)}
    if images is None:
        run.check_data()
    dataset = dataset_for(run, None if images is None else str(images), split)
    rows = np.arange(len(dataset))
    arrays: dict[str, Any] = {"codes": encode_rows(method, dataset, rows), "rows": views.base_rows(dataset, rows)}
    factors = dataset.factors(rows)
    if dataset.files:
        arrays["files"] = np.array(dataset.files)
    if dataset.boxes is not None:
        arrays["boxes"] = dataset.boxes
    if factors is not None:
        arrays |= {"factors": factors, "factor_names": np.array(dataset.factor_names)}
    return arrays


def encode_rows(method: Method, dataset: Dataset, rows: Rows, batch: int = 250) -> Float[np.ndarray, "rows unit dim"]:
    """The codes of the images at these rows, in float32, on the device of the method's parameters.

    The method encodes in eval mode; afterwards every sub-module is in the mode it was in. Raises ValueError where there
    are no rows or codes are not finite.
    """
    if not len(rows):
        raise ValueError("there are no rows to encode.")
    parts = []
    with progress.task("encoding", len(rows), "images") as task:
        for start in range(0, len(rows), batch):
            parts.append(encode_pixels(method, dataset.images(rows[start : start + batch]), batch))
            task.update(min(start + batch, len(rows)))
    return np.concatenate(parts)


def codes_at(run: Run, method: Method, dataset: Dataset, rows: Rows) -> Float[np.ndarray, "rows unit dim"]:
    """The codes of these rows by the run's method with its averaged weights; stored ones, where the set is encoded."""
    stored = isinstance(dataset, EncodedDataset)
    return code_table(run, dataset, rows, 0, "averaged") if stored else encode_rows(method, dataset, rows)


def encode_pixels(method: Method, pixels: Pixels, batch: int = 250) -> Float[np.ndarray, "rows unit dim"]:
    """The codes of these images, in float32, as `encode_rows` gives them."""
    device = next((tensor.device for tensor in _tensors(method)), torch.device("cpu"))
    parts = []
    with evaluating(method):
        for start in range(0, len(pixels), batch):
            units = method.encode(to_images(pixels[start : start + batch], device))
            parts.append(units.float().cpu().numpy())
    codes = np.concatenate(parts)
    check_finite(codes, "codes of this method")
    return codes


def encode_images(method: Method, images: Images, batch: int) -> Units:
    """The units of images, at most `batch` of them at a time; the caller sees to eval mode."""
    return torch.cat([method.encode(chunk) for chunk in images.split(check_batch(batch))])


def code_table(run: Run, dataset: Dataset, rows: Rows, seed: int, weights: Weights) -> np.ndarray:
    """The codes [rows, unit, dim] of these rows (see `sample_rows`), encoded once and kept in `table_folder`.

    Those of a data set that is encoded already are read. Raises ValueError where they are of other weights.
    """
    check_weights(weights)
    if isinstance(dataset, EncodedDataset):
        stored = dataset.about
        if (stored.run, stored.weights) != (run.digest(), weights):
            data = str(stored.data.get("path") or stored.data["name"])
            words = ["encode", str(run.path), data, "--backend", "ray", "--weights", weights, "-o", f"codes-{weights}"]
            raise ValueError(
                f"{dataset.folder} holds {stored.weights} codes of the weights {stored.run}, and {weights} ones of "
                f"{run.digest()} are asked for. They are made by: unweave {shlex.join(words)}"
            )
        return dataset.codes(rows)
    key = table_key(f"{run.digest()}-{weights}", dataset.digest(), len(rows), seed)
    return stored_table(table_folder(run), key, lambda: encode_rows(run.method(weights), dataset, rows), len(rows))


def table_folder(run: Run) -> Path:
    """Where code tables of a run are kept: its codes/, or for a run that was not trained here a folder of the cache.

    Codes that somebody sends along with a run are so not believed. That folder is named by a digest of settings and
    weights.
    """
    if ledger.is_trained_here(run.path):
        return run.path / "codes"
    content = (run.path / "settings.toml").read_bytes() + json.dumps(run.state()["sha256"], sort_keys=True).encode()
    return cache.root() / "codes" / hashlib.sha256(content).hexdigest()[:16]


def table_key(weights: str, data: str, rows: int, seed: int) -> str:
    """16 hexadecimal digits that name a code table: a digest of the digests of weights and data, and of the rows."""
    return hashlib.sha256(f"weights={weights} data={data} rows={rows} seed={seed}".encode()).hexdigest()[:16]


def stored_table(
    folder: Path, key: str, compute: Callable[[], Float[np.ndarray, "rows unit dim"]], rows: int | None = None
) -> Float[np.ndarray, "rows unit dim"]:
    """The table stored as `codes-<key>.npz` in this folder, computed and stored where it is absent, damaged or of
    another number of rows than is asked for.

    The file appears whole or not at all, so processes may share a folder.
    """
    path = folder / f"codes-{key}.npz"
    stored = _read(path)
    if stored is not None and rows in (None, len(stored)):
        return stored
    computed = compute()
    try:
        with temporary_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, codes=computed)
    except OSError as error:
        logger.warning("codes are not kept for the next time: %s", error)
    return computed


def check_generative(method: Method, run: Run | None = None) -> Generative:
    """The method (of this run), now known to have a decoder. Raises TypeError when it has none."""
    if not isinstance(method, Generative):
        raise TypeError(f"{type(method).__name__} has no decoder, so it cannot edit; {how_to_decode(run)}.")
    return method


def how_to_decode(run: Run | None) -> str:
    """What draws the codes of a run without a decoder."""
    if run is None:
        words = ["data=DATA", "foundation.encoder.from=RUN"]
    else:
        data = run.settings.data.model_dump()
        size = [f"data.size={data['size']}"] if data.get("size") else []
        words = [f"data={data.get('path') or data['name']}", *size, f"foundation.encoder.from={run.path}"]
    return f"`unweave train pdae {shlex.join(words)}` trains one on its codes"


def check_batch(batch: int) -> int:
    """The number of images at a time. Raises ValueError below 1."""
    if batch < 1:
        raise ValueError(f"batch must be at least 1 image, got {batch}.")
    return batch


def _read(path: Path) -> Float[np.ndarray, "rows unit dim"] | None:
    """The stored table, or None where there is none that can be read (the zip format has a checksum)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            table = stored["codes"]
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile):
        return None
    return table if table.ndim == 3 and np.issubdtype(table.dtype, np.floating) else None


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()
