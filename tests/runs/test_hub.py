import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from PIL import Image
from tests.conftest import QUICK

import unweave
from unweave.method import Sampling
from unweave.runs import checkpoint, hub
from unweave.runs.run import Run


@pytest.fixture
def folder(quick_run: Run, tmp_path: Path) -> Path:
    return quick_run.save_pretrained(tmp_path / "shared")


def test_a_shared_folder_opens_as_the_run_it_came_from(quick_run: Run, folder: Path) -> None:
    shared = unweave.from_pretrained(str(folder))
    assert shared.settings == quick_run.settings
    assert shared.digest() == quick_run.digest()
    for weights in ("raw", "averaged"):
        one, other = (run.method(weights).state_dict() for run in (quick_run, shared))
        assert all(torch.equal(one[name], other[name]) for name in one)
    edit = unweave.swap(shared, images=[0], partners=[5])
    assert edit.images.isfinite().all()
    assert not list(folder.rglob("optimiser*"))
    with pytest.raises(LookupError, match="without its optimiser"):
        unweave.train(folder, resume=True)


def test_half_of_the_precision_is_less_than_a_quarter_of_the_size(quick_run: Run, folder: Path, tmp_path: Path) -> None:
    small = quick_run.save_pretrained(tmp_path / "half", half=True)
    assert sum(f.stat().st_size for f in small.rglob("*.safetensors")) < 0.25 * sum(
        f.stat().st_size for f in folder.rglob("*.safetensors")
    )
    shared = unweave.from_pretrained(str(small))
    expected = quick_run.method("averaged", "cpu").state_dict()
    for weights in ("raw", "averaged"):
        for name, tensor in shared.method(weights, "cpu").state_dict().items():
            torch.testing.assert_close(tensor, expected[name], atol=1e-6, rtol=1e-3)
    assert unweave.swap(shared, images=[0], partners=[5]).images.isfinite().all()
    card = (small / "README.md").read_text()
    assert "float16" in card
    assert quick_run.state()["sha256"]["weights.safetensors"] not in card
    assert not (small / "scores.json").exists()  # they are of other weights
    for half in (True, False):
        again = shared.save_pretrained(tmp_path / f"again-{half}", half)
        assert unweave.from_pretrained(str(again)).digest() == shared.digest()


def test_diffusers_opens_the_unet_of_a_run_and_of_a_shared_folder(quick_run: Run, folder: Path) -> None:
    method = quick_run.method("averaged", "cpu").eval()
    expected = method.unet.state_dict()
    x_t, t, tokens = torch.randn(2, 48, 4, 4), torch.tensor([3, 900]), torch.randn(2, 4, 8)
    for path in (quick_run.path, folder):
        unet = UNet2DConditionModel.from_pretrained(path, subfolder="unet").eval()
        assert all(torch.equal(unet.state_dict()[name], tensor) for name, tensor in expected.items())
        output = unet(x_t, t, tokens).sample  # by diffusers' own attention
        torch.testing.assert_close(output, method.predict(x_t, t, tokens), atol=1e-5, rtol=1e-4)


def test_the_card_says_what_it_is(quick_run: Run, folder: Path) -> None:
    card = (folder / "README.md").read_text()
    sha = quick_run.state()["sha256"]["weights.safetensors"]
    for said in ("library_name: unweave", "sprites", "192 of 192", "## Scores", "yang2024encdiff", "seed", sha):
        assert said in card
    scores = {
        "protocols": {"mig@1": {"mig": {"value": 0.25, "low": 0.2, "high": 0.3}}},
        "rows": 100, "seed": 0, "weights": "abc",
    }  # fmt: skip
    from unweave.runs.model_card import scores_table

    assert "| mig@1 | mig | 0.250 | 0.200 to 0.300 |" in scores_table(scores)
    assert "metric noise" in scores_table(scores)


