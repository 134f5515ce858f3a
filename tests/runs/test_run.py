import shutil
from pathlib import Path

import pytest
import torch

from unweave.runs.run import Run, create


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no such directory"):
        Run(tmp_path / "none")
    with pytest.raises(LookupError, match=r"no settings\.toml"):
        Run(tmp_path)


def test_nothing_is_overwritten(tmp_path: Path, quick_run: Run) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is kept"):
        create(tmp_path, quick_run.settings)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_run_without_checkpoint_says_how_to_go_on(tmp_path: Path, quick_run: Run) -> None:
    run = create(tmp_path / "new", quick_run.settings)
    with pytest.raises(LookupError, match="--resume"):
        run.checkpoint()
    with pytest.raises(LookupError, match="--resume"):
        run.statistics()


def test_averaged_and_raw_weights_differ_in_the_unet_alone(quick_run: Run) -> None:
    raw, averaged = (quick_run.method(weights).state_dict() for weights in ("raw", "averaged"))
    differs = {name.split(".")[0] for name in raw if not torch.equal(raw[name], averaged[name])}
    assert differs == {"unet"}


def test_a_model_opens_without_its_data(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "dataset", lambda self: pytest.fail("the data were opened"))
    assert quick_run.method().training is False
    statistics = quick_run.statistics()
    assert statistics.quantiles.shape == (101, 4)
    assert (statistics.quantiles[1:] >= statistics.quantiles[:-1]).all()


def test_a_finished_run_says_how_long_it_waited_for_images(quick_run: Run) -> None:
    assert 0 <= quick_run.record()["waiting_for_data"] < 0.5


def test_a_model_opens_where_its_data_are_unknown(tmp_path: Path, quick_run: Run) -> None:
    run_dir = shutil.copytree(quick_run.path, tmp_path / "run")
    settings = (run_dir / "settings.toml").read_text("utf-8").replace('name = "sprites"', 'name = "Fötos"')
    (run_dir / "settings.toml").write_text(settings, "utf-8")
    run = Run(run_dir)
    assert run.tables["data"]["name"] == "Fötos"
    assert type(run.method()) is type(quick_run.method())
    with pytest.raises(LookupError, match="Fötos"):
        run.dataset()
