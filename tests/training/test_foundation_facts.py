"""What is measured of a frozen denoiser before the first step, shown in the run, and used by DiTi."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tests.conftest import small_denoiser

import unweave
from unweave.config import SettingsError
from unweave.methods.diti import METHOD, DiTiSettings
from unweave.models.foundation import Foundation
from unweave.models.frozen_error import ErrorCurve
from unweave.runs.run import Run
from unweave.training import foundation_facts

SPRITES = {"name": "sprites", "size": 16}


def frozen(error: ErrorCurve | None = None) -> Foundation:
    return Foundation((3, 16, 16), 100, denoiser=small_denoiser(), error=error)


@pytest.mark.slow
def test_a_run_on_a_denoiser_shows_and_records_its_error(diti_run: Run, disdiff_run: Run) -> None:
    for run in (diti_run, disdiff_run):
        assert min(Image.open(run.pictures / "foundation-error.png").size) > 100
        facts = json.loads((run.path / "run.json").read_text())["foundation_error"]
        assert len(facts["times"]) == len(facts["errors"]) == 26
        assert facts["errors"][0] > 0
        assert 0 < facts["mean_picture"] < 4


def test_a_model_that_sees_nothing_is_warned_of_with_the_remedy() -> None:
    warned = foundation_facts.warning(frozen(ErrorCurve((100, 500, 999), (0.1, 0.21, 0.3), 0.2)))
    assert warned is not None
    assert (
        "at 2 of 3 times, t = 500 .. 999 (at t = 999 its squared error is 0.3, that of the mean picture 0.2)" in warned
    )
    assert "train the denoiser for longer" in warned
    assert foundation_facts.warning(frozen(ErrorCurve((100, 999), (0.1, 0.2), 0.2))) is None
    assert foundation_facts.warning(frozen()) is None
    assert min(foundation_facts.picture(ErrorCurve((0, 999), (0.1, 0.2), 0.2)).size) > 100


def test_losses_of_factors_are_those_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foundation_facts, "PAIRS", 8)
    monkeypatch.setattr(foundation_facts, "LOSS_TIMES", (0, 500))
    dataset = unweave.open_data({**SPRITES, "view": {"keep": {"x": [3, 4], "y": [3], "orientation": [0]}}})
    losses = foundation_facts.with_losses(frozen(), dataset).losses
    assert losses is not None
    assert set(losses.of_factors) == set(dataset.factor_names)
    for loss in losses.of_factors.values():
        assert len(loss) == len(losses.times) == 2
        assert all(0 <= value <= 1 for value in loss)


def test_images_without_factors_have_no_losses(tmp_path: Path) -> None:
    for i in range(4):
        Image.new("RGB", (16, 16), (i, 0, 0)).save(tmp_path / f"{i}.png")
    with pytest.raises(SettingsError, match=r"differ in one factor alone.*no known factors"):
        foundation_facts.with_losses(frozen(), unweave.open_data({"name": "folder", "path": str(tmp_path), "size": 16}))


def test_edges_of_factors_are_supervised_and_no_others() -> None:
    assert METHOD.labels is not None
    assert [METHOD.labels(DiTiSettings(edges=edges, widths=(512,))) for edges in ("factors", "auto", (1000,))] == [
        (), None, None,
    ]  # fmt: skip


@pytest.mark.slow
def test_a_run_of_the_gap_keeps_what_was_measured(diti_run: Run, tmp_path: Path) -> None:
    source = diti_run.settings.foundation.denoiser
    assert source is not None
    slices = {"edges": [500, 1000], "widths": [4, 8], "dim": 12, "encoder_widths": [32, 32]}
    run = unweave.train(
        "diti",
        {"foundation": {"denoiser": {"from": source.origin, "recipe": source.recipe}}},
        preset="gap",
        data=SPRITES,
        method=slices,
        training={"images": 192, "batch": 32, "precision": "float32", "preview": 10**9, "warmup": 0},
        run=tmp_path / "gap",
    )
    assert run.method_title() == "diti"
    tensors = [load_file(run.checkpoint() / f"{name}.safetensors") for name in ("weights", "average")]
    assert {"norm.statistics.running_mean", "norm.gain"} <= set(tensors[1])
    assert not torch.equal(*(of["norm.statistics.running_mean"] for of in tensors))
    method = run.method("averaged")
    error = json.loads((run.path / "run.json").read_text())["foundation_error"]["errors"]
    assert method.error[[0, 999]].tolist() == pytest.approx([error[0], error[-1]])
    assert torch.equal(method.norm.statistics.running_mean, tensors[1]["norm.statistics.running_mean"])
