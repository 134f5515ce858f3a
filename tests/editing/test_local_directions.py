"""Directions that nobody trained, over runs and checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import unweave
from unweave.cli.main import app
from unweave.editing.jacobian import push
from unweave.editing.local_directions import DirectionSettings, choose_time, read_mask
from unweave.runs.denoisers import open_denoiser
from unweave.runs.images import read_images
from unweave.runs.run import Run

FEW = DirectionSettings(count=2, null_rank=2, iterations=2, steps=3)
OF_X_T = DirectionSettings("x_t", count=2, null_rank=2, iterations=2, steps=3)


def test_a_run_of_its_own_denoiser_gives_directions(quick_run: Run) -> None:
    edit, facts = unweave.local_directions(quick_run, 3, [4, 4, 12, 12], OF_X_T)
    assert edit.images.shape == (2, 2, 3, 16, 16)
    assert edit.labels.columns == ["mask", "rebuilt", "back", "forth"]
    assert facts.inside.shape == (2, 2)
    assert facts.directions.gains[0] >= facts.directions.gains[1] >= 0
    again, _ = unweave.local_directions(quick_run, 3, [4, 4, 12, 12], OF_X_T)
    assert torch.equal(edit.images, again.images)


def test_the_slope_of_a_network_with_attention_is_that_of_small_steps(quick_run: Run) -> None:
    picture = read_images(quick_run, 3).images
    denoiser = open_denoiser(quick_run).of_picture(picture)
    x_t = denoiser.noised(picture, torch.Generator(), 600, 3)
    vector = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ends = [denoiser.picture(x_t + side * 1e-2 * vector, 600) for side in (-1, 1)]
    slope = push(lambda x: denoiser.picture(x, 600), x_t, vector)
    assert torch.allclose(slope, (ends[1] - ends[0]) / 2e-2, atol=2e-3 * float(slope.abs().max()) + 1e-4)


@pytest.mark.long
def test_a_method_on_a_frozen_denoiser_lends_that_one(disdiff_run: Run) -> None:
    opened = open_denoiser(disdiff_run)
    assert not opened.takes_units
    edit, facts = unweave.local_directions(disdiff_run, None, None, OF_X_T)  # drawn from the seed
    assert edit.images.shape == (2, 2, 3, 16, 16)
    assert edit.labels.columns[0] == "image"
    assert (facts.outside == 0).all()


def test_without_a_picture_there_are_no_units(quick_run: Run) -> None:
    with pytest.raises(ValueError, match="draws pictures from units"):
        unweave.local_directions(quick_run, settings=OF_X_T)
    with pytest.raises(ValueError, match="draws pictures from codes"):
        unweave.local_directions(quick_run)


def test_codes_of_a_vae_move_what_is_inside_and_little_outside(vivid_run: Run) -> None:
    def changes(rank: int) -> tuple[float, float]:
        settings = DirectionSettings(count=1, null_rank=rank, change=0.001)
        _, facts = unweave.local_directions(vivid_run, 3, [0, 0, 16, 8], settings)
        assert facts.of == "codes"
        assert facts.inside.mean() == pytest.approx(0.001, rel=0.2)
        return facts.inside.mean(), facts.outside.mean()

    free, kept = changes(0), changes(3)
    assert kept[1] / kept[0] < free[1] / free[0]


def test_a_mask_is_a_box_or_the_bright_part_of_a_picture(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[8:16, 4:12] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    drawn = read_mask(tmp_path / "mask.png", (16, 16))
    assert torch.equal(drawn, read_mask([2, 4, 6, 8], (16, 16)))
    assert read_mask(None, (16, 16)).all()
    Image.fromarray(pixels * 0).save(tmp_path / "dark.png")
    with pytest.raises(ValueError, match="dark everywhere"):
        read_mask(tmp_path / "dark.png", (16, 16))
    with pytest.raises(ValueError, match="LEFT,TOP,RIGHT,BOTTOM within 16 x 16"):
        read_mask([2, 4, 18, 8], (16, 16))


def test_the_time_is_one_that_the_network_knows() -> None:
    assert choose_time(None, 0) == 600
    assert choose_time(None, 800) == 899
    with pytest.raises(ValueError, match=r"801\.\.999, got 500"):
        choose_time(500, 800)


def test_the_command_line_draws_them(quick_run: Run, tmp_path: Path) -> None:
    target = tmp_path / "d.png"
    words = ["--count", "1", "--null-rank", "1", "--iterations", "1", "--steps", "2", "-o", str(target)]
    done = CliRunner().invoke(app, ["edit", "directions", str(quick_run.path), "3", "--mask", "4,4,12,12", *words])
    assert done.exit_code == 0, done.output
    assert target.is_file()
    missing = CliRunner().invoke(app, ["edit", "directions", str(tmp_path / "none"), *words[:-2]])
    assert "no run that pictures go into" in str(missing.exception)
