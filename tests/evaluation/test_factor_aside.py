import numpy as np
import pytest
from tests.data.in_memory import InMemory

from unweave.data.corrected import correct_by
from unweave.data.reading.image_source import Labels
from unweave.data.settings import ViewSettings
from unweave.data.views import apply_view
from unweave.evaluation.factor_aside import measure_aside, read
from unweave.evaluation.factor_names import EncodedRows
from unweave.runs.report_facts import AsideFacts


def plates(count: int = 300) -> InMemory:
    """Noise, twice as bright on the second of two plates; half of all pictures are of shade 1."""
    rng, plate = np.random.default_rng(0), np.arange(count) % 2
    pixels = rng.integers(40, 100, (count, 8, 8, 1)) * (1 + plate[:, None, None, None])
    return InMemory("mine", pixels.astype(np.uint8), Labels(("plate", "shade"), (2, 2), np.stack([plate, plate], 1)))


def test_a_reader_tells_what_is_there_and_no_more() -> None:
    rng, classes = np.random.default_rng(0), np.arange(600) % 3
    told = rng.normal(size=(600, 4)) + 0.0
    assert read(told, classes, 0) < 0.45
    inside = np.abs(told).copy()
    inside[:, 1] = np.sign(told[:, 1]) * (classes + 1) + 0.1 * told[:, 2]  # no straight line tells them
    assert read(inside, classes, 0) > 0.95
    told[:, 0] += 9 * classes
    assert read(told, classes, 0) > 0.95


def test_what_is_read_before_and_after_and_from_units() -> None:
    base = plates()
    part = apply_view(correct_by(base, "plate"), ViewSettings(keep={"shade": (0, 1)}))
    rows = np.arange(0, 300)
    codes = np.random.default_rng(1).normal(size=(len(rows), 3, 1))
    facts = measure_aside(EncodedRows(part, rows, codes), 0)
    assert facts is not None
    assert (facts.factor, facts.images, facts.chance) == ("plate", 300, 0.5)
    assert facts.before == 1
    assert max(facts.units, facts.after) < 0.65
    assert AsideFacts(**facts.to_json()) == facts
    codes[:, 1, 0] = base.factors(rows)[:, 0]
    told = measure_aside(EncodedRows(part, rows, codes), 0)
    assert told is not None
    assert told.units == 1


@pytest.mark.parametrize("rows", [np.arange(300), np.arange(0, 300, 2)])
def test_nothing_is_said_where_nothing_is_aside_or_all_are_of_one_class(rows: np.ndarray) -> None:
    dataset = plates() if len(rows) == 300 else correct_by(plates(), "plate")
    assert measure_aside(EncodedRows(dataset, rows, np.zeros((len(rows), 3, 1))), 0) is None
