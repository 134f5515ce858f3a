"""A child process that converts chunks: several of them read in parallel, and a crash of one is an error of ours.

The child reads lines of JSON from stdin (first what to open, then chunk numbers) and answers each with a line on
stdout. A child rather than a pool of `multiprocessing`, which would run the user's own script again.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from unweave.config import SettingsError
from unweave.data.cache import conversion
from unweave.data.disk_space import NoSpaceError

ERROR_TYPES: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        *(ValueError, SettingsError, LookupError, ImportError),
        *(OSError, FileNotFoundError, PermissionError, NoSpaceError),
    )
}
"""Errors that keep their type on the way from the child; others become ValueError."""


class CrashedError(ValueError):
    """A child that ended without an answer."""


THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

Converter = Callable[[int], dict[str, Any]]
"""Chunk number -> what done.jsonl says of the chunk."""


class Worker:
    """The parent's end. Close it, or use it in a `with`."""

    def __init__(self, name: str, settings: dict[str, Any], folder: Path, prepare: bool) -> None:
        """Start a child that opens the data set `name`, and with `prepare` makes the folder of the conversion."""
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        self.name, self.is_open = name, False
        self.child = subprocess.Popen(
            [sys.executable, "-P", "-m", "unweave.data.cache.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1") | {"PYTHONPATH": path},
            process_group=0,  # Ctrl-C reaches the parent alone, which ends its children
        )
        self._send({"name": name, "settings": settings, "folder": str(folder), "prepare": prepare})

    def open(self) -> None:
        """Wait until the files are open. Raises the child's error, or CrashedError where it crashed."""
        if not self.is_open:
            self._receive("when it opened the files")
            self.is_open = True

    def convert(self, chunk: int) -> dict[str, Any]:
        """What done.jsonl says of the chunk. Raises the child's error, or CrashedError where it crashed."""
        self.open()
        self._send(chunk)
        return self._receive(f"chunk {chunk}")

    def _send(self, message: Any) -> None:
        assert self.child.stdin is not None
        with suppress(BrokenPipeError):  # a child that is gone gives no answer, which is noticed there
            self.child.stdin.write(json.dumps(message) + "\n")
            self.child.stdin.flush()

    def _receive(self, moment: str) -> dict[str, Any]:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line.endswith("\n"):
            raise self._crash(moment)
        answer = json.loads(line)
        if "error" in answer:
            kind, text = answer["error"]
            if kind in ERROR_TYPES:
                raise ERROR_TYPES[kind](text)
            raise ValueError(f"{self.name} cannot be read: {kind}: {text}")
        return answer

    def _crash(self, moment: str) -> CrashedError:
        code = self.child.wait()
        by_signal = -code in {number.value for number in signal.Signals}
        ending = f"was ended by {signal.Signals(-code).name}" if by_signal else f"stopped with exit status {code}"
        return CrashedError(
            f"the process that read {self.name} {ending} ({moment}). The file is probably damaged, or memory ran out: "
            "compare its size with the original's, or get it again."
        )

    def close(self) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        with suppress(BrokenPipeError):
            self.child.stdin.close()
        try:
            self.child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.child.kill()
        self.close()


def convert_chunks(converters: Sequence[Converter], chunks: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The record of every chunk, as it is done. Raises the first error.

    Several converters have a thread each, which waits for its child; where one fails, closing the workers ends them.
    """
    if len(converters) == 1:
        yield from map(converters[0], chunks)
        return
    todo, results = iter(chunks), queue.SimpleQueue[dict[str, Any] | BaseException]()
    lock, stop = threading.Lock(), threading.Event()

    def work(convert: Converter) -> None:
        try:
            while not stop.is_set():
                with lock:
                    chunk = next(todo, None)
                if chunk is None:
                    break
                results.put(convert(chunk))
        except BaseException as error:
            results.put(error)

    for convert in converters:
        threading.Thread(target=work, args=(convert,), daemon=True).start()
    try:
        for _ in chunks:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()


def serve() -> None:
    """The child: open what the first line names, then convert each chunk that a line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    try:
        from unweave.data.dataset import find_dataset

        request = json.loads(sys.stdin.readline())
        if not request["prepare"]:
            logging.disable(logging.WARNING)  # the process that prepared the folder has said it
        definition, folder = find_dataset(request["name"]), Path(request["folder"])
        source = definition.source(definition.settings.model_validate(request["settings"]))
        plan = conversion.prepare_folder(source, folder) if request["prepare"] else conversion.read_plan(folder)
        conversion.check_unchanged(source, plan)
        answer({})
        for line in sys.stdin:
            answer(conversion.convert_chunk(source, folder, plan, int(line)))
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:
        with suppress(BrokenPipeError):
            answer({"error": [type(error).__name__, str(error) or type(error).__name__]})
        os._exit(1)


if __name__ == "__main__":
    serve()
