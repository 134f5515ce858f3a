import numpy as np
import pytest
from tests.conftest import Recorder

import unweave
from unweave.cli.evaluate import command
from unweave.config import SettingsError
from unweave.data.open import open_data
from unweave.evaluation.evaluate import evaluate_isometry
from unweave.evaluation.metrics.mcc import mcc
from unweave.method import find_method
from unweave.models.foundation import Foundation
from unweave.progress import use
from unweave.runs.run import Run
from unweave.runs.settings import method_settings

DATA = {"name": "manifolds", "variant": "narrow_bump", "rows": 300}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return unweave.train("hlle_ica", data=DATA, run=tmp_path_factory.mktemp("hlle") / "run")


def test_a_run_is_a_directory_like_any_other_and_its_codes_are_the_factors(run):
    assert run.state()["seen"] == 300
    assert run.is_complete()
    (record,) = run.history()
    assert record["local_dimension"] == 2
    assert {"factors.png", "units.png"} <= {path.name for path in run.pictures.iterdir()}
    codes = unweave.encode(run)["codes"]
    assert codes.shape == (300, 2, 1)
    assert mcc(codes[:, :, 0].astype(float), run.dataset().values)["mcc"] > 0.99
    assert np.allclose(codes.std(0), 1, atol=0.01)
    assert unweave.evaluate(run, protocols=["mcc@1"], repeats=1)["protocols"]["mcc@1"]["mcc"]["value"] > 0.98


def test_new_images_are_placed_among_those_of_the_training(run):
    other = open_data(DATA | {"seed": 1})
    np.savez(run.path.parent / "new.npz", images=other.images(np.arange(40)))
    codes = unweave.encode(run, run.path.parent / "new.npz")["codes"][:, :, 0]
    assert mcc(codes.astype(float), other.values[:40])["mcc"] > 0.99


def test_a_finished_run_is_returned_as_it_is_and_the_same_seed_gives_the_same_codes(run, tmp_path):
    recorder = Recorder()
    with use(recorder):
        again = unweave.train(run.path, resume=True)
    assert any("trained already" in message for message in recorder.messages)
    assert again.digest() == run.digest()
    assert unweave.train("hlle_ica", data=DATA, run=tmp_path / "twin").digest() == run.digest()


def test_it_says_what_the_local_components_speak_for(tmp_path):
    recorder = Recorder()
    with use(recorder):
        few = unweave.train("hlle_ica", data=DATA, method={"landmarks": 200}, run=tmp_path / "run")
    assert any("speak for 2 factors (an estimate); method.units is 2" in message for message in recorder.messages)
    assert few.state()["seen"] == 200
    assert unweave.encode(few)["codes"].shape == (300, 2, 1)


def test_neighbours_too_few_for_the_hessian_are_refused_before_the_run_is_made(tmp_path):
    with pytest.raises(SettingsError, match=r"d\(d\+3\)/2 = 9 unknowns"):
        unweave.train("hlle_ica", data=DATA, method={"units": 3, "neighbours": 9}, run=tmp_path / "run")
    with pytest.raises(ValueError, match="needs more rows"):
        unweave.train("hlle_ica", data=DATA | {"rows": 12}, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_memory_is_estimated_before_the_run_is_made():
    settings = method_settings({"name": "hlle_ica", "embedding": "isomap", "landmarks": 10**7})
    with pytest.raises(ValueError, match="set landmarks to fewer"):
        find_method("hlle_ica").build(settings, Foundation((1, 32, 32), 10**7))


def test_it_can_be_shared(run, tmp_path):
    shared = unweave.from_pretrained(str(run.save_pretrained(tmp_path / "shared")))
    assert np.array_equal(unweave.encode(shared, [0, 5])["codes"], unweave.encode(run, [0, 5])["codes"])


def test_its_codes_keep_the_small_distances_of_images(run, capsys):
    scores = evaluate_isometry(run)
    assert scores.li_corr > 0.97
    assert 0.9 < scores.li_cond <= 1
    command([run.path], protocol=["mcc-rotation@1"], repeats=1, rows=300, isometry=True)
    assert "li_cond" in capsys.readouterr().out
