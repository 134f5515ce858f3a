from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import QUICK

import unweave
from unweave.runs.data import dataset_for
from unweave.runs.images import read_images, read_row
from unweave.runs.run import Run

tifffile = pytest.importorskip("tifffile")

DEEP = np.random.default_rng(0).integers(300, 2356, (8, 4, 16, 16), dtype=np.uint16).cumsum(-1) // 16 + 300
LOW, HIGH = 300, 4095


def train(folder: Path, run: Path, **data: object) -> Run:
    training = {"images": 16, "batch": 8, "precision": "float32", "threads": 1}
    data = {"name": "folder", "path": str(folder), "size": 16, **data}
    return unweave.train("encdiff", data=data, method=QUICK, training=training, run=run)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    for number, picture in enumerate(DEEP.astype(np.uint16)):
        tifffile.imwrite(folder / f"{number}.ome.tif", picture, photometric="minisblack", metadata={"axes": "CYX"})
    return folder


@pytest.fixture(scope="module")
def cells_run(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(cells, tmp_path_factory.mktemp("runs") / "cells", range=(LOW, HIGH))


def test_channels_of_12_bits_give_the_codes_of_their_arrays(cells_run: Run, tmp_path: Path) -> None:
    by_hand = ((DEEP.astype(float) - LOW) / (HIGH - LOW) * 255).round().clip(0, 255).astype(np.uint8)
    np.savez(tmp_path / "hand.npz", images=by_hand.transpose(0, 2, 3, 1))
    assert cells_run.shape() == (4, 16, 16)
    own = unweave.encode(cells_run)["codes"]
    bytes_as_they_are = unweave.open_data(tmp_path / "hand.npz", {"channels": (0, 1, 2, 3)})
    assert (
        np.abs(bytes_as_they_are.images(np.arange(8)).astype(int) - cells_run.dataset().images(np.arange(8))).max() <= 1
    )
    hand = cells_run.method().encode(unweave.tensors.to_images(bytes_as_they_are.images(np.arange(8))))
    assert np.abs(own - hand.detach().numpy()).max() < 0.02 * own.std()


def test_new_pictures_are_read_as_the_runs_own_were(cells: Path, cells_run: Run, tmp_path: Path) -> None:
    reading = cells_run.record()["data"]["reading"]
    assert reading["range"] == [[LOW, HIGH]] * 4
    named = read_images(cells_run, [cells / "5.ome.tif"])
    assert torch.equal(named.images, read_row(cells_run.dataset(), 5))
    darker = tmp_path / "darker"
    darker.mkdir()
    tifffile.imwrite(
        darker / "a.ome.tif", (DEEP[5] // 2).astype(np.uint16), photometric="minisblack", metadata={"axes": "CYX"}
    )
    codes = unweave.encode(cells_run, darker)["codes"]
    assert np.allclose(codes, unweave.encode(cells_run, [darker / "a.ome.tif"])["codes"], atol=1e-5)


def test_a_folder_of_grey_pictures_trains_a_grey_model(tmp_path: Path) -> None:
    folder = tmp_path / "grey"
    folder.mkdir()
    for number in range(8):
        Image.new("L", (16, 16), 30 * number).save(folder / f"{number}.png")
    run = train(folder, tmp_path / "run")
    assert run.shape() == (1, 16, 16)
    assert unweave.reconstruct(run, [0]).images.shape[-3] == 1
    assert unweave.encode(run, [folder / "3.png"])["codes"].shape[0] == 1


def test_tiles_keep_their_places_in_codes(cells: Path, tmp_path: Path) -> None:
    run = train(cells, tmp_path / "run", patch=8)
    arrays = unweave.encode(run)
    assert arrays["boxes"].shape == (32, 4)
    assert arrays["boxes"][1].tolist() == [8, 0, 16, 8]
    assert arrays["files"][4] == "1.ome.tif"
    others = dataset_for(run, str(cells))
    assert others.boxes.shape == (32, 4)
    assert np.array_equal(others.images(np.arange(32)), run.dataset().images(np.arange(32)))
    assert len(dataset_for(run, {"name": "folder", "path": str(cells), "patch": 16})) == 8


def test_pictures_of_another_set_are_not_corrected_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, plates = tmp_path / "photos", ["file,plate"]
    folder.mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 90 + 80 * (number % 2), (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        plates.append(f"{number}.png,{number % 2}")
    (tmp_path / "plates.csv").write_text("\n".join(plates))
    run = train(folder, tmp_path / "run", labels=str(tmp_path / "plates.csv"), aside="plate")
    own, rows = run.dataset(), np.arange(8)
    assert "read as they are" not in caplog.text
    again = dataset_for(run, str(folder))
    assert "corrected by plate (data.aside), and those of photos are read as they are" in caplog.text
    assert not (again.images(rows) == own.images(rows)).all()
    assert (dataset_for(run, None, "all").images(rows) == own.images(rows)).all()
