"""The verbs that only methods with gradient fields have."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import unweave
from unweave.cli.main import app
from unweave.method import Sampling
from unweave.runs.run import Run

FEW = Sampling("ddim", 2)


def test_fields_are_a_map_for_every_unit_and_time(disdiff_run: Run, tmp_path: Path) -> None:
    edit = unweave.field_maps(disdiff_run, images=[0, 1], units=[2, 0], times=[100, 900])
    assert edit.images.shape == (2, 2, 2, 16, 16)
    assert (edit.images >= 0).all()
    assert edit.images.max() > 0
    assert edit.save(tmp_path / "fields.png").stat().st_size > 1_000
    assert edit.labels == (["unit 2", "unit 0"], ["t = 100", "t = 900"])
    again = unweave.field_maps(disdiff_run, images=[0, 1], units=[0], times=[100])
    assert (again.images[:, 0, 0] - edit.images[:, 1, 0]).abs().max() < 1e-6


def test_times_outside_the_process_are_refused(disdiff_run: Run) -> None:
    with pytest.raises(ValueError, match=r"0\.\.999, got 1000"):
        unweave.field_maps(disdiff_run, images=[0], times=[1000])


def test_a_single_field_is_neither_the_full_swap_nor_the_reconstruction(disdiff_run: Run) -> None:
    edit = unweave.edit_alone(disdiff_run, [0], [3], [0, 1], sampling=FEW)
    assert edit.images.shape == (1, 3, 3, 16, 16)  # two units, and both at once
    swapped = unweave.swap(disdiff_run, [0], [3], [0], sampling=FEW).images
    assert (edit.images[:, 0] - swapped[:, 0]).abs().max() > 1e-6


def test_all_units_of_the_image_itself_are_its_reconstruction(disdiff_run: Run) -> None:
    edit = unweave.edit_alone(disdiff_run, [0], [], sampling=FEW)
    rebuilt = unweave.reconstruct(disdiff_run, [0], sampling=FEW)
    assert (edit.images[:, -1] - rebuilt.images[1]).abs().max() < 1e-5


def test_methods_without_fields_say_what_they_have(quick_run: Run) -> None:
    with pytest.raises(ValueError, match="encdiff has no gradient fields; it has: attention"):
        unweave.field_maps(quick_run, images=[0])


def test_the_command_line_has_them(disdiff_run: Run, tmp_path: Path) -> None:
    target, runner = tmp_path / "f.png", CliRunner()
    words = [str(disdiff_run.path), "0", "--times", "10,500", "--output", str(target)]
    assert runner.invoke(app, ["edit", "fields", *words]).exit_code == 0
    assert target.is_file()
    target = tmp_path / "a.png"
    words = [str(disdiff_run.path), "0", "--own", "--units", "1", "--steps", "2", "--output", str(target)]
    assert runner.invoke(app, ["edit", "alone", *words]).exit_code == 0
    assert target.is_file()
    both = runner.invoke(app, ["edit", "alone", *words, "--partners", "1"])
    assert isinstance(both.exception, ValueError)
