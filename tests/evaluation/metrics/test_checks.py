import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave import evaluate_tables, types
from unweave.evaluation.metrics.checks import as_codes, as_factors, as_split, as_tables, check_scale, check_tables


def test_says_how_many_numbers_are_not_finite_and_where():
    units = np.zeros((5, 3))
    units[1, 2] = np.nan
    units[4, 0] = np.inf
    with pytest.raises(
        ValueError, match=r"have 2 numbers that are NaN or infinite, in 2 rows: at \[1, 2\]; \[4, 0\]\."
    ):
        types.check_finite(units)


def test_a_long_list_of_places_is_cut():
    with pytest.raises(ValueError, match=r"have 12 numbers .* and 9 more"):
        types.check_finite(np.full((6, 2), np.nan))


@pytest.mark.parametrize(
    ("rows", "factors", "message"),
    [
        (4, np.zeros((5, 1), int), "4 rows and factors 5"),
        (0, np.zeros((0, 1), int), "nothing to measure"),
        (3, np.zeros((3, 0), int), "nothing to measure"),
        (2, np.array([[0], [-1]]), "got -1"),
    ],
)
def test_refuses_tables_that_do_not_fit(rows, factors, message):
    with pytest.raises(ValueError, match=message):
        check_tables(np.zeros((rows, 2)), factors)


def test_codes_that_would_overflow_are_refused():
    with pytest.raises(ValueError, match="divide them by their scale"):
        check_scale(np.full((3, 1), -1e31))


class Frame:
    """What is asked of a pandas DataFrame."""

    def __init__(self, columns: dict) -> None:
        self.columns = list(columns)
        self.values_of = columns

    def to_numpy(self):
        return np.array([list(row) for row in zip(*self.values_of.values())], object)


def test_codes_of_few_bits_are_widened():
    for dtype in (np.int8, np.uint16, np.int64, np.float16, np.bool_, np.longdouble, ">f8", object):
        assert as_codes(np.ones((3, 2), dtype)).dtype == np.float64
    assert as_codes(np.ones((3, 2), np.float32)).dtype == np.float32
    assert as_codes(np.ones((3, 2), ">f4")).dtype == np.dtype("=f4")
    kept = np.ones((3, 2))
    assert as_codes(kept) is kept


def test_lists_frames_and_tensors_are_tables():
    expected = [[1.0, 2.0], [3.0, 4.5]]
    frame = Frame({"a": [1, 3], "b": [2.0, 4.5]})
    tensor = torch.tensor(expected, requires_grad=True)
    for table in (expected, tuple(map(tuple, expected)), frame, tensor, tensor.to(torch.bfloat16)):
        assert as_codes(table).tolist() == expected
    for table in ([[7, "x"], [9, "y"]], Frame({"a": [7, 9], "b": ["x", "y"]}), torch.tensor([[7, 1], [9, 4]])):
        assert as_factors(table).tolist() == [[0, 0], [1, 1]]


def test_names_of_a_frame_are_names_of_factors():
    units = np.random.default_rng(0).normal(size=(40, 2))
    frame = Frame({"hue": [i % 2 for i in range(40)], "size": ["small", "large"] * 20})
    scores = evaluate_tables(units, frame, protocols=["mig@1"], repeats=1)
    assert scores["data"]["factor_names"] == ["hue", "size"]


