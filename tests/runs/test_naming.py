import json
from pathlib import Path

import pytest
import torch

import unweave
from unweave.method import Sampling
from unweave.runs import hub, naming, units
from unweave.runs.run import Run
from unweave.runs.units import UnitGroup
from unweave.types import NamedGroups

FEW = Sampling("ddim", 2)


def test_a_name_is_taken_wherever_a_unit_is(copy: Run, tmp_path: Path) -> None:
    assert naming.name_unit(copy, 3, "  wall   colour ") == {"wall colour": "3"}
    by_name, by_number = (
        unweave.swap(copy, [0], [1], [word], sampling=FEW).images for at, word in enumerate(("wall colour", 3))
    )
    assert torch.equal(by_name, by_number)
    method = copy.method()
    listed = units.resolve_groups(method.unit_groups, 4, None, units.unit_names(copy))
    assert [choice.name for choice in listed] == ["unit 0", "unit 1", "unit 2", "wall colour"]
    assert listed[3] == UnitGroup("wall colour", [3], "3")
    frames = unweave.traverse(copy, [0], ["wall colour", 0], sampling=FEW).images
    assert frames.shape[0] == 2


def test_a_unit_has_one_name_and_a_name_one_unit(copy: Run) -> None:
    naming.name_unit(copy, 3, "wall")
    assert naming.name_unit(copy, 3, "floor") == {"floor": "3"}
    assert naming.name_unit(copy, "02", "floor") == {"floor": "2"}
    assert naming.name_unit(copy, "0-1", "both") == {"floor": "2", "both": "0-1"}
    assert naming.name_unit(copy, "both", "pair") == {"floor": "2", "pair": "0-1"}
    assert units.resolve_groups(copy.method().unit_groups, 4, ["pair"], units.unit_names(copy)) == [
        UnitGroup("pair", [0, 1], "0-1")
    ]
    assert naming.name_unit(copy, 2, "") == {"pair": "0-1"}


@pytest.mark.parametrize("text", ["7", "3-5", "a,b", "x" * 41, "tab\x07"])
def test_names_that_cannot_be_told_from_units(copy: Run, text: str) -> None:
    with pytest.raises(ValueError, match="name"):
        naming.name_unit(copy, 1, text)
    assert units.unit_names(copy) == {}


@pytest.mark.parametrize("text", ["t100-200", "t2000", "b3"])
def test_groups_cannot_be_names(diti_run: Run, text: str) -> None:
    with pytest.raises(ValueError, match="already means units"):
        naming.name_unit(diti_run, 0, text)


def test_units_and_names_that_are_not_there(copy: Run) -> None:
    with pytest.raises(ValueError, match=r"0\.\.3"):
        naming.name_unit(copy, 4, "wall")
    naming.name_unit(copy, 1, "wall")
    with pytest.raises(LookupError, match="names of units of this run: wall"):
        unweave.swap(copy, [0], [1], ["floor"], sampling=FEW)
    (copy.path / "names.json").write_text("[3")
    with pytest.raises(ValueError, match=r"names\.json is damaged"):
        units.unit_names(copy)


def test_naming_opens_no_network_where_the_run_says_its_groups(copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy.path / "run.json").write_text(json.dumps({**copy.record(), "unit_groups": ["code"]}))
    with monkeypatch.context() as patch:
        patch.setattr(Run, "method", lambda *_, **__: pytest.fail("the network was opened"))
        assert naming.name_unit(copy, "code", "all of it") == {"all of it": "code"}
        with pytest.raises(ValueError, match="already means units"):
            naming.name_unit(copy, 0, "code")
    record = {key: value for key, value in copy.record().items() if key != "unit_groups"}
    (copy.path / "run.json").write_text(json.dumps(record))  # as runs were before
    assert naming.name_unit(copy, 1, "code") == {"all of it": "code", "code": "1"}


def test_the_names_of_groups_and_the_form_of_further_ones_are_stored(
    quick_run: Run, diti_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quick_run.record()["decodes"] is True
    assert quick_run.record()["unit_groups"] == []
    assert quick_run.record()["unit_group_pattern"] is None
    assert diti_run.record()["unit_groups"] == list(diti_run.method().unit_groups.named)
    assert units.group_facts(NamedGroups({"code": range(3)})) == {"unit_groups": ["code"], "unit_group_pattern": None}
    with monkeypatch.context() as patch:
        patch.setattr(Run, "method", lambda *_, **__: pytest.fail("the network was opened"))
        assert naming.name_unit(diti_run, 3, "hair") == {"hair": "3"}
        assert naming.name_unit(diti_run, 3, "") == {}
    with pytest.raises(ValueError, match="already means units"):
        naming.name_unit(diti_run, 3, "t100-299")


def test_names_travel_with_a_shared_run_and_may_change_there(copy: Run, tmp_path: Path) -> None:
    naming.name_unit(copy, 1, "wall")
    shared = unweave.from_pretrained(str(copy.save_pretrained(tmp_path / "shared")))
    assert units.unit_names(shared) == {"wall": "1"}
    naming.name_unit(shared, 2, "floor")
    (shared.path / "edit_scores.json").write_text(json.dumps({}))
    assert units.unit_names(unweave.from_pretrained(str(shared.path))) == {"wall": "1", "floor": "2"}
    (shared.path / "settings.toml").write_text("")
    with pytest.raises(ValueError, match=r"settings\.toml"):
        hub.check_shared(shared.path)


def test_a_factor_is_named_as_a_unit_is(factored_run: Run) -> None:
    assert naming.name_unit(factored_run, "f1", "wall  hue") == {"wall hue": "f1"}
    assert unweave.name_factor(factored_run, "f3", "rest").factors[2].name == "rest"
    assert naming.name_unit(factored_run, 3, "corner") == {"corner": "3", "wall hue": "f1", "rest": "f3"}
    assert naming.name_unit(factored_run, "wall hue", "hue") == {"corner": "3", "hue": "f1", "rest": "f3"}
    assert naming.name_factor(factored_run, "f3", "hue").factors[0].name is None  # the newest counts
    assert naming.name_unit(factored_run, "hue", "") == {"corner": "3"}
    swapped = unweave.swap(factored_run, [0], [1], "f1,corner", sampling=FEW)
    assert swapped.labels.columns[3:] == ["f1", "corner"]


@pytest.mark.parametrize("text", ["f2", "7", "0-1", "a,b", "corner"])
def test_names_that_a_factor_cannot_have(factored_run: Run, text: str) -> None:
    naming.name_unit(factored_run, 3, "corner")
    with pytest.raises(ValueError, match="name"):
        naming.name_factor(factored_run, "f1", text)


def test_a_unit_cannot_have_the_name_of_a_factor(factored_run: Run) -> None:
    naming.name_factor(factored_run, "f1", "hue")
    for text in ("hue", "f9"):
        with pytest.raises(ValueError, match=r"the name of a factor, f1|already means units"):
            naming.name_unit(factored_run, 3, text)
    assert naming.given_names(factored_run) == {"hue": "f1"}
