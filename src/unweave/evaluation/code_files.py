"""Codes of a run as a table: .csv, .parquet, and .h5ad for AnnData's readers; with a map of them where it is asked for.

A row of the table is an image: its number, its file, the place of a tile, the known factors, where it lies on each
factor that was found, and a column for each number of the code. A known factor that has the name of another column is
factor_NAME.
"""

import csv
import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from unweave.evaluation.code_map import CodePart, far_out, joint_codes, map_codes, remoteness
from unweave.factors.coordinate import position_of
from unweave.files import temporary_path, write_atomically
from unweave.runs.factors import current_factors, factor_title, shown_factors
from unweave.runs.run import Run

PACKAGES = {".npz": None, ".csv": None, ".parquet": "pyarrow", ".h5ad": "anndata"}
"""What is written, by the ending, and the package that it needs."""
BOX_COLUMNS, MAP_COLUMNS = ("left", "top", "right", "bottom"), ("map_x", "map_y", "remoteness", "far_out")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""With which a spreadsheet takes the text of a cell for a formula; a ' before it makes it text."""
EXTRAS = {"pyarrow": "parquet", "anndata": "anndata"}

Arrays = Mapping[str, np.ndarray]


def check_code_file(path: Path) -> None:
    """Raises ValueError for another ending, ImportError where the extra is missing: asked before minutes of work."""
    if path.suffix.lower() not in PACKAGES:
        raise ValueError(f"{path.name!r} must end in one of {', '.join(PACKAGES)}, got {path.suffix!r}.")
    package = PACKAGES[path.suffix.lower()]
    if package is not None and find_spec(package) is None:
        raise ImportError(f"{path.suffix} needs {package}: pip install 'unweave[{EXTRAS[package]}]'.")


def add_map(run: Run, arrays: Arrays, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of `encode` with `map` [rows, 2], `map_drawing` (UMAP or PCA), `remoteness` (the distance to the ten
    nearest rows, in medians) and `far_out`. Raises ValueError for fewer than ten rows.
    """
    codes = arrays["codes"]
    if len(codes) < 10:
        raise ValueError(f"a map takes ten images, got {len(codes)}.")
    joint = joint_codes(run_parts(run, codes))
    drawing, remote = map_codes(joint, seed), remoteness(joint)
    extra = {"map": drawing.places.astype(np.float32), "map_drawing": np.array(drawing.drawing)}
    return {**arrays, **extra, "remoteness": remote.astype(np.float32), "far_out": far_out(remote)}


def add_positions(run: Run, arrays: Arrays) -> dict[str, np.ndarray]:
    """The arrays of `encode` with `positions` [rows, factor], where each row lies along the curve of each factor that
    is shown, in [0, 1], and `position_names`; as they are where no factor of these weights was found."""
    found = current_factors(run)
    if found is None:
        return dict(arrays)
    positions = {}
    for index in shown_factors(found.factors):
        factor = found.factors[index]
        if factor.coordinate is not None:
            word = f"f{index + 1}"
            title = factor_title(word, factor)
            name = title if title.startswith(word) else f"{word}, {title}"
            positions[name] = position_of(factor.coordinate, factor.joint_codes(arrays["codes"]))
    if not positions:
        return dict(arrays)
    table = np.stack(list(positions.values()), 1).astype(np.float32)
    return {**arrays, "positions": table, "position_names": np.array(list(positions))}


def run_parts(run: Run, codes: np.ndarray) -> list[CodePart]:
    """The codes of every factor that is shown, where factors of these weights were found; else of every unit."""
    found = current_factors(run)
    if found is None:
        return [CodePart(f"unit {unit}", codes[:, unit]) for unit in range(codes.shape[1])]
    return [
        CodePart(factor_title(f"f{index + 1}", found.factors[index]), found.factors[index].joint_codes(codes))
        for index in shown_factors(found.factors)
    ]


def write_codes(arrays: Arrays, path: Path, facts: Mapping[str, str], overwrite: bool = False) -> Path:
    """The arrays of `encode` in the format of the ending; `facts` (such as the run) go into what can hold them.

    Raises FileExistsError where the file is there and not to be overwritten, and what `check_code_file` raises.
    """
    check_code_file(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another -o, or give --overwrite.")
    kind = path.suffix.lower()
    if kind == ".npz":
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        return write_atomically(path, content.getvalue(), overwrite=overwrite)
    about, numbers = image_columns(arrays), code_columns(arrays["codes"])
    if kind == ".csv":
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(map(_as_text, [*about, *numbers]))
        rows = zip(*(column.tolist() for column in [*about.values(), *numbers.values()]))
        table.writerows(map(_as_text, row) for row in rows)
        return write_atomically(path, text.getvalue(), overwrite=overwrite)
    with temporary_path(path) as temporary:
        if kind == ".parquet":
            _write_parquet({**about, **numbers}, temporary, facts)
        else:
            _write_anndata(arrays, about, list(numbers), temporary, facts)
    return path


def image_columns(arrays: Arrays) -> dict[str, np.ndarray]:
    """What is known of every image, by the name of the column."""
    columns: dict[str, np.ndarray] = {"row": arrays["rows"]}
    if "files" in arrays:
        columns["file"] = arrays["files"]
    if "boxes" in arrays:
        columns |= dict(zip(BOX_COLUMNS, arrays["boxes"].T))
    if "factors" in arrays:
        taken = {"row", "file", *BOX_COLUMNS, *MAP_COLUMNS, *code_columns(arrays["codes"]), *_position_names(arrays)}
        for name, column in zip(map(str, arrays["factor_names"]), arrays["factors"].T):
            columns[f"factor_{name}" if name in taken else name] = column
    if "positions" in arrays:
        columns |= dict(zip(_position_names(arrays), arrays["positions"].T))
    if "map" in arrays:
        columns |= {"map_x": arrays["map"][:, 0], "map_y": arrays["map"][:, 1]}
        columns |= {name: arrays[name] for name in MAP_COLUMNS[2:]}
    return columns


def _position_names(arrays: Arrays) -> list[str]:
    return [str(name) for name in arrays.get("position_names", ())]


def code_columns(codes: np.ndarray) -> dict[str, np.ndarray]:
    """Every number of the code: unit_3, or unit_3_0, unit_3_1, ... where a unit has several."""
    units, dim = codes.shape[1:]
    if dim == 1:
        return {f"unit_{unit}": codes[:, unit, 0] for unit in range(units)}
    return {f"unit_{unit}_{place}": codes[:, unit, place] for unit in range(units) for place in range(dim)}


def _as_text(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _write_parquet(columns: Arrays, path: Path, facts: Mapping[str, str]) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({name: pyarrow.array(column) for name, column in columns.items()})
    parquet.write_table(table.replace_schema_metadata(dict(facts)), path)


def _write_anndata(arrays: Arrays, about: Arrays, names: list[str], path: Path, facts: Mapping[str, str]) -> None:
    import anndata
    import pandas

    rows = [str(row) for row in range(len(arrays["rows"]))]
    maps: dict[str, Any] = {}
    if "map" in arrays:
        maps[f"X_{str(arrays['map_drawing']).lower()}"] = arrays["map"]
    kept = {name: column for name, column in about.items() if name not in ("map_x", "map_y")}
    table = anndata.AnnData(
        X=arrays["codes"].reshape(len(rows), -1),
        obs=pandas.DataFrame(kept, index=rows),
        var=pandas.DataFrame(index=names),
        obsm=maps,
        uns=dict(facts),
    )
    table.write_h5ad(path)
