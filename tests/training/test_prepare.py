from pathlib import Path

import pytest
from tests.conftest import QUICK

import unweave
from unweave.config import SettingsError
from unweave.runs.run import Run


def test_a_training_begins_with_the_weights_of_another_run(quick_run: Run, tmp_path: Path) -> None:
    training = {"images": 32, "batch": 32, "precision": "float32", "rate": 1e-12, "from": str(quick_run.path)}
    data = {"name": "sprites", "size": 16}
    run = unweave.train("encdiff", data=data, method=QUICK, training=training, run=tmp_path / "more")
    began, ended = (dict(each.method("raw").named_parameters()) for each in (quick_run, run))
    assert max(float((began[name] - ended[name]).detach().abs().max()) for name in began) < 1e-6
    assert run.settings.training.origin == str(quick_run.path)
    assert f'from = "{quick_run.path}"' in (run.path / "settings.toml").read_text()
    other = {**QUICK, "units": 5}
    with pytest.raises(SettingsError, match=r"training\.from=.* has other networks than this EncDiff"):
        unweave.train("encdiff", data=data, method=other, training=training, run=tmp_path / "other")
    with pytest.raises(LookupError, match="no run"):
        unweave.train("encdiff", data=data, training={"from": str(tmp_path / "none")}, run=tmp_path / "none-run")
