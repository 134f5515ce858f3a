"""Which runs this user has trained here: of all others what is theirs is data, and what they ask for is asked back.

A run that is made writes a random word into its folder, and the ledger keeps it with the place of the run and a digest
of its [data] table. A run that came from somebody, was copied, or whose [data] was changed is not in it: its data set
is opened only where that reads nothing of this machine but what has a name in unweave, or where its path was confirmed,
and codes that lie in it are not believed. The same holds for the data set of a folder of sharded codes.

The ledger is `trained.json` in $UNWEAVE_STATE, else $XDG_STATE_HOME/unweave, else ~/.local/state/unweave. A damaged one
counts as empty, and is kept as `trained.json.damaged` when the next one is written.
"""

import hashlib
import json
import logging
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from unweave.config import SettingsError, read
from unweave.files import read_json, read_text, user_folder, write_atomically, write_json

LEDGER, MARK = "trained.json", ".trained-here"
CONSENT = "UNWEAVE_OPENS"  # the run whose data the command that started this process has been asked to open
logger = logging.getLogger("unweave")


class UnconfirmedError(SettingsError):
    """A path that a run from elsewhere wants to have opened, and that nobody has confirmed."""


def state_folder() -> Path:
    """Where the ledger is."""
    return user_folder("UNWEAVE_STATE", "XDG_STATE_HOME", "~/.local/state")


def enter(run_dir: Path) -> None:
    """Note that this user trains this run, or writes these codes, here.

    Where the ledger cannot be written, a warning says what follows.
    """
    word = secrets.token_hex(16)
    try:
        write_atomically(run_dir / MARK, word)
        with _changing() as ledger:
            ledger["runs"][_place(run_dir)] = {"word": word, "data": _data_digest(run_dir)}
    except OSError as error:
        logger.warning("%s is not noted as trained here, so a path in its settings is not opened: %s", run_dir, error)


def is_trained_here(run_dir: Path) -> bool:
    """Whether this user has made this run, or these codes, in this place, with the data that its settings name now."""
    entry = _read()["runs"].get(_place(run_dir))
    if not isinstance(entry, Mapping):
        return False
    try:
        return (entry.get("word"), entry.get("data")) == (read_text(run_dir / MARK), _data_digest(run_dir))
    except (OSError, ValueError):
        return False


def confirm(path: Path | str) -> None:
    """Let runs from elsewhere read this data: a path, or what hf:// names.

    Raises OSError where the ledger cannot be written.
    """
    with _changing() as ledger:
        ledger["confirmed"] = sorted({*ledger["confirmed"], _named(path)})


def consent(run_dir: Path) -> dict[str, str]:
    """What is in the environment of a process that may open the data of this run, as the one that starts it may."""
    return {CONSENT: _place(run_dir)}


def check_data(run_dir: Path, data: Mapping[str, Any]) -> None:
    """Raises UnconfirmedError where a run or codes from elsewhere name a path that nobody has confirmed.

    `data` are the settings of its data set; names that unweave knows, without a path, are always open.
    """
    paths = [str(value) for key, value in data.items() if isinstance(value, Path) or key == "path"]
    asked = [path for path in paths if path not in ("None", "folders")]
    if not asked or os.environ.get(CONSENT) == _place(run_dir) or is_trained_here(run_dir):
        return
    confirmed, is_run = _read()["confirmed"], not (run_dir / "codes.json").is_file()
    for path in asked:
        if _named(path) not in confirmed:
            raise UnconfirmedError(
                f"{run_dir} was not {'trained' if is_run else 'written'} here, and its settings ask to read {path}. "
                f"If you want that, let such runs read it from now on: unweave data confirm {shlex.quote(path)}"
            )


def _named(path: Path | str) -> str:
    """A path without links and `..`; names on the Hub, and paths that lead nowhere, as they are."""
    text = os.path.expanduser(str(path).removeprefix("hf://"))
    return os.path.realpath(text) if os.path.exists(text) else text


def _place(run_dir: Path) -> str:
    return os.path.realpath(run_dir)


def _data_digest(folder: Path) -> str:
    settings = folder / "settings.toml"
    data = read(settings).get("data", {}) if settings.is_file() else read_json(folder / "codes.json").get("data", {})
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def _changing() -> Iterator[dict[str, Any]]:
    """The ledger, which is written after the `with`, while no other process writes it."""
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder / "trained.lock"):
            ledger = _read(keep_damaged=True)
            yield ledger
            write_json(folder / LEDGER, ledger)
    except OSError as error:
        raise OSError(
            f"{folder / LEDGER} cannot be written ({error.strerror or error}): set UNWEAVE_STATE to a folder that can."
        ) from error


def _read(keep_damaged: bool = False) -> dict[str, Any]:
    """The ledger; an empty one, with a warning, where it is damaged, which `keep_damaged` puts aside."""
    path = state_folder() / LEDGER
    empty: dict[str, Any] = {"runs": {}, "confirmed": []}
    try:
        ledger = read_json(path) if path.exists() else empty
        if not _is_ledger(ledger):
            raise ValueError(f"{path} is no ledger of runs.")
        return ledger
    except (OSError, ValueError) as error:
        aside = path.with_name(f"{LEDGER}.damaged")
        remedy = f"it is kept as {aside}." if keep_damaged else "put it back from a copy, or remove it."
        logger.warning("%s No run in it counts as trained here, and no path as confirmed: %s", error, remedy)
        if keep_damaged:
            path.replace(aside)
        return empty


def _is_ledger(ledger: Mapping[str, Any]) -> bool:
    confirmed = ledger.get("confirmed")
    return (
        isinstance(ledger.get("runs"), dict)
        and isinstance(confirmed, list)
        and all(isinstance(path, str) for path in confirmed)
    )
