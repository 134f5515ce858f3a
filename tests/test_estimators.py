import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tests.conftest import QUICK

from unweave.data.open import open_data
from unweave.estimators import BetaVAEEstimator, EncDiffEstimator, data_table

SPRITES = open_data({"name": "sprites", "size": 16})
IMAGES = SPRITES.images(np.arange(0, 36_864, 300))
SETTINGS = {"method": QUICK, "training": {"batch": 16, "precision": "float32", "warmup": 0}}


def quick(**changes: object) -> EncDiffEstimator:
    return EncDiffEstimator(**{"images": 32, "size": 16, "settings": SETTINGS, **changes})


def test_fit_and_transform_give_units_and_back() -> None:
    fitted = quick().fit(IMAGES)
    codes = fitted.transform(IMAGES)
    assert codes.shape == (len(IMAGES), 4)
    assert codes.dtype == np.float64
    assert fitted.n_features_out_ == 4
    assert list(fitted.get_feature_names_out()) == ["encdiff0", "encdiff1", "encdiff2", "encdiff3"]
    back = fitted.inverse_transform(codes[:3])
    assert back.shape == IMAGES[:3].shape
    assert back.dtype == np.uint8
    assert np.array_equal(codes, fitted.transform(IMAGES))
    assert np.array_equal(codes, quick().fit_transform(IMAGES))


def test_it_can_be_cloned_and_set() -> None:
    first = quick(seed=3)
    twin = clone(first)
    assert twin.get_params() == first.get_params()
    assert twin.set_params(images=64).images == 64
    with pytest.raises(NotFittedError):
        twin.transform(IMAGES)


def test_it_works_in_a_pipeline() -> None:
    labels = SPRITES.factors(np.arange(0, 36_864, 300))[:, 0]
    pipeline = make_pipeline(BetaVAEEstimator(images=64), LogisticRegression(max_iter=50)).fit(IMAGES, labels)
    assert set(pipeline.predict(IMAGES)) <= set(labels)


@pytest.mark.long
def test_files_folders_and_names_are_images_too(tmp_path: Path) -> None:
    for i, image in enumerate(IMAGES[:20]):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    files = sorted(tmp_path.glob("*.png"))
    fitted = quick().fit(files)
    codes = fitted.transform(files)
    assert codes.shape == (20, 4)
    np.testing.assert_allclose(fitted.transform(str(tmp_path)), codes, atol=1e-6)
    named = quick(run=tmp_path / "run").fit("sprites")
    assert (tmp_path / "run" / "settings.toml").is_file()
    assert 0 <= named.score("sprites") <= 1


def test_bad_input_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        quick().fit(IMAGES.astype(np.float32) / 255)
    with pytest.raises(LookupError, match="no data set 'spites'"):
        quick().fit("spites")
    with pytest.raises(ValueError, match="list is empty"):
        quick().fit([])
    fitted = quick().fit(IMAGES)
    with pytest.raises(ValueError, match=r"fitted on images of shape \(3, 16, 16\)"):
        fitted.transform(IMAGES[..., :1])
    with pytest.raises(ValueError, match=r"units must be \[N, 4\]"):
        fitted.inverse_transform(np.zeros((2, 5)))


def test_a_failed_fit_does_not_stand_in_the_way(tmp_path: Path) -> None:
    estimator = quick(run=tmp_path / "run")
    with pytest.raises(ValueError, match="must be uint8"):
        estimator.fit(IMAGES.astype(np.float32) / 255)
    estimator.fit(IMAGES)
    with pytest.raises(FileExistsError, match="keeps an earlier fit"):
        estimator.fit(IMAGES)
    again = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(again.transform(IMAGES), estimator.transform(IMAGES))
    with pytest.raises(TypeError, match="run=DIRECTORY"):
        pickle.dumps(quick().fit(IMAGES))
    with pytest.raises(TypeError, match="known factors"):
        estimator.score(IMAGES)


def test_images_that_are_not_square_keep_their_shape() -> None:
    wide = np.concatenate([IMAGES, IMAGES], axis=2)
    fitted = BetaVAEEstimator(preset="sweep", images=64).fit(wide)
    assert fitted.transform(wide).shape == (len(wide), 10)


def test_the_order_of_files_does_not_decide_their_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = sorted((Path(__file__).parent / "data" / "pictures" / "mixed").iterdir())
    orders = {"rising": files, "falling": files[::-1]}
    tables = [np.load(data_table(names, tmp_path / order)["path"])["images"] for order, names in orders.items()]
    assert tables[0].shape == (len(files), 64, 64, 3)
    assert (tables[0] == tables[1][::-1]).all()
    assert "of several sizes, from 9 to 64 pixels" in caplog.text


def test_a_pickle_finds_its_run_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(quick(run="here/run").fit(IMAGES))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(pickle.loads(pickled).transform(IMAGES)) == len(IMAGES)
