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

WORDS = [
    *("data=sprites", "data.size=16", "method.units=4", "method.encoder_width=16", "method.channels=[16,16]"),
    "method.attention=[true,false]",
    *("method.heads=2", "method.groups=4", "training.batch=16", "training.precision=float32", "training.threads=1"),
    "training.preview=1000000",
]


def command(place: Path, images: int, save: int) -> list[str]:
    budget = [f"training.images={images}", f"training.save={save}"]
    return [sys.executable, "-m", "unweave", "train", "encdiff", *WORDS, *budget, "--run", str(place), "--resume"]


def steps(place: Path) -> int:
    log = place / "log.jsonl"
    return log.stat().st_size if log.exists() else 0


def killed(words: list[str], place: Path, wait: float) -> float:
    """Start, kill `wait` seconds after the log has grown; returns the seconds until it grew."""
    began, before = time.monotonic(), steps(place)
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment())
    while process.poll() is None and steps(place) <= before:
        before = min(before, steps(place))  # a resumed run cuts the log back to its checkpoint
        time.sleep(0.005)
    first = time.monotonic() - began
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return first


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
        whole, stopped = Path(folder) / "whole", Path(folder) / "stopped"
        subprocess.run(command(whole, options.images, options.save), check=True, env=environment(), capture_output=True)
        words, left, first = command(stopped, options.images, options.save), [], []
        for _ in range(options.cycles):
            first.append(killed(words, stopped, rng.uniform(0, 1.5)))
            newest = checkpoint.newest(stopped / "checkpoints", lambda _: None)
            left.append(int(newest.name) if newest else 0)
        subprocess.run(words, check=True, env=environment(), capture_output=True)
        one, other = Run(whole).checkpoint(), Run(stopped).checkpoint()
        same = {
            name: all(tensor.equal(load_file(other / name)[key]) for key, tensor in load_file(one / name).items())
            for name in (
                "weights.safetensors",
                "average.safetensors",
                "optimiser.safetensors",
                "generators.safetensors",
            )
        }
    report = {
        "cycles": options.cycles,
        "resumed_at": left,
        "seconds_to_first_record": round(statistics.median(first), 2),
        "bit_identical": same,
    }
    print(json.dumps(report, indent=2))
    assert left[-1] < options.images, "the run ended before the last kill: give it more --images"
    assert all(same.values())


if __name__ == "__main__":
    main()
