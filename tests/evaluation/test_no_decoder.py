"""A method that encodes and draws nothing is scored, reported, compared and probed like any other."""

from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from torch import nn

import unweave
from unweave import registry
from unweave.cli import main as cli
from unweave.cli.train import next_steps as after_training
from unweave.config import NamedSettings
from unweave.evaluation.probe import probe
from unweave.evaluation.report.report import next_steps
from unweave.method import Batch, Loss, Method, MethodDefinition, Player
from unweave.runs.run import Run


class ColoursSettings(NamedSettings):
    name: Literal["colours"] = "colours"
    units: int = 4


class Colours(Method):
    """Numbers from the mean colours of an image, that shall vary."""

    def __init__(self, settings: ColoursSettings, _: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(3, settings.units)

    def players(self) -> list[Player]:
        return [Player("colours", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        spread = self.encode(batch.images).std()
        return Loss((spread - 1).square(), {"spread": spread})

    def encode(self, images):
        return self.linear(images.mean((2, 3))).unsqueeze(2)


class Point:
    name = "colours"

    def load(self) -> ModuleType:
        module = ModuleType("colours")
        presets = {"laptop": {"data": {"size": 16}, "training": {"batch": 32, "precision": "float32"}}}
        module.__dict__["METHOD"] = MethodDefinition(ColoursSettings, Colours, presets, "nobody")
        return module


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr(registry, "points_outside", lambda family: [Point()] if family == "methods" else [])
    return unweave.train("colours", data="sprites", training={"images": 96}, run=tmp_path / "colours")


@pytest.mark.slow
def test_what_needs_no_decoder_works(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    scores = unweave.evaluate(run, protocols=["mig@1"], rows=500, repeats=1)
    assert 0 <= scores["protocols"]["mig@1"]["mig"]["value"] <= 1
    after = [f"unweave report {run.path}", f"unweave evaluate {run.path} (where factors are known)"]
    assert after_training(run) == after
    assert unweave.encode(run, images=[0, 1])["codes"].shape == (2, 4, 1)
    unweave.name_unit(run, 1, "brightness")
    assert probe(run, rows=200).mean

    written = unweave.report(run)
    page = written.page.read_text()
    assert "Real images from low to high" in page
    assert "all else fixed" not in page
    assert "Real images along it" in page
    assert {each.factor.measured for each in written.facts.factors} == {None}
    assert "unweave edit traverse" not in page
    assert f"unweave train pdae data=sprites data.size=16 foundation.encoder.from={run.path}" in page
    assert not any("unweave app" in line for line in next_steps(written))
    compared = unweave.compare([run, run]).runs[0]
    assert compared.swap_consistency is None
    assert compared.live_units > 0

    for words in (["edit", "swap"], ["edit", "traverse"], ["app"]):
        monkeypatch.setattr("sys.argv", ["unweave", *words, str(run.path)])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            cli.main()
        (said,) = capsys.readouterr().err.splitlines()
        assert "Colours has no decoder" in said
        assert f"`unweave train pdae data=sprites data.size=16 foundation.encoder.from={run.path}`" in said
