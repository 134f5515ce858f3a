import numpy as np
import pytest
from typer.testing import CliRunner

from unweave.cli.data import app
from unweave.data.open import open_data
from unweave.editing import box as box_file
from unweave.editing.box import draw_box
from unweave.editing.decoding import decode
from unweave.method import Sampling

FEW = Sampling("dpmsolver++", 2)


def test_only_the_listed_units_vary_and_the_file_is_a_data_set(quick_run, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        box_file, "decode", lambda method, codes, *of, **to: drawn.append(codes) or decode(method, codes, *of, **to)
    )
    box = draw_box(quick_run, [1, 3], rows=30, sampling=FEW)
    assert box.images.shape == (30, 16, 16, 3)
    assert box.names == ["unit 1", "unit 3"]
    assert 0 <= box.values.min() < 0.2
    assert 0.8 < box.values.max() <= 1
    assert (box.factors == (box.values * 20).astype(int)).all()
    again = draw_box(quick_run, [1, 3], rows=30, sampling=FEW)
    assert (again.images == box.images).all()
    assert [unit for unit in range(4) if len(drawn[0][:, unit].unique(dim=0)) > 1] == [1, 3]
    own = quick_run.statistics().quantiles[[5, 95], 1]
    assert own[0] - 1e-4 <= drawn[0][:, 1].min() < drawn[0][:, 1].max() <= own[1] + 1e-4
    dataset = open_data(str(box.save(tmp_path / "box.npz")))
    assert dataset.factor_names == ("unit 1", "unit 3")
    assert (dataset.images(np.arange(30)) == box.images).all()


def test_the_command_writes_it_and_keeps_what_is_there(quick_run, tmp_path):
    path = tmp_path / "m.npz"
    words = ["manifold", str(quick_run.path), "--units", "0", "--rows", "3", "--steps", "2", "-o", str(path)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert path.is_file()
    assert isinstance(CliRunner().invoke(app, words).exception, FileExistsError)


def test_no_units_and_units_that_are_not_there_are_refused(quick_run):
    with pytest.raises(ValueError, match="name the units"):
        draw_box(quick_run, [])
    with pytest.raises(ValueError, match="unit must be in"):
        draw_box(quick_run, [9], rows=2, sampling=FEW)
