"""What a study keeps of its runs, and how it is told whether that is still what the study asks for.

OUT/
    runs/NAME/          run directories
    rows/NAME.json      what was measured of a run: it is done
    logs/NAME.log       what was said while it was made
    failed/NAME/        a run that failed, with its log.txt
    results.csv         every score of every run; results.parquet where it was asked for
    index.html          the page of results; results.md is the same in Markdown
"""

import json
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unweave.config import SettingsError
from unweave.files import write_json
from unweave.runs.lock import BusyError
from unweave.runs.plan import RESUMABLE, differing
from unweave.runs.run import Run
from unweave.runs.settings import RunSettings
from unweave.studies.rows import ResultRow

FREE = tuple(name for name in RESUMABLE if name != "training.threads")
"""Settings in which a stored run may differ from the study's."""


@dataclass(frozen=True)
class Scoring:
    """What is measured of a trained run."""

    protocols: tuple[str, ...]
    rows: int
    repeats: int
    report: bool


def check_stored(run_dir: Path, settings: RunSettings, any_version: bool) -> None:
    """Raises SettingsError where a run of this name is there with other settings, or of another version."""
    if not (run_dir / "settings.toml").is_file():
        return
    run = Run(run_dir)
    if names := [name for name in differing(run.settings, settings) if name not in FREE]:
        raise SettingsError(
            f"{run_dir} is there, trained with other settings ({', '.join(names)}): choose another --out, or remove it."
        )
    present = version("unweave")
    trained_by = run.record().get("versions", {}).get("unweave", present)
    if trained_by != present and not any_version:
        raise SettingsError(
            f"{run_dir} was trained by unweave {trained_by}, and this is {present}: choose another --out, remove it, "
            "or keep it as it is with --any-version."
        )


def is_done(out: Path, name: str, scoring: Scoring) -> bool:
    """Whether all that the scoring asks for has been measured of a run."""
    record = _record(out, name)
    if record is None:
        return False
    same = all(record["scoring"][key] == getattr(scoring, key) for key in ("rows", "repeats"))
    measured = set(record["scoring"]["protocols"])
    return same and set(scoring.protocols) <= measured and record["scoring"]["report"] >= scoring.report


def write_rows(out: Path, name: str, scoring: Scoring, rows: list[ResultRow], notes: dict[str, str]) -> None:
    """Keep what was measured of a run; `notes` say why a protocol has no scores."""
    stored = {"scoring": asdict(scoring), "rows": [asdict(row) for row in rows], "not_measured": notes}
    write_json(out / "rows" / f"{name}.json", stored)


def read_rows(out: Path, name: str) -> list[ResultRow]:
    """What was measured of a run, [] where nothing was. Raises SettingsError where another version has written it."""
    record = _record(out, name)
    try:
        return [] if record is None else [ResultRow(**row) for row in record["rows"]]
    except (KeyError, TypeError) as error:
        path = out / "rows" / f"{name}.json"
        raise SettingsError(f"{path} is of another version ({error}): remove it, and it is measured anew.") from None


def set_aside(out: Path, name: str, run_dir: Path, why: str) -> Path | None:
    """Move what there is of a failed run to OUT/failed/NAME with its log, which ends with `why`; returns the log.

    None, and nothing is moved, where another process is at the run.
    """
    if why.startswith(BusyError.__name__):
        return None
    folder, log = out / "failed" / name, out / "logs" / f"{name}.log"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if run_dir.is_dir() and run_dir.is_relative_to(out):  # a shared foundation stays where it goes on
        shutil.move(run_dir, folder / "run")
    said = log.read_text(errors="replace") if log.is_file() else ""
    (folder / "log.txt").write_text(f"{said}{why}\n")
    return folder / "log.txt"


def failed(out: Path) -> dict[str, Path]:
    """The logs of runs that were set aside, by name."""
    return {path.parent.name: path for path in sorted((out / "failed").glob("*/log.txt"))}


def take_back(out: Path, name: str, run_dir: Path) -> None:
    """Give a failed run its place back, so that it goes on from its last checkpoint."""
    folder = out / "failed" / name
    if (folder / "run").is_dir() and not run_dir.exists():
        shutil.move(folder / "run", run_dir)
    shutil.rmtree(folder, ignore_errors=True)


def _record(out: Path, name: str) -> dict[str, Any] | None:
    path = out / "rows" / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None
