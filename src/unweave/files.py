"""Files that appear whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def write_atomically(path: Path | str, content: str | bytes, *, overwrite: bool = True) -> Path:
    """Write a file under a temporary name beside `path`, and rename it; text is UTF-8.

    Folders are made as they are needed. Raises FileExistsError where there is a file and not `overwrite`.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another name, or ask for it to be overwritten.")
    with temporary_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_json(path: Path | str, value: Any) -> Path:
    """Write a value as JSON with sorted keys, so that equal values are equal files. Raises ValueError for NaN."""
    return write_atomically(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


@contextmanager
def temporary_path(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file under: renamed to `path` after the `with`, removed after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(number)
    temporary = Path(name)
    try:
        yield temporary
        with suppress(OSError):  # some file systems have no permissions
            temporary.chmod(0o666 & ~_umask())  # a temporary file is for its owner alone
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
