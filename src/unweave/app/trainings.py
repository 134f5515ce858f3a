"""Trainings that the start page starts: each `unweave report IMAGES` in a process of its own, which outlives the page.

A training is a folder in runs/.studio: `training.json` says what it is of and how it stands, and `progress.jsonl` is
what its process writes. It is paused by SIGTERM, upon which the process saves and ends; to go on, the same command is
run again.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from unweave.files import read_json, read_text, write_json

FOLDER = Path("runs") / ".studio"
PAUSED = (
    128 + signal.SIGTERM,
    -signal.SIGTERM,
    128 + signal.SIGINT,
)  # exit statuses of a process that was asked to end
WORDS = ("training.preview=4000", "training.save=4000")  # a first picture soon, and little that may be lost
SILENT = "its process was killed: perhaps the memory ran out. Go on from what it saved."
PATIENCE = 60.0  # seconds that a process has to save
SAME_START = 10.0  # seconds by which the start of one process may be off: clocks are set

Phase = Literal["running", "pausing", "paused", "stopped", "finished", "failed", "elsewhere"]


@dataclass(frozen=True)
class Training:
    """How a training stands."""

    name: str
    data: str
    state: Phase
    task: str = ""  # what is going on now, such as training
    done: float = 0.0
    total: float | None = None
    seconds_left: float | None = None  # of this task
    note: str = ""
    run: Path | None = None  # known once it trains
    picture: Path | None = None  # the newest that it drew
    error: str = ""

    @property
    def can_go_on(self) -> bool:
        return self.state in ("paused", "stopped", "failed")


class Trainings:
    """The trainings of one server, and those that earlier ones left."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.asked: dict[str, Phase] = {}  # what a process that was asked to end will be

    def names(self) -> list[str]:
        """The newest first."""
        files = self.folder.glob("*/training.json")
        return [path.parent.name for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)]

    def running(self) -> str | None:
        """The one that is going on now, if any."""
        return next((name for name in self.names() if self.look(name).state in ("running", "pausing")), None)

    def start(self, data: Path, words: Sequence[str] = ()) -> str:
        """Begin to train on images; the name of the training. Raises BlockingIOError while another one is going on."""
        self.check_free()
        stem = data.name.split(".")[0] or "pictures"
        taken = set(self.names())
        name = next(name for name in (stem, *(f"{stem}-{i}" for i in range(2, 10_000))) if name not in taken)
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write(name, {"data": str(data.resolve()), "words": list(words), "state": "paused"})
        self.go_on(name)
        return name

    def go_on(self, name: str) -> None:
        """Train from where it was. Raises BlockingIOError while another one is going on, OSError for a full disk."""
        self.check_free()
        stored = self._read(name)
        if not stored["data"]:
            raise ValueError(f"what {name!r} learned from is not known, its training.json is damaged: remove it here.")
        command = [sys.executable, "-m", "unweave", "report", stored["data"], *WORDS, *stored["words"]]
        environment = {**os.environ, "UNWEAVE_PROGRESS": "json"}
        with (self.folder / name / "progress.jsonl").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment,
                start_new_session=True,
            )  # fmt: skip
        self.asked.pop(name, None)
        number = self.processes[name].pid
        self._write(name, {**stored, "state": "running", "process": number, "began": start_of(number)})

    def pause(self, name: str, state: Literal["paused", "stopped"] = "paused") -> None:
        """Let its process save and end; nothing where it has ended."""
        process = self.processes.get(name)
        if process is None:
            stored = self._read(name)
            if stored["state"] == "running" and is_alive(stored):
                self.asked[name] = state
                with suppress(ProcessLookupError):
                    os.kill(int(stored["process"]), signal.SIGTERM)
        elif process.poll() is None:
            self.asked[name] = state
            process.send_signal(signal.SIGTERM)

    def wait(self, name: str, seconds: float = PATIENCE) -> None:
        """Until its process has ended."""
        if (process := self.processes.get(name)) is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)

    def forget(self, name: str) -> None:
        """No longer list it; its run stays."""
        if self.look(name).state not in ("running", "pausing"):
            for path in (self.folder / name / "progress.jsonl", self.folder / name / "training.json"):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                (self.folder / name).rmdir()
            self.processes.pop(name, None)
            self.asked.pop(name, None)

    def close(self) -> None:
        """Save and end all that this server started."""
        started = list(self.processes)
        for name in started:
            self.pause(name)
        for name in started:
            self.wait(name)
            with suppress(LookupError):  # its folder was removed
                self.look(name)

    def look(self, name: str) -> Training:
        """How a training stands."""
        stored = self._read(name)
        state = self._state(name, stored)
        lines = read_lines(self.folder / name / "progress.jsonl")
        return training_of(name, stored["data"], state, lines)

    def _state(self, name: str, stored: Mapping[str, Any]) -> Phase:
        before: Phase = stored["state"]
        process = self.processes.get(name)
        if process is None:
            if before != "running":
                return before
            if is_alive(stored):  # its server was killed, or is another one
                return "pausing" if name in self.asked else "elsewhere"
            return self.asked.get(name, "paused")
        status = process.poll()
        if status is None:
            return "pausing" if name in self.asked else "running"
        now: Phase = "finished" if status == 0 else self.asked.get(name, "paused") if status in PAUSED else "failed"
        if now != before:
            self._write(name, {**stored, "state": now})
        return now

    def check_free(self) -> None:
        if (other := self.running()) is not None:
            raise BlockingIOError(f"a training is going on ({other}): pause it first, or wait for it.")

    def _read(self, name: str) -> dict[str, Any]:
        if name not in self.names():  # a name, and no path
            raise LookupError(f"there is no training {name!r} any more.")
        try:
            stored = read_json(self.folder / name / "training.json")
        except ValueError:
            stored = None
        stored = stored if isinstance(stored, dict) and isinstance(stored.get("data"), str) else {"data": ""}
        state = stored.get("state")
        words = stored.get("words")
        return {
            **stored, "words": words if isinstance(words, list) else [],
            "state": state if state in get_args(Phase) else "paused",
        }  # fmt: skip

    def _write(self, name: str, stored: Mapping[str, Any]) -> None:
        write_json(self.folder / name / "training.json", dict(stored))


