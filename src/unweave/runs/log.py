"""The log of a run: one JSON object a line, readable while it is written, continued after a resume."""

import json
from pathlib import Path
from typing import Any

from unweave.files import write_atomically


def append(path: Path, record: dict[str, Any]) -> None:
    """Add a record."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """All records; a line cut short by a crash is left out."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def truncate(path: Path, seen: int) -> None:
    """Drop training records after `seen` images, which a resumed run will write again."""
    kept = [record for record in read(path) if record.get("seen", 0) <= seen]
    write_atomically(path, "".join(json.dumps(record) + "\n" for record in kept))
