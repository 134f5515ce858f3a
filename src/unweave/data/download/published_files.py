"""The files of the published sets: where they come from, and where they lie on this machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unweave.config import SettingsError
from unweave.files import user_folder


class RemoteFile(NamedTuple):
    """A file of a published set. `unweave data get` tries the addresses in turn."""

    file: str  # its name in the set's folder; the reader looks for it
    urls: tuple[str, ...]  # () where it cannot be fetched without a login: see `page`
    page: str  # for people: where the publishers describe it
    sha256: str | None = None  # None: recorded at the first download, and said so
    bytes: int | None = None  # exactly; a file of another size is refused
    unpack: bool = False  # an archive, to be unpacked into the set's folder once it is there
    kind: str = ""  # of a set that comes in several kinds: which one this file is of
    login: str = ""  # what a person has to do where a site wants a login, a form or an agreement


def data_home() -> Path:
    """The folder of downloaded sets: `$UNWEAVE_DATA`, or unweave/ in `$XDG_DATA_HOME`, or ~/.local/share/unweave."""
    return user_folder("UNWEAVE_DATA", "XDG_DATA_HOME", "~/.local/share")


def search_folders(path: Path | None, name: str, aliases: Sequence[str] = ()) -> list[Path]:
    """Where files of a set may lie: below `path` if given, else in `home()` and disentanglement_lib's data folder."""
    bases = [path.expanduser()] if path is not None else [data_home()]
    if path is None and "DISENTANGLEMENT_LIB_DATA" in os.environ:
        bases.append(Path(os.environ["DISENTANGLEMENT_LIB_DATA"]).expanduser())
    return [base / folder for base in bases for folder in ("", name, *aliases)]


def find_file(path: Path | None, name: str, files: Sequence[str], aliases: Sequence[str] = ()) -> Path:
    """The first of these files (or folders) that is there; `path` may be the file itself, or a folder that holds it.

    `name` is the set's, `aliases` are other names of its folder. Raises SettingsError that says where to get it.
    """
    if path is not None and path.expanduser().is_file():
        return path.expanduser()
    for folder in search_folders(path, name, aliases):
        for file in files:
            if (folder / file).exists():
                return folder / file
    where = path if path is not None else data_home() / name
    raise SettingsError(
        f"{name} needs {' or '.join(files)}, which is not in {where}: get it with `unweave data get {name}`, "
        "or say where it is with data.path=FILE_OR_FOLDER."
    )
