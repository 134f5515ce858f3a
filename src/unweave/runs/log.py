"""The log of a run: one JSON object a line, readable while it is written, continued after a resume."""

import json
from pathlib import Path
from typing import Any

from unweave.files import read_text, write_atomically


def append(path: Path, record: dict[str, Any]) -> None:
    """Add a record."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """All records; a line cut short by a crash, or that is no record of numbers, is left out.

    Raises ValueError for more than 256 MB.
    """
    records = []
    for line in read_text(path, "replace").splitlines() if path.is_file() else []:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and all(isinstance(value, int | float) for value in record.values()):
            records.append(record)
    return records


def truncate(path: Path, seen: int) -> None:
    """Drop training records after `seen` images, which a resumed run will write again."""
    kept = [record for record in read(path) if record.get("seen", 0) <= seen]
    write_atomically(path, "".join(json.dumps(record) + "\n" for record in kept))