@pytest.mark.parametrize(
    ("make", "table", "message"),
    [
        (as_codes, [[1, 2], [3]], "every row needs as many values"),
        (as_codes, [["a", "b"]], "codes must be numbers, got the type <U1"),
        (as_codes, np.array([[1, None]], object), "codes must be numbers, got the type object"),
        (as_codes, [[1.0, float("nan")]], "NaN or infinite"),
        (as_codes, np.zeros((2, 2, 2)), r"must be a table \[rows, units\], got float64 of shape \[2, 2, 2\]"),
        (as_codes, np.ma.masked_less([[1, 2]], 2), "masked values"),
        (as_factors, [0, 1, 2], r"labels\[:, None\]"),
        (as_factors, [[0.5], [1]], r"columns \[0\] are not whole numbers"),
        (as_factors, [["0.5"], ["1"]], r"columns \[0\] are not whole numbers"),
        (as_factors, [["x"], ["NA"]], r"row 1, column 0 is missing \('NA'\)"),
        (as_factors, np.array([[1], [None]], object), "row 1, column 0 is missing"),
        (as_factors, [[float("nan")]], "NaN or infinite"),
        (as_factors, np.zeros((2, 0)), "nothing to measure"),
    ],
)
def test_what_is_no_table_is_refused(make, table, message):
    with pytest.raises(ValueError, match=message):
        make(table)


def test_classes_of_any_size_are_numbered():
    assert as_factors([[10**8], [-3], [10**8]]).tolist() == [[1], [0], [1]]
    assert as_factors(np.array([[2**64 - 1], [2**64 - 2]], np.uint64)).tolist() == [[1], [0]]
    assert as_factors([["10"], ["9"]]).tolist() == [[1], [0]]
    assert as_factors([["10"], ["x"]]).tolist() == [[0], [1]]


def test_classes_of_training_and_test_rows_are_numbered_together():
    train, test = as_split(([[0.0], [1.0]], [["a"], ["c"]]), ([[2.0]], [["b"]]))
    assert train.factors.tolist() == [[0], [2]]
    assert test.factors.tolist() == [[1]]
    with pytest.raises(ValueError, match="same columns"):
        as_split(([[0.0]], [[1]]), ([[0.0]], [[1, 2]]))


CHEAP = ["mig@1", "dci-mig@1", "modularity@1", "irs@1", "sap-continuous@1", "mcc@1", "med@1", "dci-2k@1"]
CODE_TYPES = ["int8", "int16", "int32", "uint8", "float16", "float32", "float64", "object"]
FACTOR_TYPES = ["int16", "int32", "int64", "uint16", "float32", "float64", "object", "str", "lists", "tensor"]
Y = np.random.default_rng(0).integers(0, (3, 2), (60, 2))
Z = (40 * Y + np.random.default_rng(1).integers(0, 30, (60, 2))).clip(0, 127)


@pytest.fixture(scope="module")
def plain():
    """The scores of Z and Y as they are."""
    return evaluate_tables(Z.astype(float), Y, protocols=CHEAP, repeats=1)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    of_codes=st.sampled_from(CODE_TYPES),
    of_factors=st.sampled_from(FACTOR_TYPES),
    labels=st.lists(st.integers(0, 999), min_size=3, max_size=3, unique=True).map(sorted),
)
def test_any_type_and_any_labelling_of_the_same_partition_give_the_same_scores(plain, of_codes, of_factors, labels):
    factors = np.array(labels)[Y]
    if of_factors == "lists":
        table = factors.tolist()
    elif of_factors == "tensor":
        table = torch.from_numpy(factors)
    else:
        table = factors.astype(of_factors)
    scores = evaluate_tables(Z.astype(of_codes), table, protocols=CHEAP, repeats=1)
    for name, expected in plain["protocols"].items():
        for score, interval in expected.items():
            assert scores["protocols"][name][score] == pytest.approx(interval, abs=1e-5), (name, score)


def test_int8_codes_keep_their_irs():
    z = np.repeat(np.array([-120, 120]), 50)[:, None]
    y = np.repeat([0, 1], 50)[:, None]
    plain, small = (
        evaluate_tables(codes, y, protocols=["irs@1"], repeats=1)["protocols"]["irs@1"]["irs"]["value"]
        for codes in (z.astype(float), z.astype(np.int8))
    )
    assert small == plain > 0.9


def test_huge_classes_take_no_memory():
    codes, classes = as_tables(np.arange(10.0)[:, None], 10**8 * np.arange(10)[:, None])
    assert classes[:, 0].tolist() == list(range(10))
    assert len(codes) == 10
