"""Is the time left that long commands say true? Trains, encodes, scores, measures swaps and reports, small.

    python benchmarks/time_left.py

From 10 % of a task on, what it says is compared with what it took, where that was more than two seconds; the end of a
task is its last line and what that says. Prints JSON; the bar is a third of the truth.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from running import commit

from unweave.training.record import processor_name

LINE = re.compile(r"(?P<task>[^:]+): (?P<done>[\d.,]+)/(?P<total>[\d.,]+) [^,]+, .*?(?P<left>[\d,]+) s left")
BAR = 1 / 3


class Said(NamedTuple):
    at: float  # seconds since the command began
    share: float  # of the task
    left: float  # seconds


def number(text: str) -> float:
    return float(text.replace(",", ""))


def listen(words: list[str]) -> dict[str, list[Said]]:
    """What the tasks of a command said."""
    began = time.monotonic()
    command = [sys.executable, "-m", "unweave", *words]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    tasks: dict[str, list[Said]] = {}
    for line in child.stderr:
        if match := LINE.match(line):
            share = number(match["done"]) / number(match["total"])
            tasks.setdefault(match["task"], []).append(Said(time.monotonic() - began, share, number(match["left"])))
    if child.wait():
        raise SystemExit(f"{' '.join(words)} failed")
    return tasks


def errors(said: list[Said]) -> list[float]:
    """Of every line from a tenth on that had more than two seconds to go: (said - truth) / truth."""
    end = said[-1].at + said[-1].left
    return [(each.left - (end - each.at)) / (end - each.at) for each in said if each.share >= 0.1 and end - each.at > 2]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        commands = [
            ["train", "encdiff", "data=rooms", "training.images=12800", "training.preview=6400", "--run", run],
            ["encode", run, "-o", str(Path(folder) / "codes.npz")],
            ["evaluate", run],
            ["evaluate", run, "--edits", "--protocol", "mig@1"],
            ["report", run],
        ]
        report = {}
        for words in commands:
            for task, said in listen(words).items():
                of = errors(said)
                if of:
                    name = f"{words[0]}: {task}"
                    report[name] = {"lines": len(of), "lowest": round(min(of), 2), "highest": round(max(of), 2)}
                    report[name]["met"] = max(map(abs, of)) <= BAR
                    print(name, report[name], file=sys.stderr, flush=True)
    about = {"command": sys.argv, "commit": commit(), "cpu": processor_name()}
    print(json.dumps({**about, "tasks": report}, indent=2))


if __name__ == "__main__":
    main()
