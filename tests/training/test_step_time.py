"""Steps of networks that are not trained yet are timed on stand-ins of what they stand on."""

from pathlib import Path

import pytest
from tests.training.test_recipes import DATA, DENOISER, RECIPE, TRAINING

from unweave.runs.plan import plan
from unweave.training import step_time
from unweave.training.experiment import Experiment
from unweave.training.prepare import prepare


def test_missing_networks_have_untrained_stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_time, "SECONDS", 0.05)
    (tmp_path / "folder").mkdir()
    autoencoder = {"from": str(tmp_path / "autoencoder"), "recipe": RECIPE}
    recipe = {"method": {"name": "denoiser", **DENOISER}, "foundation": {"autoencoder": autoencoder}}
    table = {
        "foundation": {"denoiser": {"from": str(tmp_path / "denoiser"), "recipe": {**recipe, "training": TRAINING}}}
    }
    method = {"dim": 4, "encoder_widths": [8, 8]}
    settings = plan("pdae", table, {"data": DATA, "method": method, "training": TRAINING})
    stands = step_time.on_stand_ins(settings, tmp_path / "folder")
    assert list(stands.foundation.sources()) == ["denoiser"]
    assert Path(stands.foundation.denoiser.origin).parent == tmp_path / "folder"
    trainer = prepare(Experiment(stands, tmp_path / "run"))
    assert set(trainer.foundation.digests) == {"denoiser", "autoencoder"}, "a latent model stands on its own"
    with trainer.held:
        assert 0 < step_time.seconds_per_image(trainer) < 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "run"]