def test_pickles_strangers_and_changed_files_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"pytorch_model.bin may hold a pickle.*settings.toml"):
        unweave.from_pretrained(str(folder))
    (folder / "pytorch_model.bin").unlink()
    weights = next(folder.rglob("weights.safetensors"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"weights\.safetensors is not the file that was shared"):
        unweave.from_pretrained(str(folder))
    with pytest.raises(LookupError, match="no checkpoint"):
        Run(folder).method()
    weights.write_bytes(whole)
    unweave.from_pretrained(str(folder))
    (folder / "unet" / "config.json").unlink()
    with pytest.raises(ValueError, match=r"unet/config.json is missing"):
        unweave.from_pretrained(str(folder))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("1")
    with pytest.raises(LookupError, match=r"not made by save_pretrained.*chapter.txt"):
        unweave.from_pretrained(str(tmp_path / "thesis"))
    with pytest.raises(LookupError, match="no folder here"):
        unweave.from_pretrained("nowhere")


def test_strangers_are_refused_and_scores_and_cards_may_change(folder: Path) -> None:
    unweave.evaluate(folder, rows=500, protocols=["mig@1"], repeats=1)
    (folder / "README.md").write_text("my own words")
    unweave.from_pretrained(str(folder))
    at = next((folder / "checkpoints").iterdir())
    shutil.copytree(at, at.with_name("9" * 12))
    with pytest.raises(ValueError, match=r"checkpoints/999999999999/.* was not among the files that were shared"):
        unweave.from_pretrained(str(folder))
    shutil.rmtree(at.with_name("9" * 12))
    for digests in ("{}", "[1]", "3"):
        (folder / hub.DIGESTS).write_text(digests)
        with pytest.raises(ValueError, match=r"(not among|damaged)"):
            unweave.from_pretrained(str(folder))


def test_paths_of_this_machine_are_not_shared(quick_run: Run, folder: Path) -> None:
    assert "command" in quick_run.record()
    assert "command" not in Run(folder).record()


@pytest.mark.long
def test_no_absolute_path_is_shared(disdiff_run: Run, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (20, 16, 16, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "photos" / f"{i}.png")
    lines = ["file,colour", *(f"{i}.png,{i % 3}" for i in range(20))]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    data = {"path": str(tmp_path / "photos"), "name": "folder", "size": 16, "labels": str(tmp_path / "labels.csv")}
    training = {"images": 32, "batch": 16, "precision": "float32"}
    run = unweave.train("encdiff", data=data, method=QUICK, training=training, run=tmp_path / "run")
    unweave.evaluate(run, rows=20, protocols=["mig@1"], repeats=1)
    unweave.report(run)
    for shared, folder in ((run, tmp_path / "a"), (disdiff_run, tmp_path / "b")):
        shared.save_pretrained(folder)
        for file in folder.rglob("*"):
            assert not file.is_file() or str(tmp_path.parent).encode() not in file.read_bytes(), file


def test_names_on_the_hub_stay_and_paths_that_are_words_lose_their_folders(tmp_path: Path) -> None:
    assert hub.shared_name("someone/pictures") == "someone/pictures"
    assert hub.shared_name(str(tmp_path)) == tmp_path.name
    assert hub.shared_name(Path("photos/mine")) == Path("mine")
    assert hub.shared_name("~/pictures") == "pictures"
    assert hub.shared_name(16) == 16


def test_the_run_that_a_run_began_from_is_not_named(quick_run: Run, tmp_path: Path) -> None:
    training = {"images": 32, "batch": 16, "precision": "float32", "from": str(quick_run.path)}
    data = {"name": "sprites", "size": 16}
    run = unweave.train("encdiff", data=data, method=QUICK, training=training, run=tmp_path / "run")
    assert run.settings.training.origin == str(quick_run.path)
    folder = run.save_pretrained(tmp_path / "shared")
    assert Run(folder).settings.training.origin is None
    assert str(quick_run.path) not in (folder / "settings.toml").read_text()


def test_scores_of_other_weights_are_not_shared(quick_run: Run, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(quick_run.path, tmp_path / "run"))
    run = Run(whole)
    unweave.evaluate(run, rows=500, protocols=["mig@1"], repeats=1)
    assert "| mig@1 | mig |" in run.card()
    text = (whole / "scores.json").read_text().replace(run.digest(), "0" * 16)
    (whole / "scores.json").write_text(text)
    assert "Not scored" in run.card()
    assert not (run.save_pretrained(tmp_path / "shared") / "scores.json").exists()


def test_nothing_is_overwritten(quick_run: Run, folder: Path) -> None:
    with pytest.raises(FileExistsError, match="kept"):
        quick_run.save_pretrained(folder)
    (folder / "README.md").write_text("mine")
    with pytest.raises(FileExistsError):
        quick_run.save_pretrained(folder)
    assert (folder / "README.md").read_text() == "mine"


class Client:
    """Stands for huggingface_hub.HfApi: keeps what it is given."""

    def __init__(self, home: Path) -> None:
        self.home, self.created = home, []

    def create_repo(self, repository: str, private: bool, exist_ok: bool) -> None:
        self.created.append((repository, private, exist_ok))

    def upload_folder(self, repo_id: str, folder_path: Path, delete_patterns: str, commit_message: str) -> str:
        assert delete_patterns == "*"  # else checkpoints of an earlier upload stay and are loaded
        shutil.copytree(folder_path, self.home / repo_id)
        return f"https://huggingface.co/{repo_id}/commit/1"


def test_what_is_pushed_can_be_opened(quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(tmp_path)
    address = quick_run.push_to_hub("me/rooms", private=True, client=client)
    assert client.created == [("me/rooms", True, True)]
    assert address.endswith("/commit/1")
    asked = {}

    def download(name: str, **options: object) -> str:
        asked[name] = options
        return str(tmp_path / name)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert unweave.from_pretrained("me/rooms@v1").digest() == quick_run.digest()
    assert asked["me/rooms"]["revision"] == "v1"
    assert "*.bin" in asked["me/rooms"]["ignore_patterns"]
    checkpoint.verified(Run(tmp_path / "me" / "rooms").checkpoint())


def test_a_run_on_a_foundation_takes_it_along(disdiff_run: Run, tmp_path: Path) -> None:
    shared = unweave.from_pretrained(str(disdiff_run.save_pretrained(tmp_path / "shared")))
    text = "".join(file.read_text() for file in shared.path.rglob("*.toml"))
    assert str(disdiff_run.path.parent) not in text, "paths of this machine stay here"
    inside = sorted(
        str(file.relative_to(shared.path / "foundation")) for file in shared.path.glob("foundation/**/*.json")
    )
    assert inside == ["denoiser/scheduler/scheduler_config.json", "denoiser/unet/config.json"]
    assert shared.foundation().digests == disdiff_run.foundation().digests
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    one, two = (run.method("averaged", "cpu") for run in (disdiff_run, shared))
    start = one.start(2, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made = [each.decode(each.encode(images), start, Sampling("ddim", 2)) for each in (one, two)]
    assert torch.equal(*made)
    again = unweave.from_pretrained(str(shared.save_pretrained(tmp_path / "again")))
    assert again.foundation().digests == disdiff_run.foundation().digests


def test_a_foundation_is_shared_as_diffusers_opens_it(disdiff_run: Run, tmp_path: Path) -> None:
    denoiser = Run(disdiff_run.settings.foundation.networks()["denoiser"].origin)
    folder = denoiser.save_pretrained(tmp_path / "denoiser")
    unet = UNet2DModel.from_pretrained(folder, subfolder="unet")
    there = UNet2DModel.from_pretrained(denoiser.path, subfolder="unet")
    assert torch.equal(unet.conv_in.weight, there.conv_in.weight)
    assert unweave.from_pretrained(str(folder)).method_name == "denoiser"
    with pytest.raises(ValueError, match="shared whole"):
        denoiser.save_pretrained(tmp_path / "half", half=True)
    with pytest.raises(
        TypeError, match=r"has no units to score or edit: train a method on it, with foundation\.denoiser"
    ):
        denoiser.method()
