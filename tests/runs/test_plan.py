from pathlib import Path
from typing import Any

import pytest

from unweave.config import SettingsError
from unweave.data.formats import npz
from unweave.data.sets import rooms, sprites
from unweave.data.settings import ViewSettings
from unweave.runs.plan import default_run_dir, differing, plan
from unweave.runs.run import write_settings
from unweave.runs.settings import without_none

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_a_complete_plan(path: Path) -> None:
    settings = plan(path)
    assert settings.method.name
    assert settings.training.images > 0


def test_there_are_configs() -> None:
    assert len(CONFIGS) > 3


def test_a_method_name_brings_the_laptop_preset_and_later_tables_win() -> None:
    settings = plan("encdiff", {"data": "sprites"}, {"data": {"size": 16}}, {"method": {"units": 7}})
    assert settings.preset == "laptop"
    assert settings.data == sprites.SpritesSettings(size=16)
    assert (settings.method.units, settings.method.prediction) == (7, "x0")
    assert plan("encdiff", {"preset": "release"}).method.prediction == "eps"


def test_settings_of_a_plan_are_a_plan_again(tmp_path: Path) -> None:
    from unweave.runs.run import create

    settings = plan("encdiff", {"data": "rooms", "training": {"clip": 1.0}})
    run = create(tmp_path / "run", settings)
    assert run.settings == settings
    assert plan(run.path / "settings.toml") == settings


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"methods": {"units": 3}}, "methods is not a table of settings. Did you mean 'method'"),
        ({"preset": "labtop"}, "has no preset 'labtop'. Did you mean 'laptop'"),
        ({"method": {"unit": 3}}, "method.unit is not a setting. Did you mean 'units'"),
        ({"training": {"image": 3}}, "training.image is not a setting. Did you mean 'images'"),
        ({"training": {"images": "many"}}, "training.images: input should be a valid integer"),
    ],
)
def test_unknown_settings_are_refused(tables: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan("encdiff", tables)


def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="Did you mean 'encdiff'"):
        plan("encdif")
    with pytest.raises(LookupError, match="Did you mean 'rooms'"):
        plan("encdiff", {"data": "room"})
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(SettingsError, match=r"method\.name is missing"):
        plan(tmp_path / "empty.toml")


def test_places_are_never_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = plan("encdiff")
    assert default_run_dir(settings) == Path("runs/encdiff-rooms")
    Path("runs/encdiff-rooms").mkdir(parents=True)
    assert default_run_dir(settings) == Path("runs/encdiff-rooms-2")


def test_a_resumed_run_is_the_newest_of_the_same_settings_else_of_another_machine(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, threads, seed in (("", 1, 0), ("-2", 2, 0), ("-3", 1, 1)):
        place = Path(f"runs/encdiff-rooms{name}")
        place.mkdir(parents=True)
        write_settings(place, plan("encdiff", {"training": {"threads": threads, "seed": seed}}))

    def found(**training: int) -> str:
        return default_run_dir(plan("encdiff", {"training": training}), resume=True).name

    assert found(threads=1) == "encdiff-rooms"  # the second has other threads, the third another seed
    assert found(threads=2) == "encdiff-rooms-2"
    assert found() == "encdiff-rooms-2"
    assert found(seed=1) == "encdiff-rooms-3"
    assert found(seed=2) == "encdiff-rooms-4"


def test_differences_are_named() -> None:
    one, other = plan("encdiff"), plan("encdiff", {"method": {"units": 3}, "training": {"seed": 9}})
    assert differing(one, one) == []
    assert differing(one, other) == ["method.units", "training.seed"]


def test_another_data_set_does_not_inherit_the_path_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        f'[method]\nname = "encdiff"\n[data]\nname = "npz"\npath = "{tmp_path}/x.npz"\nsize = 16\n'
    )
    assert plan(tmp_path / "a.toml", {"data": "sprites"}).data == sprites.SpritesSettings(size=16)


def test_data_are_written_with_their_defaults_and_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert plan("encdiff", {"preset": "release"}).data == rooms.RoomsSettings(size=64)
    table = plan("encdiff", {"data": {"name": "npz", "path": "x.npz"}}).data
    assert table == npz.NpzSettings(path=tmp_path / "x.npz", size=32)
    assert plan("encdiff", {"data": {"size": 64}}).data == rooms.RoomsSettings(size=64)


VIEW = {"split": "train", "split_seed": 0, "keep": {"shape": [0, 1]}, "leave_out": {}}


