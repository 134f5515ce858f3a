"""The table of a study, without what differs between two places and two days."""

import csv
from pathlib import Path

TIMES = ("seconds", "run", "train_command", "command")


def table(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]
