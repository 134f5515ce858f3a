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


def train(method: str, words: list[str], run_dir: Path) -> dict[str, Any]:
    """Train to the end of the budget, or go on, without pictures; the record of the run."""
    unweave("train", method, *words, "training.preview=1000000000", "--run", str(run_dir), "--resume", "--quiet")
    return json.loads((run_dir / "run.json").read_text())


def commit() -> str:
    """The short name of the commit that is checked out, with -dirty where files differ from it; empty outside git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    folder = Path(__file__).parent
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return result.stdout.strip()
