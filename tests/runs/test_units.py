import pytest

from unweave.method import Sampling
from unweave.runs import units
from unweave.runs.factors import require_factors
from unweave.runs.run import Run
from unweave.runs.units import UnitGroup
from unweave.types import NamedGroups

FEW = Sampling("ddim", 2)


def test_names_never_stand_for_what_means_units_already(copy: Run, diti_run: Run) -> None:
    (copy.path / "names.json").write_text('{"3": "0", "0-1": "2", "-1": "0"}')
    names = units.unit_names(copy)
    assert units.resolve_groups(copy.method().unit_groups, 4, [3, "0-1"], names) == [
        UnitGroup("unit 3", [3], "3"),
        UnitGroup("units 0-1", [0, 1], "0-1"),
    ]
    for wrong in (-1, "-1", 4):
        with pytest.raises(ValueError, match=r"0\.\.3"):
            units.resolve_groups(copy.method().unit_groups, 4, [wrong], names)
    groups = diti_run.method().unit_groups
    assert units.resolve_groups(groups, 24, ["t0-249"], {"t0-249": "3"})[0].units == list(groups.find("t0-249"))


def test_factors_are_asked_for_by_word_and_by_name_and_taken_where_none_is(factored_run: Run) -> None:
    found = require_factors(factored_run)
    found = found.with_factor(1, found.factors[1].named("size"))
    groups = NamedGroups({"code": range(4)})
    listed = units.resolve_groups(groups, 4, ["f1", "size", 3, "code"], {}, found)
    assert listed == [
        UnitGroup("f1", [0, 2], "f1"),
        UnitGroup("size", [1], "f2"),
        UnitGroup("unit 3", [3], "3"),
        UnitGroup("code", [0, 1, 2, 3], "code"),
    ]
    assert units.resolve_groups(groups, 4, "f1,size", {}, found) == listed[:2]
    assert [group.word for group in units.resolve_groups(groups, 4, None, {}, found)] == ["f1", "f2"]
    assert units.single_units(listed) == [0, 2, 1, 3]
    with pytest.raises(LookupError, match="this run has f1"):
        units.resolve_groups(groups, 4, ["f4"], {}, found)
    with pytest.raises(LookupError, match="factors of this run were not found yet"):
        units.resolve_groups(groups, 4, ["f1"], {})
    with pytest.raises(ValueError, match=r"unit must be in 0\.\.1"):
        units.resolve_groups(groups, 2, ["f1"], {}, found)
