import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from unweave.factors.factor import Coordinate
from unweave.runs.run import Run
from unweave.runs.unit_ranges import (
    curve_range,
    curves_of,
    default_selection,
    measure_values,
    most_varying,
    pack_groups,
    read_ranges,
    unit_ranges,
    write_ranges,
)
from unweave.runs.units import UnitGroup

CHOICES = [UnitGroup("a", [0], "0"), UnitGroup("b", [1, 2], "1-2")]


def test_groups_are_vectors_filled_up_to_one_length() -> None:
    codes = np.arange(12.0).reshape(2, 3, 2)
    packed = pack_groups(codes, CHOICES)
    assert packed.shape == (2, 2, 4)
    assert packed[1].tolist() == [[6, 7, 0, 0], [8, 9, 10, 11]]


def test_points_are_codes_on_the_first_principal_component() -> None:
    rng = np.random.default_rng(0)
    along = rng.normal(size=(500, 1))
    group = along * np.array([3.0, 4.0]) + 1
    codes = np.concatenate([rng.normal(size=(500, 1)), group], 1)[..., None]
    values = measure_values(codes, CHOICES)
    points = values.range_of(1).codes_at([0.0, 0.5, 1.0])
    assert points.shape == (3, 2, 1)
    ends = torch.from_numpy(np.stack([group[along.argmin()], group[along.argmax()]])).float()
    torch.testing.assert_close(points[[0, 2], :, 0], ends, atol=1e-4, rtol=1e-4)
    median = np.median(codes[:, 0, 0])
    assert float(values.range_of(0).codes_at([0.5])) == pytest.approx(median, abs=1e-6)


def test_a_line_goes_from_the_lowest_value_to_the_highest_and_back(quick_run: Run, diti_run: Run) -> None:
    stages = [UnitGroup(name, list(units), name) for name, units in diti_run.method().groups().items()]
    for run, choices in ((quick_run, [UnitGroup("a", [0], "0"), UnitGroup("b", [2], "2")]), (diti_run, stages)):
        for choice, line in zip(choices, unit_ranges(run, choices)):
            assert line.mean.shape == (len(choice.units), 1)
            shares = [line.quantile_of(line.code_at(share)) for share in (0.0, 0.25, 0.5, 1.0)]
            assert shares == pytest.approx([0.0, 0.25, 0.5, 1.0], abs=1e-3)
            levels = [float((line.code_at(share).numpy() * line.direction).sum()) for share in (0.1, 0.9)]
            assert levels[0] < levels[1]


def test_a_factor_goes_along_its_curve_and_round_a_closed_one(factored_run: Run) -> None:
    choices = [UnitGroup("f1", [0, 2], "f1"), UnitGroup("f2", [1], "f2"), UnitGroup("unit 3", [3], "3")]
    ring, line, unit = unit_ranges(factored_run, choices)
    assert [ring.closed, line.closed, unit.closed] == [True, False, False]
    assert ring.steps(4) == [0.0, 0.25, 0.5, 0.75]
    assert line.steps(3) == pytest.approx([0.02, 0.5, 0.98])
    torch.testing.assert_close(ring.code_at(0.0), ring.code_at(1.0))
    assert ring.codes_at([0.1, 0.6]).shape == (2, 2, 1)
    for span in (ring, line):
        assert [span.quantile_of(span.code_at(share)) for share in (0.2, 0.7)] == pytest.approx([0.2, 0.7], abs=1e-3)


def test_ranges_are_read_as_they_were_written(factored_run: Run) -> None:
    choices = [UnitGroup("f1", [0, 2], "f1"), UnitGroup("unit 3", [3], "3")]
    ranges = unit_ranges(factored_run, choices)
    write_ranges(factored_run.path, choices, ranges)
    again = read_ranges(factored_run)
    assert list(again) == ["f1", "3"]
    for span, read in zip(ranges, again.values()):
        torch.testing.assert_close(read.codes_at([0.3, 0.9]), span.codes_at([0.3, 0.9]), atol=1e-5, rtol=1e-5)
    (factored_run.path / "explorer.json").write_text('{"f1": {"levels": []}}')
    with pytest.raises(ValueError, match="is damaged"):
        read_ranges(factored_run)


