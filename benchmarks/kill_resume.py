"""Kill and resume in a row: does a run that dies again and again end bit-identical to one left alone?

    python benchmarks/kill_resume.py --cycles 20

One EncDiff on `sprites` (16 px, one thread, float32), killed with SIGKILL after a random time, resumed, killed again.
Prints JSON: cycles, images at which each kill left it, seconds from each command to its first step, and the verdict.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import load_file

from unweave.runs import checkpoint
from unweave.runs.run import Run

SETTINGS = [
    *("data=sprites", "data.size=16", "method.units=4", "method.encoder_width=16", "method.channels=[16,16]"),
    "method.attention=[true,false]",
    *("method.heads=2", "method.groups=4", "training.batch=16", "training.precision=float32", "training.threads=1"),
    "training.preview=1000000",
]


def command(run_dir: Path, images: int, save: int) -> list[str]:
    budget = [f"training.images={images}", f"training.save={save}"]
    return [sys.executable, "-m", "unweave", "train", "encdiff", *SETTINGS, *budget, "--run", str(run_dir), "--resume"]


def log_size(run_dir: Path) -> int:
    log = run_dir / "log.jsonl"
    return log.stat().st_size if log.exists() else 0


def run_and_kill(arguments: list[str], run_dir: Path, wait: float) -> float:
    """Start, kill `wait` seconds after the log has grown; returns the seconds until it grew."""
    started, size_before = time.monotonic(), log_size(run_dir)
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment())
    while process.poll() is None and log_size(run_dir) <= size_before:
        size_before = min(size_before, log_size(run_dir))  # a resumed run cuts the log back to its checkpoint
        time.sleep(0.005)
    seconds_to_first_record = time.monotonic() - started
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return seconds_to_first_record


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--images", type=int, default=64_000)
    parser.add_argument("--save", type=int, default=320)
    options = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed_run = Path(folder) / "whole", Path(folder) / "stopped"
        subprocess.run(
            command(undisturbed, options.images, options.save), check=True, env=environment(), capture_output=True
        )
        arguments, resumed_at, seconds_to_first_record = command(killed_run, options.images, options.save), [], []
        for _ in range(options.cycles):
            seconds_to_first_record.append(run_and_kill(arguments, killed_run, rng.uniform(0, 1.5)))
            newest = checkpoint.newest(killed_run / "checkpoints", lambda _: None)
            resumed_at.append(int(newest.name) if newest else 0)
        subprocess.run(arguments, check=True, env=environment(), capture_output=True)
        expected, actual = Run(undisturbed).checkpoint(), Run(killed_run).checkpoint()
        is_identical = {
            name: all(tensor.equal(load_file(actual / name)[key]) for key, tensor in load_file(expected / name).items())
            for name in (
                "weights.safetensors",
                "average.safetensors",
                "optimiser.safetensors",
                "generators.safetensors",
            )
        }
    report = {
        "cycles": options.cycles,
        "resumed_at": resumed_at,
        "seconds_to_first_record": round(statistics.median(seconds_to_first_record), 2),
        "bit_identical": is_identical,
    }
    print(json.dumps(report, indent=2))
    assert resumed_at[-1] < options.images, "the run ended before the last kill: give it more --images"
    assert all(is_identical.values())


if __name__ == "__main__":
    main()
