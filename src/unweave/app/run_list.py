"""The runs below a folder, as the start page lists them: read as files, without torch and without opening a run."""

import os
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unweave.files import read_json, read_text

DEPTH, MAX_FOLDERS, MAX_RUNS = 4, 5_000, 60  # levels and folders that are looked through, runs that are listed
SHORT = {"several things mixed": "mixed", "leftover": "left over"}


@dataclass(frozen=True)
class ListedRun:
    """A run that may be opened."""

    path: Path
    title: str  # method and data
    date: str  # of its last change, as 2026-11-30
    verdict: str  # a sentence on its factors, or why there is none
    picture: Path | None  # the newest preview
    ready: bool  # whether its training rests, so that it can be opened


def list_runs(folder: Path = Path()) -> list[ListedRun]:
    """The runs below a folder, the newest first; one that cannot be read has a sentence for a verdict."""
    paths = sorted(_run_folders(folder), key=_changed, reverse=True)
    return [describe_run(path) for path in paths[:MAX_RUNS]]


def describe_run(path: Path) -> ListedRun:
    """A run as it is listed."""
    from datetime import datetime

    date = datetime.fromtimestamp(_changed(path)).date().isoformat()
    picture = max(path.glob("pictures/preview-*.png"), default=path / "preview.png")
    ready = (path / "units.safetensors").is_file()
    try:
        settings = tomllib.loads(read_text(path / "settings.toml"))
        data = settings["data"]
        title = f"{settings['method']['name']} on {Path(str(data.get('path') or data['name'])).name}"
        verdict = verdict_of(path) if ready else "not trained to its end"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        title, verdict, ready = path.name, f"cannot be read: {error}", False
    return ListedRun(path, title, date, verdict, picture if picture.is_file() else None, ready)


def verdict_of(path: Path) -> str:
    """A sentence on the factors that are stored. Raises ValueError for a damaged factors.json."""
    stored = path / "factors.json"
    factors: list[dict[str, Any]] = read_json(stored)["factors"] if stored.is_file() else []
    kinds = Counter(str(factor.get("verdict")) for factor in factors if not factor.get("hidden"))
    if not factors:
        return "its factors were not looked for yet"
    clear = kinds["one thing"]
    if not any(kinds[kind] for kind in ("one thing", *SHORT)):
        return f"{len(factors)} factor{'s' * (len(factors) != 1)}, without a verdict"
    rest = [f"{kinds[kind]} {word}" for kind, word in SHORT.items() if kinds[kind]]
    return ", ".join([f"{clear or 'no'} clear factor{'s' * (clear != 1)}", *rest])


def _run_folders(folder: Path) -> Iterator[Path]:
    """Folders with a settings.toml; what is inside a run is a part of it."""
    for looked, (place, inside, files) in enumerate(os.walk(folder), 1):
        path = Path(place)
        if "settings.toml" in files and ({"run.json", "log.jsonl"} & set(files) or "checkpoints" in inside):
            inside.clear()
            yield path
        deep = len(path.relative_to(folder).parts) >= DEPTH or looked >= MAX_FOLDERS
        inside[:] = [] if deep else sorted(name for name in inside if not name.startswith((".", "node_modules")))
        if looked >= MAX_FOLDERS:
            return


def _changed(path: Path) -> float:
    """When a run was trained last, or its factors were named."""
    times = [0.0]
    for name in ("log.jsonl", "run.json", "factors.json"):
        with suppress(OSError):
            times.append((path / name).stat().st_mtime)
    return max(times)
