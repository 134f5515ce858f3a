import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from tests.cli.test_cli import run

from unweave import registry
from unweave.demos._demonstration import Demonstration, Outcome, claims


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Puts a demonstration in the place of `vae` whose claim holds, or does not."""

    def put(holds: bool) -> None:
        module = ModuleType("made_up")
        outcome = Outcome({"score": 0.75}, {"score": 0.25}, Image.new("RGB", (8, 8)))
        module.__dict__["DEMO"] = Demonstration("A paper", "without it", lambda *_: outcome, lambda *_: holds)
        monkeypatch.setattr(registry, "module", lambda family, name: module)

    return put


@pytest.mark.parametrize("holds", [True, False])
def test_the_exit_status_says_whether_the_claim_holds(
    made_up: Callable[[bool], None],
    holds: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    made_up(holds)
    picture = str(tmp_path / "vae.png")
    assert run(monkeypatch, "demo", "vae", "--json", "--seed", "1", "--output", picture) == int(not holds)
    printed = json.loads(capsys.readouterr().out)
    assert {"name", "claim", "measured", "control", "holds", "seconds", "picture"} <= printed.keys()
    assert printed["holds"] is holds
    assert Path(picture).is_file()
    assert run(monkeypatch, "demo", "vae", "--output", picture, "--overwrite") == int(not holds)
    printed = capsys.readouterr().out
    assert all(
        word in printed for word in (" ".join(claims()["vae"].split()[:5]), "0.75", "0.25", "without it", "vae.png")
    )


def test_without_a_name_there_is_a_line_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(monkeypatch, "demo") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(claims())
    assert all(claim in line for line, claim in zip(lines, claims().values()))
    assert run(monkeypatch, "demo", "--json") == 0
    assert json.loads(capsys.readouterr().out) == claims()