def test_a_view_is_kept_with_its_defaults_only_where_there_is_one(tmp_path: Path) -> None:
    from unweave.runs.run import create

    given = [{"data": "rooms"}, {"data": {"view": {"split": "train"}}}, {"data": {"view": {"keep": {"shape": [0, 1]}}}}]
    settings = plan("encdiff", *given)
    assert without_none(settings.data.model_dump(mode="json")) == {"name": "rooms", "size": 32, "view": VIEW}
    run = create(tmp_path / "run", settings)
    assert run.settings == settings
    assert plan(run.path / "settings.toml") == settings
    assert "view" not in plan("encdiff", {"data": "rooms"}).data
    assert differing(settings, plan("encdiff", {"data": "rooms"})) == ["data.view"]


def test_a_view_goes_with_its_data_in_any_order_of_words(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[method]\nname = "encdiff"\n[data]\nname = "sprites"\nview = {split = "valid"}\n')
    words = [{"data": {"view": {"split": "train"}}}, {"data": "rooms"}, {"data": {"view": {"keep": {"shape": [0, 1]}}}}]
    for what in ("encdiff", tmp_path / "a.toml"):
        for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
            assert plan(what, *[words[i] for i in order]).data.view == ViewSettings(**VIEW)
    assert plan(tmp_path / "a.toml", {"data": {"size": 16}}).data.view.split == "valid"
    assert plan(tmp_path / "a.toml", {"data": "rooms"}).data.view is None, "another data set has other factors"


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("train", r"data\.view must be a table, as by data\.view\.split=train, got 'train'"),
        ({"split": "trian"}, r"data\.view\.split: input should be 'all', 'train', 'valid' or 'test', got 'trian'"),
        ({"keep": {"shape": 0}}, r"data\.view\.keep\.shape is a list, as data\.view\.keep\.shape=\[0\]; got 0"),
    ],
)
def test_a_view_that_cannot_be_is_refused(view: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan("encdiff", {"data": {"name": "rooms", "view": view}})


def test_lists_in_data_settings_are_the_same_after_reading(tmp_path: Path) -> None:
    from unweave.runs.run import create

    table = {"name": "folder", "path": str(tmp_path), "labels": "folders", "factors": ("a", "b")}
    settings = plan("encdiff", {"data": table})
    assert create(tmp_path / "run", settings).settings == settings


def test_a_set_of_the_hub_keeps_its_name_and_labels_beside_an_archive_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(plan("encdiff", {"data": "hf://owner/name"}).data.path) == "owner/name"
    data = {"name": "archive", "path": "a.zip", "labels": "l.csv"}
    assert str(plan("encdiff", {"data": data}).data.labels) == "l.csv"
    (tmp_path / "l.csv").write_text("")
    assert str(plan("encdiff", {"data": data}).data.labels) == str(tmp_path / "l.csv")


def test_a_misspelt_view_is_named() -> None:
    with pytest.raises(SettingsError, match=r"data\.vew is not a setting\. Did you mean 'view'"):
        plan("encdiff", {"data": {"name": "sprites", "vew": {"split": "train"}}})


def test_a_foundation_that_is_named_takes_the_place_of_the_presets() -> None:
    own = plan("disdiff").foundation.networks()["denoiser"]
    assert own.origin.endswith("runs/denoiser-laptop-kl-rooms-32")
    assert isinstance(own.recipe, dict)
    assert own.recipe["data"] == {"name": "rooms", "size": 32}
    named = plan("disdiff", {"foundation": {"denoiser": {"from": "somebody/else"}}}).foundation.networks()["denoiser"]
    assert (named.origin, named.recipe) == ("somebody/else", None)
    recipe = plan("disdiff", {"foundation": {"denoiser": {"recipe": {"training": {"images": 9}}}}}).foundation
    changed = recipe.networks()["denoiser"].recipe
    assert isinstance(changed, dict)
    assert (changed["preset"], changed["training"], changed["method"]) == (
        "laptop-kl",
        {"images": 9},
        {"name": "denoiser"},
    )
    by_name = plan("disdiff", {"foundation": {"denoiser": {"recipe": "denoiser"}}}, {"data": "sprites"})
    assert by_name.foundation.networks()["denoiser"].origin.endswith("runs/denoiser-laptop-sprites-32")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"denoiser": "runs/a"}, r"set by foundation\.denoiser\.from=PLACE"),
        ({"denoisr": {"from": "a"}}, r"foundation\.denoisr is not a setting\. Did you mean 'denoiser'\?"),
        ({"denoiser": {"form": "a"}}, r"Did you mean 'from'\? \[foundation\.denoiser\] has: from, recipe\."),
    ],
)
def test_foundations_that_cannot_be_planned_say_why(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan("disdiff", {"foundation": table})
