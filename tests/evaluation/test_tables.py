from pathlib import Path

import numpy as np
import pytest

from unweave.evaluation.code_files import write_codes
from unweave.evaluation.metrics.mig import mig
from unweave.evaluation.tables import read_tables

CODES = np.random.default_rng(0).normal(size=(8, 3))
FACTORS = np.arange(16).reshape(8, 2) % 5


@pytest.fixture
def saved(tmp_path):
    def save(name, array, **arrays):
        path = tmp_path / name
        if arrays:
            np.savez(path, **arrays)
        else:
            np.save(path, array)
        return path

    return save


def test_npy_files(saved):
    units, factors = read_tables(saved("z.npy", CODES), saved("y.npy", FACTORS))[:2]
    assert (units == CODES).all()
    assert units.dtype == CODES.dtype
    assert (factors == np.stack([np.unique(f, return_inverse=True)[1] for f in FACTORS.T], axis=1)).all()


@pytest.mark.parametrize("name", ["codes", "units", "anything"])
def test_npz_files_by_key_or_with_one_array(saved, name):
    path = saved("both.npz", None, **{name: CODES})
    assert (read_tables(path, saved("y.npz", None, factors=FACTORS))[0] == CODES).all()


def test_one_file_may_hold_both(saved):
    path = saved("both.npz", None, codes=CODES, factors=FACTORS)
    units, factors = read_tables(path, path)[:2]
    assert units.shape == (8, 3)
    assert factors.shape == (8, 2)


def test_vector_units_are_reduced(saved):
    vectors = CODES[..., None] * np.array([0.6, 0.8])
    units, _ = read_tables(saved("z.npy", vectors), saved("y.npy", FACTORS))[:2]
    assert units == pytest.approx(CODES - CODES.mean(0))


@pytest.mark.parametrize(
    "values", [[-7, 3, 3, 100, -7, 3, 100, 100], [0.0, 2, 2, 9, 0, 2, 9, 9], np.arange(8, dtype=np.uint8) > 3]
)
def test_whole_numbers_are_renumbered(saved, values):
    factor = np.array(values)[:, None]
    _, factors = read_tables(saved("z.npy", CODES), saved("y.npy", factor))[:2]
    assert factors.dtype == np.int64
    assert (factors[:, 0] == np.searchsorted(np.unique(factor), factor[:, 0])).all()


def test_whole_numbers_may_be_codes(saved):
    units, _ = read_tables(saved("z.npy", FACTORS), saved("y.npy", FACTORS))[:2]
    assert units.dtype == np.float64


NAN = np.where(np.arange(24).reshape(8, 3) == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("codes", "factors", "words"),
    [
        (NAN, FACTORS, r"1 numbers that are NaN .* at \[2, 1\]"),
        (CODES, NAN, r"y\.npy: factors .* 1 numbers that are NaN"),
        (CODES[:5], FACTORS, "5 rows and factors 8"),
        (CODES[:, 0], FACTORS, r"\[rows, units\] or \[rows, unit, dim\], got float64 of shape \[8\]"),
        (CODES.astype(str), FACTORS, "codes must be numbers"),
        (CODES, FACTORS[:, 0], r"labels\[:, None\]"),
        (CODES, np.where(FACTORS == 3, "NA", "b"), r"row 4, column 0 is missing \('NA'\)"),
        (CODES, FACTORS + np.array([0, 0.5]), r"columns \[1\] are not whole numbers.*numpy\.digitize"),
        (CODES[:0], FACTORS[:0], "nothing to measure"),
        (CODES, FACTORS[:, :0], "nothing to measure"),
        (CODES[:0, :, None], FACTORS[:0], "nothing to measure"),
    ],
)
def test_tables_that_cannot_be_scored(saved, codes, factors, words):
    with pytest.raises(ValueError, match=words):
        read_tables(saved("z.npy", codes), saved("y.npy", factors))


