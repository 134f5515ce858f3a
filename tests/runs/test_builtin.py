import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import unweave
from unweave.cli import main
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_each
from unweave.method import Sampling
from unweave.runs import builtin
from unweave.runs.run import Run
from unweave.tensors import Images, to_images


@pytest.fixture
def packaged(quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with one model, and an empty directory to work in."""
    quick_run.save_pretrained(tmp_path / "models" / "tiny", half=True)
    monkeypatch.setattr(builtin, "MODELS", tmp_path / "models")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return "builtin:tiny"


def test_it_is_copied_once_and_opens_as_a_run(packaged: str) -> None:
    assert builtin.names() == [packaged]
    words = ["edit", "swap", packaged, "0", "--partners", "5", "--units", "0", "--steps", "2"]
    assert CliRunner().invoke(main.app, words).stdout.split() == ["runs/builtin-tiny/pictures/swap.png"]
    assert unweave.swap(packaged, images=[0], partners=[5], units=[0]).images.isfinite().all()
    assert unweave.load(packaged).digest() == unweave.from_pretrained(packaged).digest()
    assert not list(builtin.MODELS.rglob("pictures"))
    assert [path.name for path in Path("runs").iterdir()] == ["builtin-tiny"]


def test_a_name_that_is_not_there(packaged: str) -> None:
    with pytest.raises(LookupError, match=r"there is no 'builtin:huge'; the package has: builtin:tiny"):
        Run("builtin:huge")


def test_what_is_in_its_place_is_kept(packaged: str) -> None:
    Path("runs/builtin-tiny").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="is not a copy of 'builtin:tiny'"):
        Run(packaged)
    assert list(Path("runs/builtin-tiny").iterdir()) == []


def test_other_paths_are_left_alone(tmp_path: Path) -> None:
    assert builtin.run_dir(tmp_path / "a") == tmp_path / "a"


def test_a_copy_with_a_hole_is_not_used(packaged: str) -> None:
    (Run(packaged).path / "settings.toml").unlink()
    with pytest.raises(FileExistsError, match="move it away"):
        Run(packaged)


def test_another_process_may_be_first(packaged: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        shutil.copytree(path, target)  # the other one is done
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    assert Run(packaged).path == Path("runs/builtin-tiny")
    assert [path.name for path in Path("runs").iterdir()] == ["builtin-tiny"]


def test_a_read_only_package_makes_a_copy_that_can_be_written(packaged: str) -> None:
    folders = [builtin.MODELS / "tiny", *(path for path in builtin.MODELS.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        copy = Run(packaged).path
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert all(path.stat().st_mode & 0o200 for path in [copy, *copy.rglob("*")])


def test_it_cannot_be_trained_into(packaged: str) -> None:
    with pytest.raises(ValueError, match="names a model in the package"):
        unweave.train("encdiff", data="sprites", run=packaged)


def test_info_and_list_know_it(packaged: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["info", packaged, "--json"], ["list"]):
        main.app(words, standalone_mode=False)
    said = capsys.readouterr().out
    assert '"method"' in said
    assert f"models     {packaged}" in said


def test_a_damaged_copy_is_told_how_to_be_mended(packaged: str) -> None:
    weights = next(Run(packaged).path.rglob("weights.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(LookupError, match=r"runs/builtin-tiny is damaged: remove it, and builtin:tiny is copied"):
        Run(packaged).method()
    shutil.rmtree("runs/builtin-tiny")
    assert Run(packaged).method() is not None


def test_the_model_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small as promised; it rebuilds rooms, and units taken from another image move the picture, none all of it."""
    monkeypatch.chdir(tmp_path)
    run = Run("builtin:rooms")
    method = run.method(device="cpu")
    assert sum(parameter.numel() for parameter in method.parameters()) <= 3_500_000
    folder = builtin.MODELS / "rooms"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 8_000_000
    images, partners = (to_images(run.dataset().images(np.arange(first, first + 8))) for first in (0, 400_000))
    sampling = Sampling("dpmsolver++", 3)
    start = make_start(method, images, sampling=sampling, seed=0)
    back = reconstruct_images(method, images, sampling=sampling, start=start)
    assert mse(back, images) < 0.1 * mse(partners, images)
    every = swap_each(method, images, partners, [[unit] for unit in range(20)], sampling=sampling, start=start)
    moved = [mse(every[:, unit], back) for unit in range(20)]
    assert mse(back, images) < max(moved) < mse(partners, images)


def mse(one: Images, other: Images) -> float:
    return float((one - other).square().mean())


def test_in_a_folder_that_is_read_only_it_opens_all_the_same(packaged: str, caplog: pytest.LogCaptureFixture) -> None:
    Path("runs").write_text("")  # no folder can be made there
    run = Run(packaged)
    assert run.path == builtin.run_dir(packaged)
    assert run.statistics().quantiles.shape[0] == 101
    assert "gone when this ends" in caplog.text
