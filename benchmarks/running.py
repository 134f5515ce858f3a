"""What the benchmarks share: unweave in a process of its own, runs that go on where they stopped, the commit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def unweave(*words: str) -> str:
    """What the command prints; its progress and errors go to the terminal. Raises CalledProcessError."""
    command = [sys.executable, "-m", "unweave", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(what: str, words: list[str], place: Path) -> dict[str, Any]:
    """Train to the end of the budget, or go on, without pictures; the record of the run."""
    unweave("train", what, *words, "training.preview=1000000000", "--run", str(place), "--resume", "--quiet")
    return json.loads((place / "run.json").read_text())


def commit() -> str:
    """The short name of the commit that is checked out, with -dirty where files differ from it; empty outside git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    here = Path(__file__).parent
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    return said.stdout.strip()
