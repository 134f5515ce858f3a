import numpy as np
import pytest

from unweave import types
from unweave.evaluation.metrics.checks import check_scale, check_tables


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
