"""A child process that converts chunks: several of them read in parallel, and a crash of one is an error of ours.

The child reads lines of JSON from stdin (first what to open, then chunk numbers) and answers each with a line on
stdout. A child rather than a pool of `multiprocessing`, which would run the user's own script again.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from unweave.data.disk import conversion
from unweave.settings import SettingsError

ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (ValueError, SettingsError, LookupError, OSError, FileNotFoundError, PermissionError, ImportError)
}
"""Errors that keep their type on the way from the child; others become ValueError."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class Worker:
    """The parent's end. Close it, or use it in a `with`."""

    def __init__(self, name: str, settings: dict[str, Any], part: Path, plan: bool) -> None:
        environment = os.environ | dict.fromkeys(THREADS, "1")
        self.name = name
        self.child = subprocess.Popen(
            [sys.executable, "-m", "unweave.data.disk.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.plan: dict[str, Any] = self._ask({"name": name, "settings": settings, "part": str(part), "plan": plan})

    def convert(self, chunk: int) -> dict[str, Any]:
        """What done.jsonl says of the chunk. Raises the child's error, or ValueError where the child crashed."""
        answer = self._ask(chunk)
        answer["bad"] = {int(row): why for row, why in answer["bad"].items()}
        return answer

    def _ask(self, what: Any) -> dict[str, Any]:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(json.dumps(what) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line.endswith("\n"):
            raise self._crashed(what)
        answer = json.loads(line)
        if "error" in answer:
            kind, text = answer["error"]
            raise ERRORS.get(kind, ValueError)(
                text if kind in ERRORS else f"{self.name} cannot be read: {kind}: {text}"
            )
        return answer

    def _crashed(self, what: Any) -> ValueError:
        code = self.child.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit status {code}"
        where = f"chunk {what}" if isinstance(what, int) else "when it opened the files"
        return ValueError(
            f"the process that read {self.name} {how} ({where}). The file is probably damaged, or memory ran out: "
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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self.child.kill()
        self.close()


def serve() -> None:
    """The child: open what the first line names, then convert each chunk that a line names."""
    from unweave import registry

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which closes stdin
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print must not be taken for an answer

    def answer(said: dict[str, Any]) -> None:
        print(json.dumps(said), file=answers, flush=True)

    try:
        asked = json.loads(sys.stdin.readline())
        module, part = registry.module("data", asked["name"]), Path(asked["part"])
        source = module.source(module.Settings.model_validate(asked["settings"]))
        plan = conversion.write_plan(source, part) if asked["plan"] else conversion.plan_of(part)
        answer(plan)
        for line in sys.stdin:
            answer(conversion.convert(source, part, plan, int(line)))
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:
        answer({"error": [type(error).__name__, str(error) or type(error).__name__]})
        os._exit(1)


if __name__ == "__main__":
    serve()
