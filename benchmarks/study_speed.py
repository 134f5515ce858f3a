"""What a study costs over the commands that it stands for: `unweave sweep` against `unweave train` under xargs -P.

    python benchmarks/study_speed.py --runs 24 --images 40000 --backends local ray

All train the same runs, one thread each, one after the other on the same machine; none scores. Prints JSON: seconds
of each, and the ratio of each backend to xargs (the study's own files and page, and the start of Ray, included).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from running import commit

from unweave.studies.sweep import SweepOptions, load_study
from unweave.training.record import processor_name

STUDY = """
methods = ["betavae", "betatcvae"]
data = ["sprites"]
seeds = {seeds}
images = [{images}]
protocols = []
"""


def seconds_of(command: list[str], stdin: str = "") -> float:
    """How long a command takes; its runs have one thread each. Raises CalledProcessError."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    subprocess.run(command, input=stdin, text=True, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=24, help="an even number")
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--backends", nargs="+", default=["local"], choices=["local", "ray"])
    options = parser.parse_args()
    unweave = f"{sys.executable} -m unweave"
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.toml"
        study.write_text(STUDY.format(seeds=options.runs // 2, images=options.images))
        plan = load_study(study, SweepOptions(Path(folder) / "by-hand"))
        commands = [f"{run.command.replace('unweave', unweave, 1)} --quiet" for run in plan.runs]
        by_hand = seconds_of(["xargs", "-P", str(options.processes), "-I", "{}", "sh", "-c", "{}"], "\n".join(commands))
        swept = {}
        for backend in options.backends:
            place = ["--out", str(Path(folder) / backend), "--processes", str(options.processes)]
            words = ["sweep", str(study), "--backend", backend, *place]
            swept[backend] = seconds_of([sys.executable, "-m", "unweave", *words])
        runs = [json.loads(path.read_text())["seconds"] for path in Path(folder).glob("by-hand/runs/*/run.json")]
    record = {
        "command": sys.argv,
        "commit": commit(),
        "cpu": processor_name(),
        "runs": len(plan.runs),
        "seconds_of_a_run": round(sum(runs) / len(runs), 1),
        "xargs_seconds": round(by_hand, 1),
        "sweep_seconds": {backend: round(seconds, 1) for backend, seconds in swept.items()},
        "ratio": {backend: round(seconds / by_hand, 3) for backend, seconds in swept.items()},
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