def command_of(training: Training) -> str:
    """What does the same on the command line."""
    return shlex.join(["unweave", "report", training.data, *WORDS])


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What a process wrote: JSON objects, and other text as {"text": ...}."""
    lines: list[dict[str, Any]] = []
    for line in read_text(path, "replace").splitlines() if path.is_file() else []:
        try:
            fact = json.loads(line)
        except ValueError:
            fact = {"text": line}
        lines.append(fact if isinstance(fact, dict) else {"text": line})
    return lines


def training_of(name: str, data: str, state: Phase, lines: Sequence[Mapping[str, Any]]) -> Training:
    """A training by what its process wrote."""
    messages = [str(line["message"]) for line in lines if "message" in line]
    run = next((Path(text.removeprefix("run: ")) for text in reversed(messages) if text.startswith("run: ")), None)
    pictures = [] if run is None else sorted((run / "pictures").glob("preview-*.png"))
    tasks = [line for line in lines if "task" in line]
    last = tasks[-1] if tasks else {}
    same = [line for line in tasks if line["task"] == last.get("task")]
    return Training(
        name=name,
        data=data,
        state=state,
        task=str(last.get("task", "")),
        done=float(last.get("done", 0)),
        total=None if last.get("total") is None else float(last["total"]),
        seconds_left=seconds_left(same),
        note=str(last.get("note", "")),
        run=run,
        picture=pictures[-1] if pictures else None,
        error=error_of(lines) if state == "failed" else "",
    )


def error_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """Why a process has failed: the last thing that it wrote."""
    texts = [str(line["text"]).strip() for line in lines if str(line.get("text", "")).strip()]
    errors = [text for text in texts if text.startswith("error: ")] or texts
    return errors[-1].removeprefix("error: ") if errors else SILENT


def seconds_left(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Of a task whose updates these are, at the rate since its second one: the first step is slow."""
    if len(lines) < 3 or not lines[-1].get("total"):
        return None
    first, last = lines[1], lines[-1]
    done, seconds = float(last["done"]) - float(first["done"]), float(last["time"]) - float(first["time"])
    return None if done <= 0 or seconds <= 0 else (float(last["total"]) - float(last["done"])) * seconds / done


def start_of(process: int) -> float:
    """When a process began, in seconds since 1970; 0 where there is none."""
    try:
        return psutil.Process(process).create_time()
    except (psutil.Error, ValueError):
        return 0.0


def is_alive(stored: Mapping[str, Any]) -> bool:
    """Whether the process of a training is still that one: its number may be another's by now."""
    try:
        number, began = int(stored.get("process", 0)), float(stored.get("began", 0))
        process = psutil.Process(number)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - began) < SAME_START
    except (psutil.Error, ValueError, TypeError):
        return False
