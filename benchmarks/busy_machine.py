"""How fast does a training go on a quiet machine and beside other programs, and how fast did an earlier commit?

    python benchmarks/busy_machine.py                        the bars, by ratio, all in one run (three minutes)
    python benchmarks/busy_machine.py --barriers             how waiting threads wait: ours, glibc's own, asleep at once

Every figure is of a whole `unweave train encdiff data=rooms` with the preset `laptop` in a process of its own, from its
log, after its first second of steps. A busy program is a process of one thread that only counts. The earlier commit is
checked out beside this one, and takes turns with it. Prints JSON; run it on a machine that has nothing else to do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running import commit

from unweave.runs import log
from unweave.training.record import processor_name

REPOSITORY = Path(__file__).parents[1]
WORDS = ["data=rooms", "training.images=64000", "training.save=1000000000", "training.preview=1000000000"]
BARS = {
    "beside two busy programs, of the quiet rate": 1 / 3,
    "beside one busy program, of the quiet rate": 1 / 2,
    "quiet, of the earlier commit": 1.5,
}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes of one thread that never rest."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def rate(source: Path, seconds: float, words: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Images per second of a training by the code below `source`, and the precision and threads that it came to."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        command = [sys.executable, "-m", "unweave", "train", "encdiff", *WORDS, *words, "--run", str(run_dir)]
        child = subprocess.Popen(
            command, env={**clean, "PYTHONPATH": str(source), **environment}, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            points = watch(child, run_dir / "log.jsonl", seconds)
            record = json.loads((run_dir / "run.json").read_text())
        finally:
            child.kill()
            child.wait()
    first, last = points[0], points[-1]
    images = (last["seen"] - first["seen"]) / (last["seconds"] - first["seconds"])
    threads = [choice["threads"] for choice in record.get("thread_choices", [])] or [record["threads"]]
    return {"images_per_second": round(images, 1), "threads": threads, "precision": record["precision"]}


def watch(child: subprocess.Popen[bytes], path: Path, seconds: float) -> list[dict[str, Any]]:
    """The records of a training from its first second on, until there are `seconds` of them."""
    while True:
        time.sleep(0.2)
        records = log.read(path)
        points = [record for record in records if record["seconds"] > records[0]["seconds"] + 1]
        if len(points) > 2 and points[-1]["seconds"] - points[0]["seconds"] >= seconds:
            return points
        if child.poll() is not None:
            raise SystemExit("the training ended before there was a rate")


@contextmanager
def checked_out(name: str) -> Iterator[Path]:
    """The source of another commit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "before"
        git_worktree("add", "--detach", str(place), name)
        try:
            yield place / "src"
        finally:
            git_worktree("remove", "--force", str(place))


def git_worktree(*words: str) -> None:
    subprocess.run(["git", "worktree", *words], check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


def measure_bars(earlier: str, seconds: float, rounds: int, words: list[str]) -> dict[str, Any]:
    now = REPOSITORY / "src"
    rates: dict[str, list[dict[str, Any]]] = {}

    def add(name: str, source: Path, own: list[str] = words) -> None:
        rates.setdefault(name, []).append(rate(source, seconds, own, {}))
        print(name, rates[name][-1], file=sys.stderr, flush=True)

    with checked_out(earlier) as before:
        for _ in range(rounds):
            add("quiet", now)
            add(f"quiet, {earlier}", before, [])
    for count in (1, 2):
        with busy(count):
            add(f"beside {count} busy", now)
    median = {name: statistics.median(each["images_per_second"] for each in of) for name, of in rates.items()}
    shares = [
        median["beside 2 busy"] / median["quiet"],
        median["beside 1 busy"] / median["quiet"],
        median["quiet"] / median[f"quiet, {earlier}"],
    ]
    bars = {
        name: {"is": round(share, 2), "bar": round(bar, 2), "met": share >= bar}
        for (name, bar), share in zip(BARS.items(), shares)
    }
    return {"rates": rates, "bars": bars}


BARRIERS: dict[str, dict[str, str]] = {
    "ours": {},
    "libgomp's own": {"GOMP_SPINCOUNT": "300000"},
    "asleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
}


def measure_barriers(seconds: float) -> dict[str, Any]:
    """Two threads that are not chosen, with every way of waiting, and one thread beside them."""
    rates: dict[str, dict[str, Any]] = {}
    for count in (0, 1, 2):
        with busy(count):
            for name, environment in BARRIERS.items():
                words = ["training.threads=2", "training.precision=float32"]
                rates[f"{count} busy, 2 threads, {name}"] = rate(REPOSITORY / "src", seconds, words, environment)
            words = ["training.threads=1", "training.precision=float32"]
            rates[f"{count} busy, 1 thread"] = rate(REPOSITORY / "src", seconds, words, {})
            print(rates, file=sys.stderr, flush=True)
    return {"rates": rates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="settings of the training, such as training.batch=32")
    parser.add_argument("--before", default="e98d64b", help="the earlier commit")
    parser.add_argument("--seconds", type=float, default=6.0, help="of steps, for each figure")
    parser.add_argument("--rounds", type=int, default=2, help="in which the two commits take turns")
    parser.add_argument("--barriers", action="store_true")
    options = parser.parse_args()
    about = {"command": sys.argv, "commit": commit(), "cpu": processor_name(), "cores": os.cpu_count()}
    measured = (
        measure_barriers(options.seconds)
        if options.barriers
        else measure_bars(options.before, options.seconds, options.rounds, options.words)
    )
    print(json.dumps({**about, **measured}, indent=2))


if __name__ == "__main__":
    main()
