"""Is the time left that long commands say true? Trains, encodes, scores, measures swaps and reports, small; and trains
a method with the foundation that it stands on.

    python benchmarks/time_left.py

From 10 % of a task on, what it says is compared with what it took, where that was more than two seconds. The commands
run as a user's do, in processes of their own, which also say when a task has ended. Prints JSON; the bar is a third of
the truth.
"""

import argparse
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
OBSERVED = """
import contextlib, sys
from unweave import progress
task = progress.Lines.task

@contextlib.contextmanager
def observed(self, name, total, unit, done):
    with task(self, name, total, unit, done) as inner:
        yield inner
    print(f"{name} has ended", file=sys.stderr, flush=True)

progress.Lines.task = observed
from unweave.cli.main import main
main()
"""


class Said(NamedTuple):
    at: float  # seconds since the command began
    left: float  # seconds


def number(text: str) -> float:
    return float(text.replace(",", ""))


def listen(words: list[str]) -> dict[str, list[float]]:
    """By task of a command, the error of every line from a tenth on that had two seconds to go: said / truth - 1."""
    began = time.monotonic()
    command = [sys.executable, "-c", OBSERVED, *words]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    errors: dict[str, list[float]] = {}
    open_lines: dict[str, list[Said]] = {}
    for line in child.stderr:
        now = time.monotonic() - began
        if match := LINE.match(line):
            if number(match["done"]) >= 0.1 * number(match["total"]):
                open_lines.setdefault(match["task"], []).append(Said(now, number(match["left"])))
        elif (name := line.removesuffix(" has ended\n")) in open_lines:
            said = [each for each in open_lines.pop(name) if now - each.at > 2]
            errors.setdefault(name, []).extend(each.left / (now - each.at) - 1 for each in said)
    if child.wait():
        raise SystemExit(f"{' '.join(words)} failed")
    return errors


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        commands = [
            ["train", "encdiff", "data=rooms", "training.images=12800", "training.preview=6400", "--run", run],
            ["encode", run, "-o", str(Path(folder) / "codes.npz")],
            ["evaluate", run],
            ["evaluate", run, "--edits", "--protocol", "mig@1"],
            ["report", run],
            [
                *("train", "diti", "data=rooms", "training.images=6400", "training.preview=6400"),
                *("foundation.denoiser.recipe.training.images=12800", f"foundation.denoiser.from={folder}/denoiser"),
                *("--run", str(Path(folder) / "diti")),
            ],
        ]
        report = {}
        for words in commands:
            for task, errors in listen(words).items():
                if errors:
                    method = words[1] if words[0] == "train" else ""
                    name = " ".join([words[0], method, *(word for word in words if word.startswith("--e")), task])
                    low, high = round(min(errors), 2), round(max(errors), 2)
                    met = low >= -BAR and high <= BAR
                    report[name] = {"lines": len(errors), "lowest": low, "highest": high, "met": met}
                    print(name, report[name], file=sys.stderr, flush=True)
    about = {"command": sys.argv, "commit": commit(), "cpu": processor_name()}
    print(json.dumps({**about, "tasks": report}, indent=2))


if __name__ == "__main__":
    main()
