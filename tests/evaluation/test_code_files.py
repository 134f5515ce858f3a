import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import unweave
from unweave.evaluation.code_files import (
    add_map,
    add_positions,
    check_code_file,
    code_columns,
    image_columns,
    run_parts,
    write_codes,
)
from unweave.factors.factor import Coordinate, Factor
from unweave.runs.factors import RunFactors, write_factors
from unweave.runs.run import Run

RNG = np.random.default_rng(0)
ARRAYS = {
    "codes": RNG.normal(size=(12, 3, 2)).astype(np.float32),
    "rows": np.arange(12) + 5,
    "files": np.array([f"{i}, a.png" for i in range(12)]),
    "boxes": RNG.integers(0, 9, (12, 4)),
    "factors": RNG.integers(0, 3, (12, 2)),
    "factor_names": np.array(["hue", "size"]),
}
FACTS = {"run": "runs/a", "weights": "0123"}


def test_a_csv_has_a_row_an_image_and_a_column_a_number(tmp_path: Path) -> None:
    with write_codes(ARRAYS, tmp_path / "codes.csv", FACTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("row", "file", "left", "top", "right", "bottom", "hue", "size"),
        *(f"unit_{unit}_{place}" for unit in range(3) for place in range(2)),
    ]
    assert [row["file"] for row in rows] == ARRAYS["files"].tolist()
    assert np.array([[float(row[f"unit_{u}_0"]) for u in range(3)] for row in rows]) == pytest.approx(
        ARRAYS["codes"][:, :, 0]
    )
    with pytest.raises(FileExistsError, match="--overwrite"):
        write_codes(ARRAYS, tmp_path / "codes.csv", FACTS)


def test_a_factor_replaces_no_column_and_text_is_no_formula(tmp_path: Path) -> None:
    names = np.array(["unit_0_0", "=hue"])
    arrays = {**ARRAYS, "files": np.array([f"-{i}.png" for i in range(12)]), "factor_names": names}
    columns = image_columns(arrays)
    np.testing.assert_array_equal(columns["factor_unit_0_0"], ARRAYS["factors"][:, 0])
    assert "unit_0_0" not in columns
    np.testing.assert_array_equal(
        image_columns({**arrays, "factor_names": ["left", "b"]})["left"], ARRAYS["boxes"][:, 0]
    )
    with write_codes(arrays, tmp_path / "codes.csv", FACTS).open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["file"] == "'-0.png"
    assert row["'=hue"] == str(ARRAYS["factors"][0, 1])
    assert float(row["unit_0_0"]) == pytest.approx(ARRAYS["codes"][0, 0, 0])


def test_parquet_keeps_the_numbers_and_the_run(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write_codes(ARRAYS, tmp_path / "codes.parquet", FACTS))
    np.testing.assert_array_equal(table["unit_2_1"].to_numpy(), ARRAYS["codes"][:, 2, 1])
    assert table["file"].to_pylist() == ARRAYS["files"].tolist()
    assert table.schema.metadata[b"run"] == b"runs/a"


def test_anndata_has_codes_as_x_and_the_map_beside(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata")
    drawn = {**ARRAYS, "map": np.ones((12, 2), np.float32), "map_drawing": np.array("PCA")}
    drawn |= {"remoteness": np.ones(12), "far_out": np.zeros(12, bool)}
    table = anndata.read_h5ad(write_codes(drawn, tmp_path / "codes.h5ad", FACTS))
    np.testing.assert_array_equal(table.X, ARRAYS["codes"].reshape(12, -1))
    assert list(table.var_names) == list(code_columns(ARRAYS["codes"]))
    assert table.obs["hue"].tolist() == ARRAYS["factors"][:, 0].tolist()
    assert table.obsm["X_pca"].shape == (12, 2)
    assert table.uns["weights"] == "0123"


def test_an_ending_that_is_not_known_and_a_package_that_is_missing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"\.npz, \.csv"):
        check_code_file(Path("codes.xlsx"))
    monkeypatch.setattr("unweave.evaluation.code_files.find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"unweave\[anndata\]"):
        check_code_file(Path("codes.h5ad"))
    check_code_file(Path("codes.csv"))


def test_a_run_of_scalars_is_mapped(quick_run: Run) -> None:
    arrays = unweave.encode(quick_run, split="test")
    few = {name: array[:40] if len(array) > 40 else array for name, array in arrays.items()}
    drawn = add_map(quick_run, few)
    assert drawn["map"].shape == (40, 2)
    assert {"map_x", "map_y", "remoteness", "far_out"} <= image_columns(drawn).keys()
    assert [part.name for part in run_parts(quick_run, few["codes"])] == [f"unit {unit}" for unit in range(4)]
    with pytest.raises(ValueError, match="ten images, got 2"):
        add_map(quick_run, {name: array[:2] for name, array in few.items()})


def test_where_an_image_lies_on_each_factor_is_a_column(quick_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))
    codes = RNG.uniform(0, 4, (12, 4, 1)).astype(np.float32)
    arrays = {"codes": codes, "rows": np.arange(12), "factors": RNG.integers(0, 3, (12, 1)), "factor_names": ["f1"]}
    assert add_positions(run, arrays).keys() == arrays.keys()
    levels = np.linspace(0, 1, 11)
    line = Coordinate(False, np.array([[0.0], [4.0]]), levels, 0.0)
    factors = [
        Factor((2,), 0.4, line, (), verdict="one thing"),
        Factor((0,), 0.3, line, (), verdict="one thing", name="size"),
        Factor((1,), 0.2, line, (), verdict="leftover"),
        Factor((3,), 0.1, None, (), verdict="one thing"),
    ]
    write_factors(run, RunFactors(tuple(factors), run.digest(), 200, 0))
    columns = image_columns(add_positions(run, arrays))
    np.testing.assert_allclose(columns["f1"], codes[:, 2, 0] / 4, atol=1e-5)
    np.testing.assert_allclose(columns["f2, size"], codes[:, 0, 0] / 4, atol=1e-5)
    assert list(columns) == ["row", "factor_f1", "f1", "f2, size"]
