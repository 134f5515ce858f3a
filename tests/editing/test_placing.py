import pytest
import torch

import unweave
from unweave.editing.placing import combine, parse_place
from unweave.method import Sampling, evaluating
from unweave.runs.factors import require_factors
from unweave.runs.images import read_images
from unweave.runs.run import Run
from unweave.runs.unit_ranges import unit_ranges
from unweave.runs.units import UnitGroup

FEW = Sampling("ddim", 2)


def test_a_place_is_a_quantile_a_state_or_a_picture() -> None:
    assert [parse_place(place, "f1") for place in (0.25, 1, "0.5", "state2", " like:me.png")] == [
        0.25, 1.0, 0.5, "state2", "like:me.png",
    ]  # fmt: skip
    for place in ("state", "like:", "high", ""):
        with pytest.raises(ValueError, match=f"f1={place} says no place"):
            parse_place(place, "f1")
    with pytest.raises(ValueError, match=r"from 0 \(lowest\) to 1 \(highest\), got f1=1.5"):
        parse_place(1.5, "f1")


def test_a_factor_goes_to_its_states(factored_run: Run) -> None:
    at_state = unweave.adjust(factored_run, [1], {"f2": "state2"}, sampling=FEW).images
    at_quantile = unweave.adjust(factored_run, [1], {"f2": 0.75}, sampling=FEW).images
    torch.testing.assert_close(at_state, at_quantile)
    for unit, has in (("f2", r"state1 \.\. state2"), ("f1", "no states"), (3, "no states")):
        with pytest.raises(ValueError, match=f"has {has}, got state3"):
            unweave.adjust(factored_run, [1], {unit: "state3"}, sampling=FEW)


def test_a_factor_goes_where_it_is_in_a_picture(factored_run: Run) -> None:
    method, line = factored_run.method(), unit_ranges(factored_run, [UnitGroup("f1", [0, 2], "f1")])[0]
    with evaluating(method):
        code = method.encode(read_images(factored_run, 7).images)[0, [0, 2]]
    like = unweave.adjust(factored_run, [1], {"f1": "like:7"}, sampling=FEW).images
    there = unweave.adjust(factored_run, [1], {"f1": line.quantile_of(code)}, sampling=FEW).images
    torch.testing.assert_close(like, there, atol=1e-3, rtol=1e-3)
    alone = unweave.adjust(factored_run, [1], {3: "like:7"}, seed=0, sampling=FEW).images
    swapped = unweave.swap(factored_run, [1], [7], 3, seed=0, sampling=FEW).images[:, 0]
    torch.testing.assert_close(alone, swapped)


def test_a_unit_goes_before_the_factor_that_it_is_in() -> None:
    factor, unit, other = UnitGroup("f1", [0, 2], "f1"), UnitGroup("unit 2", [2], "2"), UnitGroup("f2", [2], "f2")
    units, codes = combine([(unit, torch.ones(1, 1)), (factor, torch.zeros(2, 1))])
    assert dict(zip(units, codes[:, 0].tolist())) == {0: 0.0, 2: 1.0}
    for twice in ([(unit, torch.ones(1, 1))] * 2, [(factor, torch.ones(2, 1)), (other, torch.ones(1, 1))]):
        with pytest.raises(ValueError, match="set twice"):
            combine(twice)


def test_factors_are_what_verbs_take_where_nothing_is_listed(
    factored_run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    assert unweave.swap(factored_run, [0], [1], sampling=FEW).labels.columns[3:] == ["f1", "f2, size"]
    assert unweave.heatmap(factored_run, [0], [1], sampling=FEW).labels.columns == ["f1", "f2, size"]
    assert unweave.heatmap(factored_run, [0], [1], "f3", sampling=FEW).images.shape == (1, 16, 16)
    assert not caplog.records
    found = require_factors(factored_run)
    swapped = unweave.swap(factored_run, [0], [1], list(map(found.word, range(3))), sampling=FEW).images
    one_by_one = unweave.swap(factored_run, [0], [1], [1, 3], sampling=FEW).images
    torch.testing.assert_close(swapped[:, 1:], one_by_one)