def test_files_that_cannot_be_read(saved, tmp_path):
    factors = saved("y.npy", FACTORS)
    with pytest.raises(ValueError, match=r"there is no file .*absent\.npy"):
        read_tables(tmp_path / "absent.npy", factors)
    text = tmp_path / "z.dat"
    text.write_text("1,2,3\n")
    with pytest.raises(ValueError, match=r"cannot be read as \.npy or \.npz"):
        read_tables(text, factors)
    cut = tmp_path / "cut.npz"
    cut.write_bytes(saved("whole.npz", None, codes=CODES).read_bytes()[:200])
    with pytest.raises(ValueError, match=r"cannot be read as \.npy or \.npz"):
        read_tables(cut, factors)
    with pytest.raises(ValueError, match=r"cannot be read as \.npy or \.npz"):
        read_tables(saved("o.npy", np.array([{}, None], dtype=object)), factors)
    with pytest.raises(ValueError, match="has the arrays a, b; expected 'codes' or 'units'"):
        read_tables(saved("two.npz", None, a=CODES, b=CODES), factors)


def test_csv_files_with_and_without_a_header(tmp_path):
    codes, named, bare = (tmp_path / name for name in ("z.csv", "named.csv", "bare.csv"))
    codes.write_text("\n".join(",".join(map(str, row)) for row in CODES.tolist()) + "\n")
    lines = [f"{colour}, {size}" for colour, size in zip(["red", "blue"] * 4, [1, 1, 3, 3] * 2)]
    named.write_text("colour,size\n" + "\n".join(lines))
    bare.write_text("\n".join(lines) + "\n\n")
    read = read_tables(codes, named)
    assert read.units == pytest.approx(CODES)
    assert read.factor_names == ["colour", "size"]
    assert read.factors.tolist() == [[1, 0], [0, 0], [1, 1], [0, 1]] * 2
    assert read_tables(codes, bare).factors.tolist() == read.factors.tolist()
    assert read_tables(codes, bare).factor_names is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "same number of columns"),
        ("", "it is empty"),
        ("a,b\n", "8 rows|no rows"),
        ("1.5\n" * 8, "not whole"),
    ],
)
def test_a_csv_that_cannot_be_factors(tmp_path, saved, text, message):
    (tmp_path / "y.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_tables(saved("z.npy", CODES), tmp_path / "y.csv")


def test_a_csv_of_words_is_no_table_of_codes(tmp_path, saved):
    (tmp_path / "z.csv").write_text("a,b\n" * 8)
    with pytest.raises(ValueError, match="codes"):
        read_tables(tmp_path / "z.csv", saved("y.npy", FACTORS))


def test_vector_units_say_what_the_reduction_keeps(saved):
    vectors = CODES[..., None] * np.array([0.6, 0.8])
    read = read_tables(saved("z.npy", vectors), saved("y.npy", FACTORS))
    assert read.explained == pytest.approx([1, 1, 1])
    assert read.unreduced == pytest.approx(vectors.reshape(8, 6))
    assert read_tables(saved("z.npy", CODES), saved("y.npy", FACTORS)).explained is None


def test_a_csv_of_words_only_has_a_header_where_there_is_one_line_too_many(tmp_path, saved):
    (tmp_path / "y.csv").write_text("colour\n" + "red\nblue\n" * 4)
    read = read_tables(saved("z.npy", CODES), tmp_path / "y.csv")
    assert read.factor_names == ["colour"]
    assert read.factors[:, 0].tolist() == [1, 0] * 4


def test_the_header_that_pandas_writes_is_no_row(tmp_path):
    (tmp_path / "z.csv").write_text("0,1,2\n" + "\n".join(",".join(map(str, row)) for row in CODES.tolist()))
    (tmp_path / "y.csv").write_text("0,1\n" + "\n".join(",".join(map(str, row)) for row in FACTORS.tolist()))
    read = read_tables(tmp_path / "z.csv", tmp_path / "y.csv")
    assert read.units == pytest.approx(CODES)
    assert len(read.factors) == 8


@pytest.mark.parametrize("missing", ["", "NA", "null"])
def test_a_missing_label_is_no_class(tmp_path, saved, missing):
    (tmp_path / "y.csv").write_text("\n".join(["1,2"] * 7 + [f"1,{missing}"]))
    with pytest.raises(ValueError, match="row 8, column 2 is missing"):
        read_tables(saved("z.npy", CODES), tmp_path / "y.csv")


@pytest.mark.parametrize(
    ("header", "column", "reason"),
    [
        (",size", [str(i) for i in range(8)], r"column 1, as it counts the rows"),
        (",size", [str(i + 1) for i in range(8)], r"column 1, as it counts the rows"),
        ("file,size", [f"im{i}.png" for i in range(8)], r"column 1 (file), as it names files"),
        ("picture,size", [f"train/{i}" for i in range(8)], r"column 1 (picture), as it names files"),
        ("image_id,size", [str(3 * i) for i in range(8)], r"column 1 (image_id), as it is an index by its name"),
        (None, [str(i) for i in range(8)], r"column 1, as it counts the rows"),
    ],
)
def test_a_column_that_says_which_row_it_is_is_left_out_and_that_is_said(tmp_path, saved, header, column, reason):
    lines = [header] if header else []
    (tmp_path / "y.csv").write_text("\n".join([*lines, *(f"{value},{i % 2}" for i, value in enumerate(column))]))
    read = read_tables(saved("z.npy", CODES), tmp_path / "y.csv")
    assert read.factors[:, 0].tolist() == [0, 1] * 4
    assert read.factors.shape == (8, 1)
    assert reason in read.read[0]
    assert read.factor_names == (["size"] if header else None)


def test_an_index_alone_is_no_factor(tmp_path, saved):
    (tmp_path / "y.csv").write_text("id\n" + "\n".join(map(str, range(8))))
    with pytest.raises(ValueError, match=r"no column is left to score.* counts the rows"):
        read_tables(saved("z.npy", CODES), tmp_path / "y.csv")


def test_names_of_files_must_agree(tmp_path):
    names = [f"{i}.png" for i in range(8)]
    (tmp_path / "z.csv").write_text("file,a\n" + "\n".join(f"{name},{i}.5" for i, name in enumerate(names)))
    for order, agrees in ((names, True), (names[::-1], False)):
        (tmp_path / "y.csv").write_text("file,b\n" + "\n".join(f"{name},{i % 2}" for i, name in enumerate(order)))
        if agrees:
            assert read_tables(tmp_path / "z.csv", tmp_path / "y.csv").units.shape == (8, 1)
        else:
            with pytest.raises(ValueError, match=r"data row 1 is '0\.png' in .* and '7\.png' in"):
                read_tables(tmp_path / "z.csv", tmp_path / "y.csv")


TABLES = Path(__file__).parents[1] / "data" / "tables"


@pytest.mark.parametrize(
    "name", ["plain.csv", "semicolon.csv", "tab.csv", "y.tsv", "bom.csv", "trailing.csv", "index_unnamed.csv"]
)
def test_every_dialect_gives_the_same_factors(name):
    plain = read_tables(TABLES / "z.npy", TABLES / "plain.csv")
    read = read_tables(TABLES / "z.npy", TABLES / name)
    assert read.factor_names == ["shape", "colour", "size"]
    assert (read.factors == plain.factors).all()
    assert mig(read.units, read.factors)["mig"] == pytest.approx(0.97, abs=0.01)


def test_names_of_files_beside_factors_are_no_factor():
    read = read_tables(TABLES / "z96.npy", TABLES / "y96_file.csv")
    assert (read.factors == read_tables(TABLES / "z96.npy", TABLES / "y96.csv").factors).all()
    assert "Left out: column 1 (file), as it names files" in read.read[0]


def test_codes_with_tabs_between_them():
    read = read_tables(TABLES / "z_tab.csv", TABLES / "plain.csv")
    assert read.units == pytest.approx(np.load(TABLES / "z.npy"), abs=1e-4)
    assert "separated by TABs; 3 units" in read.read[0]
    assert "shape (3 classes), colour (4 classes)" in read.read[1]


def test_names_in_an_npz_are_kept(saved):
    path = saved("both.npz", None, codes=CODES, factors=FACTORS, factor_names=np.array(["hue", "size"]))
    assert read_tables(path, path).factor_names == ["hue", "size"]


def test_of_a_table_that_encode_wrote_the_units_alone_are_codes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    codes, factors = rng.normal(size=(60, 2, 1)).astype(np.float32), rng.integers(0, 3, (60, 1))
    arrays = {"codes": codes, "rows": np.arange(60), "factors": factors, "factor_names": np.array(["hue"])}
    arrays |= {"positions": rng.random((60, 1)), "position_names": np.array(["f1, hue"])}
    table = write_codes(arrays, tmp_path / "codes.csv", {})
    np.save(tmp_path / "y.npy", factors)
    read = read_tables(table, tmp_path / "y.npy")
    np.testing.assert_allclose(read.units, codes[:, :, 0], rtol=1e-5)
    assert "column 2 (hue), as it is no column of a unit as unit_0 is" in " ".join(read.read)
