"""The results table: a row for every score of every run, as CSV or Parquet; records of earlier work as such rows."""

import csv
import io
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from unweave.config import SettingsError
from unweave.evaluation.protocols import NULLS
from unweave.files import temporary_path, write_atomically

REPORT = "report"
"""The `protocol` of rows that say what a report found without labels."""


@dataclass(frozen=True)
class ResultRow:
    """A score of a run, and where it comes from. "" and None are unknown."""

    run: str  # its directory, or its name in a record
    label: str
    method: str
    data: str
    data_digest: str = ""
    data_images: int | None = None
    data_shape: str = ""  # as in 3x32x32: channels, height, width
    factor_sizes: str = ""  # as in 10 10 4
    images: int | None = None  # the budget
    seed: int = 0
    seconds: float | None = None  # of training
    protocol: str = ""
    score: str = ""
    value: float = 0.0
    low: float | None = None  # over metric seeds
    high: float | None = None
    null: float | None = None  # of codes whose axes mean nothing, where the protocol has one
    null_spread: float | None = None
    scored_rows: int | None = None
    weights: str = ""  # raw or averaged
    digest: str = ""  # of the weights
    version: str = ""  # of unweave
    source: str = ""  # the record that it was imported from
    train_command: str = ""
    command: str = ""  # that measured it


COLUMNS = tuple(field.name for field in fields(ResultRow))


def write_csv(path: Path, rows: Iterable[ResultRow]) -> Path:
    """results.csv, written whole; numbers to full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if value is None else value for value in asdict(row).values()] for row in rows)
    return write_atomically(path, text.getvalue())


def write_parquet(path: Path, rows: Sequence[ResultRow]) -> Path:
    """The same as Parquet. Raises ImportError without the extra."""
    check_parquet()
    import pyarrow
    from pyarrow import parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, types[_kind(name)]) for name in COLUMNS])
    table = pyarrow.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    with temporary_path(path) as temporary:
        parquet.write_table(table, temporary)
    return path


def check_parquet() -> None:
    """Raises ImportError without the extra."""
    if find_spec("pyarrow") is None:
        raise ImportError("Parquet needs pyarrow: pip install 'unweave[parquet]'.")


def read_results(path: Path) -> list[ResultRow]:
    """Rows of a study's directory, of its results.csv or .parquet, or of a record of earlier work (.json).

    Raises LookupError where there is none, SettingsError for another kind of file.
    """
    path = path / "results.csv" if path.is_dir() else path
    if not path.is_file():
        raise LookupError(f"there are no results at {path}: `unweave sweep` writes them.")
    if path.suffix == ".json":
        return read_records(path)
    if path.suffix == ".parquet":
        check_parquet()
        from pyarrow import parquet

        return [_row(values, path) for values in parquet.read_table(path).to_pylist()]
    with path.open(newline="") as file:
        return [_row(values, path) for values in csv.DictReader(file)]


def read_records(path: Path) -> list[ResultRow]:
    """Rows of a JSON record {"runs": [{"row", "data", "seed", "images", "seconds", "PROTOCOL SCORE": value}]}.

    `data`, and where they are known `command` and `commit`, are those of the record where a run has none of its own.
    Raises SettingsError where it is not there, or is none.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
        return [row for run in record["runs"] for row in _recorded({**record, **run}, path.name)]
    except FileNotFoundError:
        raise SettingsError(f"there is no record {str(path)!r}.") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"{path} is no record of runs: {type(error).__name__}: {error}") from None


def _recorded(run: Mapping[str, Any], source: str) -> list[ResultRow]:
    label, data, seed, images = str(run["row"]), Path(run["data"]).stem, int(run["seed"]), int(run["images"])
    scores = {tuple(key.split(" ", 1)): float(value) for key, value in run.items() if "@" in key}
    about: dict[str, Any] = {"label": label, "method": label.split()[0], "data": data, "images": images, "seed": seed}
    seconds = None if run.get("seconds") is None else float(run["seconds"])
    return [
        ResultRow(
            run=f"{label} {data} {images} {seed}", **about, seconds=seconds, protocol=protocol, score=score,
            value=value, null=scores.get((NULLS.get(protocol, ""), score)),
            null_spread=scores.get((NULLS.get(protocol, ""), f"{score}_spread")),
            source=source, command=_command(run.get("command", ""), str(run.get("commit", ""))),
        )
        for (protocol, score), value in scores.items()
    ]  # fmt: skip


def _command(command: str | Sequence[str], commit: str) -> str:
    words = (command if isinstance(command, str) else shlex.join(command)).removeprefix("python ")
    words = words if words.startswith("unweave ") or not words else f"python {words}"
    return f"{words}{f'  # at commit {commit}' if commit else ''}" if words else ""


def _row(values: Mapping[str, Any], path: Path) -> ResultRow:
    unknown, missing = set(values) - set(COLUMNS), {"run", "label", "method", "data"} - set(values)
    if unknown or missing:
        raise SettingsError(
            f"{path} is not of this version: unknown columns {sorted(map(str, unknown))}, missing {sorted(missing)}."
        )
    return ResultRow(**{name: _value(name, value) for name, value in values.items()})


def _value(name: str, value: Any) -> Any:
    kind = _kind(name)
    return ("" if kind is str else None) if value in ("", None) else kind(value)


def _kind(name: str) -> type:
    hint = get_type_hints(ResultRow)[name]
    return next(kind for kind in (str, int, float) if hint in (kind, kind | None))
