"""hdf5: images in one array of an HDF5 file, and factors in another, where there are such.

The images are [N, H, W, C] with 1 to 64 channels, or [N, H, W] grey, of numbers of any type; factors are [N, F]
integers of any values; their names are an attribute or an array `factor_names`. No other file is read: links out of the
file are refused. The file is opened in a child process only, which its damage may crash.

`build` raises SettingsError where there is no such file or array, ValueError where its content cannot be used.
"""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from unweave.config import SettingsError, nearest
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import DatasetDefinition
from unweave.data.formats._image_arrays import ArraySettings, ImageArray, array_source, check_shape
from unweave.data.reading import labels
from unweave.data.reading.image_source import ImageSource, Labels, existing_file
from unweave.data.settings import MAX_CHANNELS
from unweave.foreign import errors_as, load

MAX_UNPACKED_BYTES = 1 << 30  # to read one image, or all factors
ONE_READER_BYTES = 64 << 20  # to unpack for one image, from which one process reads alone, to save memory
MAX_NAMED = 20  # arrays that are named where the one of the settings is not there
MAX_LINKS = 16  # soft links that are followed, one after the other
DAMAGE_ERRORS = (OSError, RuntimeError, LookupError, TypeError, OverflowError, MemoryError, UnicodeError)
"""What the library raises of damaged files."""


class HDF5Settings(ArraySettings):
    name: Literal["hdf5"] = "hdf5"
    key: str = Field(default="images", description="the array of the images; groups before it, as in train/images")
    factors_key: str | None = Field(
        default=None, description="the array of the factors; `factors` beside the images if not set and there is one"
    )


def files(settings: HDF5Settings) -> list[Path]:
    return [existing_file(settings.path, "an HDF5 file")]


def source(settings: HDF5Settings) -> ImageSource:
    path = files(settings)[0]

    with _naming_damage(path):
        with _open_file(path) as file:  # once with a small cache of chunks, to see how large they are
            images = _find_array(file, settings.key, path, "key")
            unpacked = _unpacked_bytes(images, path)
            factors = _read_factors(file, settings, images, path)
        images = _find_array(_open_file(path, unpacked), settings.key, path, "key")

    def read(start: int, stop: int) -> Any:
        with _naming_damage(path, f" at rows {start}..{stop - 1}"):
            return images[start:stop]

    where = f"{images.name} in {path}"
    array = ImageArray(where, check_shape(list(images.shape), images.dtype, where), images.dtype, read)
    return replace(array_source(array, settings, factors), in_order=unpacked > ONE_READER_BYTES)


def _naming_damage(path: Path, where: str = "") -> AbstractContextManager[None]:
    """Whatever the library raises of a damaged file is a ValueError that names it."""

    def explain(error: BaseException) -> ValueError:
        reason = str(error) or type(error).__name__
        if "signature not found" in reason:
            return ValueError(f"{path} is no HDF5 file ({path.stat().st_size:,} bytes).")
        if "truncated file" in reason:
            return ValueError(
                f"{path} is cut short: it has {path.stat().st_size:,} bytes and should have more ({reason}). "
                "Get it again."
            )
        return ValueError(f"{path} cannot be read{where}; it is probably damaged: {reason}")

    return errors_as(DAMAGE_ERRORS, explain, but=(PermissionError, ImportError))


