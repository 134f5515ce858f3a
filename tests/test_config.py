import os
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from unweave.config import Frozen, SettingsError, merge, nearest, parse, parse_word, read


class Inner(Frozen):
    units: int = Field(3, ge=1)


class Outer(Frozen):
    name: str
    rate: float = 1e-4
    inner: Inner = Inner()


KEYS = st.text("abcdefgh_", min_size=1, max_size=6)
VALUES = st.one_of(
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("xyz ", max_size=5),
)


@given(st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3)), max_size=4))
def test_toml_round_trip(tmp_path_factory: pytest.TempPathFactory, table: dict) -> None:
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(tomli_w.dumps(table))
    assert read(path) == table


@given(st.lists(KEYS, min_size=1, max_size=3), st.one_of(st.integers(), st.booleans()))
def test_words_become_nested_tables(keys: list[str], value: object) -> None:
    table = parse_word(f"{'.'.join(keys)}={str(value).lower()}")
    for key in keys:
        table = table[key]
    assert table == value


def test_words_are_toml_or_else_text() -> None:
    assert parse_word("training.rate=1e-4") == {"training": {"rate": 1e-4}}
    assert parse_word("data=rooms") == {"data": "rooms"}
    assert parse_word("method.channels=[64, 128]") == {"method": {"channels": [64, 128]}}
    for wrong in ("training.images", "=3", "a..b=1"):
        with pytest.raises(SettingsError, match=r"expected dotted\.key=value"):
            parse_word(wrong)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, st.integers())))
def test_merging_with_nothing_or_itself_changes_nothing(table: dict) -> None:
    assert merge(table) == merge({}, table) == merge(table, {}) == merge(table, table) == table


def test_later_tables_win_key_by_key() -> None:
    assert merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"name": "a", "rat": 1},
            r"method\.rat is not a setting\. Did you mean 'rate'\? \[method\] has: inner, name, rate",
        ),
        ({"name": "a", "inner": {"unit": 4}}, r"method\.inner\.unit is not a setting\. Did you mean 'units'"),
        ({}, r"method\.name is missing"),
        ({"name": "a", "rate": "fast"}, r"method\.rate: input should be a valid number.*got 'fast'"),
        (
            {"name": "a", "inner": {"units": 0}},
            r"method\.inner\.units: input should be greater than or equal to 1, got 0",
        ),
    ],
)
def test_errors_name_table_and_key(table: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse(Outer, table, "method")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Outer(name="a").rate = 1.0  # type: ignore[misc]


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        read(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("a = [1")
    with pytest.raises(SettingsError, match=r"broken\.toml is not valid TOML"):
        read(tmp_path / "broken.toml")


@pytest.mark.parametrize("path", ["2024-05-01", "12", "1.50", "true"])
def test_a_folder_may_be_called_as_a_number_or_a_date(path: str) -> None:
    assert parse_word(f"data={path}") == {"data": path}
    assert parse_word(f"data.path={path}") == {"data": {"path": path}}
    assert parse_word('data={name="rooms"}') == {"data": {"name": "rooms"}}


def test_the_nearest_name_does_not_mind_capitals() -> None:
    assert nearest("MIG", ["dci@1", "mig@1"]) == " Did you mean 'mig@1'?"


def test_a_settings_file_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    with pytest.raises(SettingsError, match="no settings file"):
        read(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(SettingsError, match=r"b\.toml is not valid TOML"):
        read(tmp_path / "b.toml")
