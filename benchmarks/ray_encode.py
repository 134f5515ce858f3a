"""Encoding on local Ray: one core and one encoder against two of each, memory, and a worker killed half-way.

    python benchmarks/ray_encode.py builtin:rooms

`one` has everything pinned to one core; `two` has two encoders, each with its reader, on two; in `killed` an encoder is
killed once a third of the rows is written. Prints JSON: rows a second of each, the ratio, whether the three tables are
the same, and the summed proportional memory of all processes of `two`: the most of it in the first tenth of its time
(after Ray has begun), and after that.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from running import commit

from unweave.runs.sharded_codes import read_codes, whole_codes
from unweave.training.record import processor_name

PAUSE = 2.0  # seconds between two looks at the processes


def encode(words: Sequence[str], output: Path, cores: Sequence[int], kill_after: int | None = None) -> dict[str, list]:
    """Encode on these cores alone; times and memory (GB) while it goes on. Raises CalledProcessError."""
    command = [sys.executable, "-m", "unweave", "encode", *words, "--backend", "ray", "-o", str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    process = psutil.Popen(
        ["taskset", "-c", ",".join(map(str, cores)), *command, "--encoders", str(len(cores))],
        env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seen: dict[str, list] = {"times": [], "memory": [], "parts": []}
    while process.poll() is None:
        time.sleep(PAUSE)
        seen["times"].append(time.monotonic() - began)
        seen["memory"].append(sum(map(proportional, [process, *process.children(recursive=True)])) / 1e6)
        seen["parts"].append(len(list(output.glob("*.parquet"))))
        if kill_after is not None and seen["parts"][-1] >= kill_after:
            encoders = [child for child in process.children(recursive=True) if "Encoder" in name_of(child)]
            os.kill(encoders[0].pid, signal.SIGKILL)
            kill_after = None
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seen


def proportional(process: psutil.Process) -> float:
    """Kilobytes of one process, what it shares divided by those that share it; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)


def name_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("data", nargs="?", help="the run's own if not given")
    parser.add_argument("--ways", nargs="+", choices=["one", "two", "killed"], default=["one", "two", "killed"])
    options = parser.parse_args()
    words = [options.run, *([options.data] if options.data else [])]
    record: dict[str, object] = {"command": sys.argv, "commit": commit(), "cpu": processor_name()}
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in options.ways:
            output = Path(folder) / way
            seen = encode(words, output, [0] if way == "one" else [0, 1], 16 if way == "killed" else None)
            rows = whole_codes(output).rows
            tables[way] = np.asarray(read_codes(output, np.arange(rows))[0])
            first = seen["times"][next(i for i, parts in enumerate(seen["parts"]) if parts)]  # Ray has begun
            tenth = first + (seen["times"][-1] - first) / 10
            looks = list(zip(seen["times"], seen["memory"]))
            record[way] = {
                "rows": rows,
                "seconds": round(seen["times"][-1], 1),
                "rows_a_second": round(rows / seen["times"][-1], 1),
                "memory_gb_first_tenth": round(max(gb for at, gb in looks if at <= tenth), 2),
                "memory_gb_after": round(max(gb for at, gb in looks if at > tenth), 2),
            }
    table, *others = tables.values()
    record["same_table"] = all(np.array_equal(table, other) for other in others)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