def _open_file(path: Path, chunk_bytes: int = 1 << 20) -> Any:
    """The file, opened with room for the chunks that one image lies in."""
    h5py = load("h5py", "reading HDF5 needs", "data")
    locked = ValueError(f"{path} is open for writing in another program; close it there first.")
    slots = 1_000_003  # a large prime: chunks that share a slot push each other out
    room = max(chunk_bytes * 5 // 4, 1 << 20)
    with errors_as(OSError, lambda error: locked if "unable to lock" in str(error) else error):
        # rdcc_w0=0 lets the chunk go that was used longest ago; with 1, HDF5 2.0 keeps a chunk for every read
        return h5py.File(path, "r", locking="best-effort", rdcc_nbytes=room, rdcc_nslots=slots, rdcc_w0=0)


def _find_array(file: Any, key: str, path: Path, setting: str) -> Any:
    """The array of this name, by way of links in the file only. Raises SettingsError where there is none."""
    import h5py

    item, parts, links = file, [part for part in key.split("/") if part], 0
    while parts:
        part = parts.pop(0)
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise ValueError(f"{key!r} in {path} leads to another file, {link.filename!r}, which is not read.")
        if isinstance(link, h5py.SoftLink):
            links += 1
            item = file if link.path.startswith("/") else item
            parts = [step for step in link.path.split("/") if step] + parts
        if link is None or links > MAX_LINKS:
            raise SettingsError(_missing_message(file, key, path, setting))
        if isinstance(link, h5py.HardLink):
            item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise SettingsError(f"data.{setting}: {key!r} in {path} is a group, not an array. {_format_arrays(file)}")
    if item.external is not None or item.is_virtual:
        raise ValueError(f"{key!r} in {path} has its numbers in other files, which are not read: copy them into one.")
    return item


def _missing_message(file: Any, key: str, path: Path, setting: str) -> str:
    arrays = _first_arrays(file)
    pictures = [name for name, (shape, dtype) in arrays.items() if _looks_like_images(shape, dtype)]
    hint = nearest(key, arrays)
    if setting == "key" and len(pictures) == 1:
        hint = f" Did you mean data.key={pictures[0]}?"
    return f"data.{setting}: {path} has no {key!r}.{hint} {_format_arrays(file)}"


def _looks_like_images(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    return dtype.kind in "uif" and (len(shape) == 3 or (len(shape) == 4 and shape[3] <= MAX_CHANNELS))


def _format_arrays(file: Any) -> str:
    arrays = [f"{name} {dtype} {list(shape)}" for name, (shape, dtype) in _first_arrays(file).items()]
    more = " ..." if len(arrays) == MAX_NAMED else ""
    return f"It has: {', '.join(arrays)}{more}." if arrays else "It has no arrays."


def _first_arrays(file: Any) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of the first arrays of the file; links are not followed."""
    import h5py

    arrays: dict[str, tuple[tuple[int, ...], np.dtype]] = {}

    def visit(name: str, item: Any) -> bool | None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            arrays[name] = (item.shape, item.dtype)
        return True if len(arrays) == MAX_NAMED else None

    file.visititems(visit)
    return arrays


def _unpacked_bytes(images: Any, path: Path) -> int:
    """The bytes that have to be unpacked to read one image. Raises ValueError where the array holds no images."""
    where, shape = f"{images.name} in {path}", list(images.shape or ())
    if images.dtype.kind not in "uifbc":
        raise ValueError(f"{where} must be numbers, got {_format_dtype(images.dtype)}; nothing of it is loaded.")
    check_shape(shape, images.dtype, where)
    chunk = images.chunks or (1, *shape[1:])
    chunks = [1, *(-(-side // step) for side, step in zip(shape[1:], chunk[1:]))]  # that one image lies in
    unpacked = int(np.prod([float(n) for n in (*chunk, *chunks)])) * images.dtype.itemsize
    if unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(
            f"{where}: one image lies in chunks of {unpacked / 1e9:.1f} GB (each {list(chunk)}), more than "
            f"{MAX_UNPACKED_BYTES / 1e9:.1f}. Write the file anew with one image to a chunk: "
            f"h5repack -l {images.name}:CHUNK={'x'.join(map(str, [1, *shape[1:]]))} OLD.h5 NEW.h5"
        )
    if missing := _unknown_filters(images):
        raise ValueError(
            f"{where} are compressed by {', '.join(missing)}, which is not installed here (hdf5plugin has many). "
            f"Write the file anew: h5repack -f {images.name}:GZIP=4 OLD.h5 NEW.h5, where it is."
        )
    if images.chunks and not images.id.get_storage_size():
        raise ValueError(f"{where} were never written: {shape} are announced, and nothing is stored.")
    return unpacked


def _unknown_filters(images: Any) -> list[str]:
    """The ways that the array is compressed in and the library cannot undo."""
    import h5py

    properties = images.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return [
        f"filter {code} {name.decode(errors='replace')!r}"
        for code, _, _, name in filters
        if not h5py.h5z.filter_avail(code)
    ]


def _format_dtype(dtype: np.dtype) -> str:
    return {"O": "objects of varying length", "V": "records", "S": "text"}.get(dtype.kind, str(dtype))


def _read_factors(file: Any, settings: HDF5Settings, images: Any, path: Path) -> Labels | None:
    """The factors, where there are some. Raises ValueError where they cannot be used."""
    beside = "/".join([*settings.key.strip("/").split("/")[:-1], "factors"])
    if settings.factors_key is None and file.get(beside, getlink=True) is None:
        return None
    factors = _find_array(file, settings.factors_key or beside, path, "factors_key")
    where = f"{factors.name} of {path}"
    if factors.dtype.kind not in "iubf":
        raise ValueError(
            f"factors in {where} must be integers, got {_format_dtype(factors.dtype)}; nothing of it is loaded."
        )
    if factors.nbytes > MAX_UNPACKED_BYTES:
        raise ValueError(f"factors in {where} must be one row per image, got shape {list(factors.shape)}.")
    return labels.from_array(factors[()], _read_factor_names(file, images, factors, path), len(images), where)


def _read_factor_names(file: Any, images: Any, factors: Any, path: Path) -> np.ndarray | None:
    """What `factor_names` says, as an attribute of the factors, the images or the file, or as an array."""
    attributes = [item.attrs for item in (factors, images, file) if "factor_names" in item.attrs]
    if attributes:
        names = attributes[0]["factor_names"]
    elif file.get("factor_names", getlink=True) is not None:
        array = _find_array(file, "factor_names", path, "factors_key")
        if array.size is None or array.size > 10_000:
            raise ValueError(f"factor_names in {path} are of shape {array.shape}.")
        names = array[()]
    else:
        return None
    strings = [name.decode() if isinstance(name, bytes) else name for name in np.atleast_1d(names).reshape(-1).tolist()]
    if not all(isinstance(word, str) for word in strings):
        raise ValueError(f"factor_names in {path} must be strings, got {strings[:3]}.")
    return np.array(strings, dtype=str)


DATASET = DatasetDefinition(
    settings=HDF5Settings, build=build, files=files, source=source, child_process_only=True, version=2
)
