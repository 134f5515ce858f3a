"""Files that appear whole or not at all, and how files are read that anybody may have written."""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MAX_TEXT_BYTES = 256 << 20
MAX_HEADER_BYTES = 10 << 20  # of a safetensors file; networks of a thousand tensors have 0.2 MB
MAX_TENSORS = 50_000


class UnwritableError(OSError):
    """A file that cannot be written: its folder is read-only, full, or somebody else's."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or error
        super().__init__(f"{path} cannot be written ({reason}): choose another place, or make this one writable.")
        self.errno = error.errno


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


def check_writable(path: Path) -> None:
    """Raises UnwritableError where a file of this name could not be made: asked before minutes of work."""
    if not is_writable(path):
        raise UnwritableError(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def is_writable(path: Path) -> bool:
    """Whether a file of this name could be made."""
    there = next(parent for parent in path.absolute().parents if parent.exists())
    return os.access(there, os.W_OK | os.X_OK)


@contextmanager
def temporary_path(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file under: renamed to `path` after the `with`, removed after an error.

    Raises UnwritableError where the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=path.suffix)
    except OSError as error:
        raise UnwritableError(path, error) from error
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


def user_folder(own: str, shared: str, default: str) -> Path:
    """The folder in the variable `own`, else unweave/ in that of XDG's variable `shared`, else in `default`."""
    if own in os.environ:
        return Path(os.environ[own]).expanduser()
    return Path(os.environ.get(shared, default)).expanduser() / "unweave"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a file in UTF-8; `errors` as in `bytes.decode`.

    Raises FileNotFoundError where there is none, ValueError for what is no regular file (a pipe or a device would be
    read for ever), for more than 256 MB and for other encodings; each names the file.
    """
    if not path.is_file():
        if path.exists():
            raise ValueError(f"{path} is no regular file, so it is not read: put the file itself there.")
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes, more than the {MAX_TEXT_BYTES:,} of any such file."
        )
    try:
        return path.read_text("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 (byte {error.start:,}): save it as UTF-8.") from None


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file. Raises what `read_text` raises, and ValueError for anything but such an object."""
    text = read_text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "is empty" if not text.strip() else f"is no JSON ({error})"
        raise ValueError(f"{path} {what}.") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object, {{...}}, and holds a {type(value).__name__}.")
    return value


def check_safetensors(path: Path) -> Path:
    """The path, if its header can be that of a network: a regular file of at most 50,000 tensors (header 10 MB).

    Raises ValueError that names the file. Without this a header of some megabytes takes gigabytes to be read.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing, or no regular file.")
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_HEADER_BYTES:
            raise ValueError(f"{path}: a header of {size:,} bytes is not one of safetensors that a network has.")
        header = file.read(size)
    try:
        tensors = json.loads(header)
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is damaged: it has no header of safetensors.") from None
    if not isinstance(tensors, dict) or len(tensors) > MAX_TENSORS:
        raise ValueError(f"{path} has more than {MAX_TENSORS:,} tensors, which no network of ours has.")
    return path


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with these options, kept on disk where a folder for that can be written, else for this process.

    numba looks for one in NUMBA_CACHE_DIR, beside the source, and in the home.
    """
    from numba import njit

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # it found none
            return njit(**options)(function)

    return decorate