def test_vector_units_move_along_their_principal_component() -> None:
    codes = np.random.default_rng(0).normal(size=(500, 2, 3)) * [[[3, 1, 0.1], [0.1, 2, 0.2]]] + 5
    points = (
        measure_values(codes, [UnitGroup("a", [0], "0"), UnitGroup("b", [1], "1")])
        .range_of(0)
        .codes_at([0.02, 0.98])
        .numpy()
    )
    assert points.shape == (2, 1, 3)
    assert np.ptp(points, axis=0)[0, 0] > 8  # along the first axis, where the spread is
    assert np.ptp(points, axis=0)[0, 2] < 1


def test_what_varies_most_is_kept_in_its_order() -> None:
    codes = np.random.default_rng(0).normal(size=(100, 4, 1)) * np.array([1.0, 5.0, 0.1, 3.0])[:, None]
    choices = [UnitGroup(str(at), [at], str(at)) for at in range(4)]
    assert [choice.word for choice in most_varying(codes, choices, 2)] == ["1", "3"]
    assert most_varying(codes, choices, 9) == choices


def test_a_single_group_is_looked_at_unit_by_unit(quick_run: Run, diti_run: Run) -> None:
    assert default_selection(quick_run.method(), 4) == [0, 1, 2, 3]
    assert default_selection(diti_run.method(), 24) == list(diti_run.method().groups())


def test_the_way_between_two_codes_is_on_the_curve_the_shorter_way_round() -> None:
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    line = curve_range(Coordinate(True, circle, np.linspace(0, 1, 101), 0.0), 1)
    first, last = (torch.tensor([[math.cos(a), math.sin(a)], [2.0, 0.0]])[..., None] for a in (2.8, 3.6))
    way = line.between(first, last, [0.0, 0.5, 1.0])
    assert way.shape == (3, 2, 2, 1)
    assert torch.allclose(way[0], first, atol=1e-6)
    assert torch.allclose(way[2], last, atol=1e-6)
    assert torch.allclose(way[1, 0, :, 0], torch.tensor([math.cos(3.2), math.sin(3.2)]), atol=0.01)
    assert torch.allclose(way[1, 1], first[1], atol=1e-6), "what is off the curve stays off it"


def test_factors_have_curves_and_units_none(factored_run: Run) -> None:
    groups = [UnitGroup("f1", [0, 2], "f1"), UnitGroup("f3", [3], "f3"), UnitGroup("unit 1", [1], "1")]
    (units, line), *more = curves_of(factored_run, groups)
    assert (units, line.closed, more) == ([0, 2], True, [])


def test_a_discrete_unit_goes_through_its_values() -> None:
    rows = np.random.default_rng(0).permutation(np.repeat([0.0, 1.0, 2.0, 5.0], [500, 3, 400, 97]))
    line = measure_values(rows[:, None, None], [UnitGroup("class", [0], "class")]).range_of(0)
    assert line.codes_at(line.steps(4)).flatten().tolist() == [0, 1, 2, 5]
    assert line.codes_at(line.steps(2)).flatten().tolist() == [0, 5]
    assert set(line.codes_at(np.linspace(0, 1, 50).tolist()).flatten().tolist()) <= {0, 1, 2, 5}
    assert line.codes_of(np.array([1.4, 4.0])).flatten().tolist() == [1, 5]


def test_ranges_of_discrete_units_are_kept(tmp_path: Path, quick_run: Run) -> None:
    rows = np.repeat([0.0, 1.0, 2.0], 100)[:, None, None]
    group = UnitGroup("class", [0], "class")
    write_ranges(tmp_path, [group], [measure_values(rows, [group]).range_of(0)])
    copy = shutil.copytree(quick_run.path, tmp_path / "copy")
    shutil.copy(tmp_path / "explorer.json", copy)
    assert read_ranges(Run(copy))["class"].values.tolist() == [0, 1, 2]
