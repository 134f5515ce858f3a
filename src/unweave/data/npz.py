"""npz: any .npz with `images`, and where factors are known `factors` and `factor_names`.

`images` is uint8 [N, H, W, C] with one or three channels, or [N, H, W] grey; `factors` is [N, F]
integers of any values; `factor_names` is [F] strings. Other arrays in the file are not read.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import Field

from unweave.data.store import Labels, Stored
from unweave.dataset import Card
from unweave.settings import Frozen, SettingsError
from unweave.tables import Pixels

ARRAYS = ("images", "factors", "factor_names")
MAKE = "np.savez(path, images=images), where images is uint8 [N, H, W, C]"


class Settings(Frozen):
    path: Path
    size: int | None = Field(default=None, ge=8)  # pixels; the middle square is resized to it. None: as stored


def build(settings: Settings) -> Stored:
    """Raises SettingsError where there is no such file, ValueError where its content cannot be used."""
    path = settings.path.expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise SettingsError(f"data.path: {path} {what}; expected an .npz file.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array (.npy)")
        with loaded as file:
            arrays: dict[str, np.ndarray] = {key: file[key] for key in ARRAYS if key in file.files}
            known = file.files
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, NotImplementedError) as error:
        why = "it holds pickled objects" if "pickle" in str(error) and zipfile.is_zipfile(path) else str(error)
        raise ValueError(f"{path} cannot be read as .npz, or is cut short: {why}. Make it with {MAKE}.") from error
    if "images" not in arrays:
        raise ValueError(f"{path} has no `images`, only {', '.join(known) or 'nothing'}. Make it with {MAKE}.")
    pixels = _pixels(arrays["images"], path)
    card = Card(title=path.stem, source=path.name, licence="unknown to unweave: see where the file comes from")
    return Stored(path.stem, pixels, _labels(arrays, len(pixels), path), card, settings.size)


def _pixels(images: np.ndarray, path: Path) -> Pixels:
    where = f"images in {path}"
    if images.ndim not in (3, 4):
        raise ValueError(f"{where} must be [N, H, W, C] or [N, H, W], got shape {list(images.shape)}.")
    if images.size == 0:
        raise ValueError(f"{where} hold no image: their shape is {list(images.shape)}.")
    if images.dtype != np.uint8:
        raise ValueError(f"{where} must be uint8 (0..255), {_remedy(images)}.")
    if images.max() == 1:
        raise ValueError(f"{where} hold only 0 and 1 and would look black; store images * 255.")
    pixels = images if images.ndim == 4 else images[..., None]
    channels = pixels.shape[3]
    if channels == 4:
        raise ValueError(f"{where} have 4 channels, the last is probably alpha; store images[..., :3].")
    if channels not in (1, 3):
        first = "; they look channels-first: store images.transpose(0, 2, 3, 1)" if pixels.shape[1] in (1, 3) else ""
        raise ValueError(f"{where} must have 1 or 3 channels last, got shape {list(images.shape)}{first}.")
    return pixels


def _remedy(images: np.ndarray) -> str:
    """What was got in place of uint8, and how to convert it."""
    if images.dtype == bool:
        return "got bool; store images.astype(np.uint8) * 255"
    if np.issubdtype(images.dtype, np.floating):
        bad = ~np.isfinite(images.reshape(len(images), -1)).all(axis=1)
        if bad.any():
            return f"got {images.dtype} with NaN or infinite pixels in {bad.sum()} images (the first is {bad.argmax()})"
        low, high = images.min(), images.max()
        range_ = f"got {images.dtype} in [{low:g}, {high:g}]"
        if low >= 0 and high <= 1:
            return f"{range_}; store (images * 255).round().astype(np.uint8)"
        if low >= -1 and high <= 1:
            return f"{range_}; store ((images + 1) * 127.5).round().astype(np.uint8)"
        return f"{range_}; scale them to 0..255, then .round().astype(np.uint8)"
    if np.issubdtype(images.dtype, np.integer) and images.min() >= 0 and images.max() <= 255:
        return f"got {images.dtype}; store images.astype(np.uint8)"
    return f"got {images.dtype}; scale them to 0..255, then .astype(np.uint8)"


def _labels(arrays: Mapping[str, np.ndarray], count: int, path: Path) -> Labels | None:
    if "factors" not in arrays:
        return None
    factors, where = arrays["factors"], f"factors in {path}"
    if factors.dtype.kind not in "iub":
        raise ValueError(
            f"{where} must be integers (a class per row and factor), got {factors.dtype}; "
            "cut continuous values into classes first, for example with np.digitize."
        )
    if factors.ndim != 2 or factors.shape[1] == 0:
        raise ValueError(f"{where} must be [N, F], got shape {list(factors.shape)}; one factor is factors[:, None].")
    if len(factors) != count:
        raise ValueError(f"{where} must have one row per image: got {len(factors)} rows for {count} images.")
    names = arrays.get("factor_names", np.array([f"factor_{i}" for i in range(factors.shape[1])]))
    if names.dtype.kind not in "US" or names.shape != factors.shape[1:]:
        raise ValueError(
            f"factor_names in {path} must be {factors.shape[1]} strings, got {names.dtype} {list(names.shape)}."
        )
    columns = [np.unique(column, return_inverse=True) for column in factors.T]
    return Labels(
        names=tuple(str(name) for name in names.astype(str)),
        sizes=tuple(len(values) for values, _ in columns),
        classes=np.stack([classes for _, classes in columns], axis=1).astype(np.int64),
    )
