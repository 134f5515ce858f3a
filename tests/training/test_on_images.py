"""`unweave report IMAGES` trains first: which run it is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import QUICK

from unweave.runs.run import Run
from unweave.training.on_images import run_or_train


def test_images_are_trained_on_once_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for at in range(40):
        colour = tuple(rng.integers(0, 255, 3).tolist())
        Image.new("RGB", (20, 20), colour).save(tmp_path / "photos" / f"<{at}>.png")
    monkeypatch.chdir(tmp_path)
    tables = [
        {"method": QUICK, "data": {"size": 16}},
        {"training": {"images": 64, "batch": 32, "precision": "float32"}},
    ]
    run = run_or_train("photos", *tables)
    assert run.path == Path("runs/encdiff-photos")
    assert len(run.dataset()) == 40
    assert run_or_train("photos", *tables).path == run_or_train(run).path == run_or_train(run.path).path == run.path
    assert sorted(path.name for path in Path("runs").iterdir()) == ["encdiff-photos"]
    Image.new("RGB", (20, 20)).save(tmp_path / "photos" / "new.png")
    assert run_or_train("photos", *tables).path == Path("runs/encdiff-photos-2")
    assert len(Run("runs/encdiff-photos-2").dataset()) == 41
    with pytest.raises(LookupError, match="folder of runs"):
        run_or_train("runs")
    with pytest.raises(LookupError, match="no method 'denoiser'"):
        run_or_train("photos", method="denoiser")
    with pytest.raises(LookupError, match="builtin:nothing"):
        run_or_train("builtin:nothing")
    with pytest.raises(ValueError, match="settings and a method go with images"):
        run_or_train(run.path, {"training": {"images": 1}})
    with pytest.raises(ValueError, match="settings and a method go with images"):
        run_or_train(run.path, method="betavae")


def test_what_is_neither_run_nor_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookupError, match="nowhere"):
        run_or_train("nowhere")
    (tmp_path / "one").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "one" / "only.png")
    with pytest.raises(ValueError, match="one has 1 image"):
        run_or_train("one")
    assert not Path("runs").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises((LookupError, ValueError), match="empty"):
        run_or_train("empty")
