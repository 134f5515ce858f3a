"""Runs as ONNX: what onnxruntime computes of pictures is what torch computes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import unweave
from unweave.cli.main import app
from unweave.method import Sampling
from unweave.runs import onnx_export
from unweave.runs.onnx_export import ExportOptions, GraphExample, export_onnx, write_graph
from unweave.runs.run import Run

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("untyped")  # annotations look at shapes, which a graph would follow

FEW = ExportOptions(sampling=Sampling("ddim", 2))


@pytest.fixture(scope="module")
def exported(quick_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    files = export_onnx(quick_run, folder, FEW)
    assert [file.path.name for file in files] == ["encoder.onnx", "decoder.onnx"]
    assert all(file.difference <= 1e-4 for file in files)
    assert files[0].inputs == {"pictures": "uint8 [batch, height, width, 3]"}
    assert files[1].outputs["pictures"] == "uint8 [batch, 16, 16, 3]"
    return folder


def test_codes_are_those_of_the_run(exported: Path, quick_run: Run) -> None:
    session = onnxruntime.InferenceSession(exported / "encoder.onnx")
    rows = [0, 7, 100]
    (codes,) = session.run(["codes"], {"pictures": quick_run.dataset().images(np.array(rows))})
    expected = unweave.encode(quick_run, rows)["codes"]
    assert codes.shape == expected.shape
    assert np.abs(codes - expected).max() < 1e-4


def test_pictures_of_another_size_are_read_as_files_are(exported: Path, quick_run: Run, tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    session = onnxruntime.InferenceSession(exported / "encoder.onnx")
    (codes,) = session.run(None, {"pictures": pixels[None]})
    assert np.abs(codes - unweave.encode(quick_run, [tmp_path / "one.png"])["codes"]).max() < 1e-4


def test_the_decoder_draws_what_the_run_draws(exported: Path, quick_run: Run) -> None:
    method = quick_run.method(device="cpu")
    codes = torch.from_numpy(unweave.encode(quick_run, [0, 5, 9, 11])["codes"])
    start = method.start(4, torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = method.decode(codes, start, FEW.sampling)
    session = onnxruntime.InferenceSession(exported / "decoder.onnx")
    pictures, images = session.run(["pictures", "images"], {"codes": codes.numpy(), "start": start.numpy()})
    assert pictures.shape == (4, 16, 16, 3)
    assert pictures.dtype == np.uint8
    assert np.abs(images - expected.numpy()).max() < 1e-4


def test_the_metadata_say_where_it_comes_from(exported: Path, quick_run: Run) -> None:
    about = onnxruntime.InferenceSession(exported / "encoder.onnx").get_modelmeta().custom_metadata_map
    assert about["method"] == "encdiff"
    assert about["run"] == "quick"
    assert quick_run.digest() in about["weights"]
    assert json.loads(about["units"]) == ["unit 0", "unit 1", "unit 2", "unit 3"]
    assert json.loads(about["shape"]) == [3, 16, 16]
    assert len(json.loads(about["range"])[1]) == 4
    decoder = onnxruntime.InferenceSession(exported / "decoder.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(decoder["sampling"])["steps"] == 2


def test_a_one_shot_decoder_takes_codes_alone(factored_run: Run, tmp_path: Path) -> None:
    _, decoder = export_onnx(factored_run, tmp_path)
    assert list(decoder.inputs) == ["codes"]
    session = onnxruntime.InferenceSession(decoder.path)
    assert session.run(["pictures"], {"codes": np.zeros((2, 4, 1), np.float32)})[0].shape == (2, 16, 16, 3)
    assert "f2, size" in json.loads(session.get_modelmeta().custom_metadata_map["factors"])


def test_a_method_on_a_frozen_denoiser_goes_too(diti_run: Run, tmp_path: Path) -> None:
    files = export_onnx(diti_run, tmp_path, FEW)
    assert [file.path.name for file in files] == ["encoder.onnx", "decoder.onnx"]


def test_nothing_is_written_over_another(exported: Path, quick_run: Run) -> None:
    with pytest.raises(FileExistsError, match="is there already"):
        export_onnx(quick_run, exported, FEW)


class Constant(nn.Module):
    """Follows its first inputs, whatever comes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_numpy(x.detach().numpy().copy())


def test_a_graph_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    example = GraphExample(Constant(), {"x": torch.ones(2, 3)}, ["y"], {"x": {0: "batch"}}, [{"x": torch.zeros(2, 3)}])
    with pytest.raises(ValueError, match=r"mine.onnx of hlle_ica differs from torch by 1 in onnxruntime"):
        write_graph(tmp_path / "mine.onnx", example, {}, "hlle_ica")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, quick_run: Run, tmp_path: Path) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx and onnxruntime: pip install 'unweave\[onnx\]'"):
        export_onnx(quick_run, tmp_path)


def test_the_command_line_writes_them(quick_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))
    done = CliRunner().invoke(app, ["export", str(run.path), "--onnx", "--encoder-only", "--json"])
    assert done.exit_code == 0, done.output
    assert Path(json.loads(done.stdout)["files"][0]["path"]) == run.path / "onnx" / "encoder.onnx"
    assert "--onnx" in str(CliRunner().invoke(app, ["export", str(run.path)]).exception)
