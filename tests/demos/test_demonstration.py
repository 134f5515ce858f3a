import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from unweave import registry
from unweave.demos._demonstration import Demonstration, Outcome, claims, demonstrate, find_demonstration
from unweave.demos._digest import digest

PICTURE = Image.new("RGB", (8, 8))
DEMO = Demonstration(
    paper="Somebody, something, somewhere",
    control="the same without it",
    run=lambda seed, small: Outcome({"score": 0.5 + seed}, {"score": 0.25}, PICTURE),
    holds=lambda measured, control: measured["score"] > control["score"] + 1,
)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that stands in for the one of `vae`."""
    module = ModuleType("made_up")
    module.__dict__["DEMO"] = DEMO
    monkeypatch.setattr(registry, "module", lambda family, name: module)
    return module


def test_what_was_shown_says_all_of_it(made_up: ModuleType, tmp_path: Path) -> None:
    shown = demonstrate("vae", seed=1, output=tmp_path / "a.png")
    assert shown.to_json() == {
        "name": "vae",
        "claim": claims()["vae"],
        "paper": DEMO.paper,
        "control_is": DEMO.control,
        "measured": {"score": 1.5},
        "control": {"score": 0.25},
        "beside": {},
        "holds": True,
        "seconds": 0.0,
        "seed": 1,
        "small": False,
        "digest": digest("vae", 1),
        "picture": str(tmp_path / "a.png"),
    }
    assert Image.open(tmp_path / "a.png").size == (8, 8)
    record = json.loads((tmp_path / "a.json").read_text())
    assert record == {**shown.to_json(), "picture": "a.png"}
    assert not demonstrate("vae", output=tmp_path / "b.png").holds


def test_a_picture_that_is_there_is_kept_before_anything_runs(made_up: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    made_up.__dict__["DEMO"] = replace(DEMO, run=lambda seed, small: pytest.fail("it ran"))
    with pytest.raises(FileExistsError, match="--overwrite"):
        demonstrate("vae", output=tmp_path / "a.png")


def test_pictures_have_a_place(made_up: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [demonstrate("vae").picture, demonstrate("vae").picture] == [Path("demos/vae.png"), Path("demos/vae-2.png")]


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(LookupError, match="Did you mean 'vae'"):
        find_demonstration("vea")


def test_a_module_without_a_demonstration_is_told(made_up: ModuleType) -> None:
    del made_up.__dict__["DEMO"]
    with pytest.raises(LookupError, match="has no DEMO"):
        find_demonstration("vae")
