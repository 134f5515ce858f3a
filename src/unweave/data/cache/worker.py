"""Child processes that convert chunks: several of them read in parallel, and a crash of one is an error of ours.

By joblib's loky, whose children do not run the user's own script again, as those of `multiprocessing` do.
"""

import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from unweave.config import SettingsError
from unweave.data.cache import conversion
from unweave.data.dataset import find_dataset
from unweave.data.disk_space import NoSpaceError
from unweave.data.reading.image_source import ImageSource
from unweave.foreign import errors_as

KEPT_ERRORS = (
    *(ValueError, SettingsError, LookupError, ImportError),
    *(OSError, FileNotFoundError, PermissionError, NoSpaceError),
)
"""Errors that keep their type on the way from the child; others become ValueError."""

ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "PYTHONSAFEPATH": "1",  # a module in the current folder is none of Python's
}

T = TypeVar("T")


class CrashedError(ValueError):
    """A child that ended without an answer."""


@contextmanager
def children(count: int) -> Iterator[Any]:
    """An executor of so many processes, which are ended with the `with`: at once after an error or an interrupt."""
    from joblib.externals.loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(count, initializer=_begin, env=ENVIRONMENT)
    try:
        yield executor
    except BaseException:
        executor.shutdown(kill_workers=True)
        raise
    executor.shutdown()


def answer(future: "Future[T]", name: str, moment: str) -> T:
    """What a child that reads the set `name` gives. Raises its error, or CrashedError, which names the moment."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        return future.result()
    except BrokenProcessPool as error:
        by_signal, status = re.search(r"\b(SIG\w+)\(", str(error)), re.search(r"EXIT\((\d+)\)", str(error))
        ending = f"was ended by {by_signal[1]}" if by_signal else f"stopped with exit status {status and status[1]}"
        raise CrashedError(
            f"the process that read {name} {ending} ({moment}). The file is probably damaged, or memory ran out: "
            "compare its size with the original's, or get it again."
        ) from None


def _begin() -> None:
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize  # pages of a file that is mapped are no leak
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends its children
    os.dup2(2, 1)  # what libraries print is no output of ours


def prepare(name: str, settings: str, folder: Path) -> dict[str, Any]:
    """In a child: what `conversion.prepare_folder` does for the data set `name`."""
    with _kept_errors(name):
        return conversion.prepare_folder(_source(name, settings), folder)


def convert(name: str, settings: str, folder: Path, start: int) -> dict[int, str]:
    """In a child: what `conversion.convert_rows` does, with a source that is opened once."""
    logging.disable(logging.WARNING)  # the process that prepared the folder has said it
    with _kept_errors(name):
        return conversion.convert_rows(_source(name, settings), folder, start)


@cache
def _source(name: str, settings: str) -> ImageSource:
    definition = find_dataset(name)
    return definition.source(definition.settings.model_validate_json(settings))


def _kept_errors(name: str) -> AbstractContextManager[None]:
    """Errors that can be sent to the parent."""

    def explain(error: Exception) -> Exception:
        kind, text = type(error), str(error) or type(error).__name__
        return kind(text) if kind in KEPT_ERRORS else ValueError(f"{name} cannot be read: {kind.__name__}: {text}")

    return errors_as(Exception, explain)
