"""Codes of very large sets: a folder of Parquet files, written part by part and read by sampling.

FOLDER/
    codes.json             what they are of: run, weights, data; the rows of each part once all are there
    part-000000.parquet    row (of the data set), codes (unit x dim numbers), a column for each known factor
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from unweave.files import read_json, temporary_path, write_json
from unweave.runs import ledger
from unweave.types import FactorTable, Rows

ABOUT = "codes.json"
FACTOR = "factor "
MOST_PARTS = 2_000  # that are read for a sample
EncodedPart = Float[np.ndarray, "rows unit dim"]


@dataclass(frozen=True)
class AboutCodes:
    """What sharded codes are of."""

    run: str  # digest of its weights
    weights: str  # averaged or raw
    data: Mapping[str, Any]  # the [data] table
    data_digest: str
    rows: int  # of the data set, with those that cannot be read
    part_rows: int
    units: tuple[int, int]  # unit, dim
    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()  # codes of each part; () until all are there

    @property
    def parts(self) -> int:
        return math.ceil(self.rows / self.part_rows)

    def rows_of(self, part: int) -> range:
        """The rows of the data set that a part has, but for those that cannot be read."""
        return range(part * self.part_rows, min((part + 1) * self.part_rows, self.rows))


def is_codes(path: Path) -> bool:
    """Whether this is a folder of sharded codes."""
    return (path / ABOUT).is_file()


def begin_codes(folder: Path, about: AboutCodes) -> list[int]:
    """The parts that are missing in a folder, which is made, or goes on where it is of the same.

    Raises FileExistsError where it holds other codes, or anything else.
    """
    if is_codes(folder):
        stored, present = asdict(replace(read_about(folder), counts=())), asdict(about)
        differing = [key for key in stored if _as_json(stored[key]) != _as_json(present[key])]
        if differing:
            raise FileExistsError(f"{folder} holds codes of other {', '.join(differing)}: choose another -o.")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already, and holds no codes: choose another -o.")
    else:
        write_json(folder / ABOUT, asdict(about))
        ledger.enter(folder)
    return [part for part in range(about.parts) if not part_path(folder, part).is_file()]


def finish_codes(folder: Path, about: AboutCodes) -> AboutCodes:
    """All parts are there: note how many codes each has."""
    parquet = _parquet()
    counts = [parquet.read_metadata(part_path(folder, part)).num_rows for part in range(about.parts)]
    done = replace(about, counts=tuple(counts))
    write_json(folder / ABOUT, asdict(done))
    return done


def part_path(folder: Path, part: int) -> Path:
    return folder / f"part-{part:06d}.parquet"


def write_part(
    folder: Path, part: int, codes: EncodedPart, rows: Rows, factors: Mapping[str, np.ndarray], bad: Mapping[int, str]
) -> Path:
    """A part, whole or not at all; `bad` says why rows of it cannot be read."""
    import pyarrow

    parquet = _parquet()
    flat = pyarrow.array(codes.astype(np.float32, copy=False).reshape(-1))
    width = codes.shape[1] * codes.shape[2]
    columns: dict[str, Any] = {
        "row": rows.astype(np.int64),
        "codes": pyarrow.FixedSizeListArray.from_arrays(flat, width),
    }
    columns |= {f"{FACTOR}{name}": values.astype(np.int64) for name, values in factors.items()}
    table = pyarrow.table(columns).replace_schema_metadata({"left_out": json.dumps(bad)})
    path = part_path(folder, part)
    with temporary_path(path) as temporary:
        parquet.write_table(table, temporary)
    return path


def read_about(folder: Path) -> AboutCodes:
    """What the codes of a folder are of. Raises ValueError where its codes.json is damaged."""
    stored = read_json(folder / ABOUT)
    try:
        tuples = {key: tuple(stored[key]) for key in ("units", "factor_names", "factor_sizes", "counts")}
        about = AboutCodes(**{**stored, **tuples})
        if about.part_rows < 1 or len(about.counts) not in (0, about.parts):
            raise ValueError(f"{len(about.counts)} counts of parts of {about.part_rows} rows")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / ABOUT} is damaged or of another version ({error}): encode again.") from None
    return about


def whole_codes(folder: Path) -> AboutCodes:
    """What they are of, where all are there. Raises ValueError for codes that are still in the making."""
    about = read_about(folder)
    if not about.counts:
        left = sum(not part_path(folder, part).is_file() for part in range(about.parts))
        raise ValueError(f"{left} of {about.parts} parts of {folder} are missing: the same `unweave encode` goes on.")
    return about


def sample_positions(about: AboutCodes, count: int, seed: int) -> Rows:
    """Positions of so many random codes, rising and all different; all where there are no more.

    They lie in at most 2,000 random parts, so that sampling a table of any size reads so much of it.
    """
    counts, rng = np.array(about.counts), np.random.default_rng(seed)
    parts = np.arange(len(counts))
    if len(counts) > MOST_PARTS and count < counts.sum():
        parts = np.sort(rng.choice(len(counts), MOST_PARTS, replace=False))
    sizes, starts = counts[parts], (np.cumsum(counts) - counts)[parts]
    total = int(sizes.sum())
    chosen = np.arange(total) if count >= total else np.sort(rng.choice(total, count, replace=False))
    inside = np.searchsorted(np.cumsum(sizes), chosen, side="right")
    return starts[inside] + chosen - (np.cumsum(sizes) - sizes)[inside]


def read_codes(folder: Path, positions: Rows) -> tuple[EncodedPart, Rows, FactorTable | None]:
    """The codes at these positions, their rows of the data set, and their factors where they are known."""
    about, parquet = whole_codes(folder), _parquet()
    ends = np.cumsum(about.counts)
    parts = np.searchsorted(ends, positions, side="right")
    codes = np.empty((len(positions), *about.units), np.float32)
    rows = np.empty(len(positions), np.int64)
    factors = np.empty((len(positions), len(about.factor_names)), np.int64)
    for part in np.unique(parts):
        table = parquet.read_table(part_path(folder, int(part)))
        here = np.flatnonzero(parts == part)
        inside = positions[here] - (ends[part] - about.counts[part])
        flat = table["codes"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        codes[here] = flat.reshape(-1, *about.units)[inside]
        rows[here] = table["row"].to_numpy()[inside]
        for column, name in enumerate(about.factor_names):
            factors[here, column] = table[f"{FACTOR}{name}"].to_numpy()[inside]
    return codes, rows, factors if about.factor_names else None


def left_out(folder: Path, parts: Sequence[int]) -> dict[int, str]:
    """Why rows of these parts have no codes."""
    parquet, bad = _parquet(), dict[int, str]()
    for part in parts:
        stored = json.loads((parquet.read_schema(part_path(folder, part)).metadata or {}).get(b"left_out", b"{}"))
        bad |= {int(row): str(why) for row, why in stored.items()}
    return bad


def _as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'unweave[parquet]'.") from None
    return parquet
