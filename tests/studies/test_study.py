from pathlib import Path

import pytest

from unweave.config import SettingsError
from unweave.studies.study import SettingRange, Study, combinations, read_study, seeds_of, small


def test_a_range_has_its_ends_and_whole_numbers_where_both_are() -> None:
    assert SettingRange(low=1e-4, high=1e-2, count=3, scale="log").values() == [1e-4, 1e-3, 1e-2]
    assert SettingRange(low=1, high=4, count=4).values() == [1, 2, 3, 4]
    assert SettingRange(low=1, high=2, count=9).values() == [1, 2]
    with pytest.raises(ValueError, match="must be above 0"):
        SettingRange(low=0, high=1, count=2, scale="log").values()


def test_several_settings_take_every_combination() -> None:
    tables = combinations({"method.beta": [1, 4], "training.betas": [[0.9, 0.98]]})
    assert tables == [
        {"method": {"beta": beta}, "training": {"betas": [0.9, 0.98]}} for beta in (1, 4)
    ]  # fmt: skip
    assert combinations({}) == [{}]


def test_seeds_are_a_number_or_a_list() -> None:
    assert seeds_of(3) == [0, 1, 2]
    assert seeds_of([5, 2, 5]) == [5, 2]


def test_an_unknown_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('method = ["betavae"]\n')
    with pytest.raises(SettingsError, match="Did you mean 'methods'"):
        read_study(path)


def test_what_is_wrong_with_an_entry_is_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    for entry, said in {
        '{label = "x"}': r"^methods\.1\.name is missing",
        '{name = "betavae", sed = 1}': r"Did you mean 'seeds'\? \[methods\.1\] has: data, images, label",
        '{name = "betavae", settings = "method.beta=4"}': r"methods\.1\.settings is a table, as { key = value }; got",
    }.items():
        path.write_text(f'methods = ["betavae", {entry}]\n')
        with pytest.raises(SettingsError, match=said):
            read_study(path)


def test_the_small_form_has_one_seed_and_no_budget_of_the_study() -> None:
    entry = {"name": "dotvae", "seeds": 5, "images": [10**6], "data": ["rooms"], "small": {"method": {"every": 10}},
             "settings": {"method": {"every": 1000, "units": 4}}}  # fmt: skip
    study = small(Study.model_validate({"methods": ["betavae", entry], "images": [10**6], "imports": ["a.json"]}))
    assert (study.seeds, study.data, study.imports, study.rows) == (1, ["sprites"], [], 2_000)
    assert study.methods[1].settings["method"] == {"every": 10, "units": 4}
    assert study.methods[1].seeds is study.methods[1].images is study.methods[1].data is None
