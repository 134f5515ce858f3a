"""Foundations are made first, by their recipes; what is done is left alone, what is half done goes on."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from diffusers import LDMPipeline, UNet2DModel
from safetensors.torch import load_file, save_file
from tests.conftest import Recorder

import unweave
from unweave import config, progress
from unweave.cli import main as cli
from unweave.config import SettingsError, parse_word
from unweave.data.sets.sprites import SpritesSettings
from unweave.models.foundation_settings import NetworkSource
from unweave.models.pretraining.autoencoder import AutoencoderSettings
from unweave.runs.plan import plan
from unweave.runs.run import Run
from unweave.training import memory, recipes
from unweave.training.experiment import resolve
from unweave.training.train import make_foundations

WEIGHTS = Path("vqvae") / "diffusion_pytorch_model.safetensors"
DATA = {"name": "sprites", "size": 16}
TRAINING = {"images": 64, "batch": 16, "precision": "float32", "warmup": 0, "average": 0.0}
DENOISER = {"channels": (8, 8), "attention": (False, False), "layers": 1, "heads": 1, "groups": 4}
RECIPE: dict[str, Any] = {
    "method": {
        "name": "autoencoder", "channels": (8, 8), "layers": 1, "groups": 4, "codebook": 16,
        "middle_attention": False, "adversarial": 0.0,
    },
    "training": TRAINING,
}  # fmt: skip


def interrupting(at: int) -> Recorder:
    """Interrupts once, after so many images."""

    def stop(seen: int) -> None:
        if seen >= at and not recorder.stopped:
            recorder.stopped = True
            raise KeyboardInterrupt

    recorder = Recorder(stop)
    recorder.stopped = False
    return recorder


def train(folder: Path, recipe: Any = RECIPE, recorder: Recorder | None = None, **options: Any) -> Run:
    """A tiny denoiser in the latents of an autoencoder that a recipe makes."""
    source = {"from": str(folder / "autoencoder"), **({"recipe": recipe} if recipe is not None else {})}
    with progress.use(recorder or Recorder()):
        return unweave.train(
            "denoiser",
            {"foundation": {"autoencoder": source}},
            data=DATA,
            method=DENOISER,
            training=TRAINING,
            run=options.pop("run", folder / "denoiser"),
            **options,
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages, made once; read-only."""
    place = tmp_path_factory.mktemp("stages")
    train(place, recorder=Recorder())
    return place


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """An autoencoder that was interrupted at half of its images."""
    recorder = interrupting(32)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, recorder=recorder)
    assert Run(tmp_path / "autoencoder").state()["seen"] == 32
    assert not (tmp_path / "denoiser").exists()
    return tmp_path


def stamp(place: Path) -> int:
    return (place / "autoencoder" / WEIGHTS).stat().st_mtime_ns


@pytest.mark.slow
def test_the_autoencoder_is_made_first_and_this_is_said(tmp_path: Path) -> None:
    recorder = Recorder()
    run = train(tmp_path, recorder=recorder)
    assert f"the autoencoder {tmp_path / 'autoencoder'} is not there yet, so it is made first" in recorder.messages[0]
    made = Run(tmp_path / "autoencoder")
    assert made.state()["seen"] == 64
    assert made.settings.data == run.settings.data, "a recipe has the data of the experiment"
    assert recorder.first == [0, 0]
    assert run.state()["foundation"]["digests"].keys() == {"autoencoder"}
    assert LDMPipeline.from_pretrained(run.path).vqvae.config.latent_channels == 3
    assert isinstance(UNet2DModel.from_pretrained(run.path, subfolder="unet"), UNet2DModel)


@pytest.mark.slow
def test_what_is_done_is_left_alone(whole: Path, tmp_path: Path) -> None:
    before, recorder = stamp(whole), Recorder()
    run = train(whole, recorder=recorder, run=tmp_path / "second")
    assert stamp(whole) == before
    assert recorder.first == [0]
    assert not any("not there yet" in text for text in recorder.messages)
    assert run.state()["foundation"] == Run(whole / "denoiser").state()["foundation"]


@pytest.mark.slow
def test_what_is_half_done_goes_on_and_ends_as_one_that_was_left_alone(half: Path, whole: Path) -> None:
    recorder = Recorder()
    train(half, recorder=recorder)
    assert recorder.first == [32, 0]
    for name in ("autoencoder", "denoiser"):
        assert Run(half / name).digest() == Run(whole / name).digest()
    assert Run(half / "denoiser").state()["foundation"] == Run(whole / "denoiser").state()["foundation"]


@pytest.mark.slow
def test_a_half_done_foundation_is_none_where_nothing_may_be_made(half: Path) -> None:
    with pytest.raises(SettingsError, match="the foundation is not there yet"):
        train(half, foundations=False)


@pytest.mark.slow
def test_without_foundations_the_commands_are_said_and_they_work(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        train(tmp_path, foundations=False)
    assert not list(tmp_path.iterdir()), "nothing was made"
    lines = [line.strip() for line in str(refused.value).splitlines()]
    (command,) = [line for line in lines if line.startswith("unweave train")]
    words = shlex.split(command)
    assert words[:3] == ["unweave", "train", "autoencoder"]
    monkeypatch.setattr("sys.argv", [*words, "--quiet"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert capsys.readouterr().out.strip() == str(tmp_path / "autoencoder")
    assert Run(tmp_path / "autoencoder").digest() == Run(whole / "autoencoder").digest()
    recorder = Recorder()
    train(tmp_path, recorder=recorder, foundations=False)
    assert recorder.first == [0], "the denoiser alone was trained"


def test_a_command_says_every_setting_of_a_recipe() -> None:
    recipe = {
        "method": {"name": "autoencoder", "channels": [8, 8], "kind": "kl", "kl_weight": 1e-6, "layers": 1},
        "data": {"name": "sprites", "view": {"keep": {"shape": [0, 1]}}, "path": "/a folder/it's"},
        "preset": "laptop-kl",
    }  # fmt: skip
    words = shlex.split(
        recipes.recipe_of("autoencoder", NetworkSource.model_validate({"from": "/a b/c", "recipe": recipe})).command
    )
    assert words[:3] == ["unweave", "train", "autoencoder"]
    assert words[-3:] == ["--run", "/a b/c", "--resume"]
    tables = [parse_word(text) for text in words[3:-3]]
    told: dict[str, Any] = {}
    for table in tables:
        told = config.merge(told, table)
    assert told == {**recipe, "method": {k: v for k, v in recipe["method"].items() if k != "name"}}


@pytest.mark.slow
def test_a_recipe_may_be_a_file(tmp_path: Path, whole: Path) -> None:
    file = tmp_path / "autoencoder.toml"
    method = {key: list(v) if isinstance(v, tuple) else v for key, v in RECIPE["method"].items()}
    file.write_text(tomli_w.dumps({"method": method, "data": DATA, "training": TRAINING}))
    run = train(tmp_path, recipe=str(file))
    found = Run(tmp_path / "autoencoder").settings
    assert found.method == AutoencoderSettings(**RECIPE["method"])
    assert found.training.images == 64
    source = run.settings.foundation.autoencoder
    assert source is not None
    assert source.recipe == str(file)


def test_a_recipe_by_name_has_the_data_of_the_experiment() -> None:
    source = plan("denoiser", {"foundation": {"autoencoder": {"recipe": "autoencoder"}}}, {"data": DATA}).foundation
    assert source.autoencoder is not None
    recipe = recipes.recipe_of("autoencoder", source.autoencoder)
    assert plan(recipe.what, recipe.table).data == SpritesSettings(size=16)


def test_places_are_given_where_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    planned = plan("denoiser", {"preset": "laptop-vq", "data": DATA})
    source = planned.foundation.autoencoder
    assert source is not None
    assert source.origin == str(tmp_path / "runs" / "autoencoder-laptop-sprites-16")
    assert isinstance(source.recipe, dict)
    assert source.recipe["data"] == {"name": "sprites", "size": 16}


def test_a_recipe_without_a_method_is_told() -> None:
    with pytest.raises(SettingsError, match=r"recipe.*method"):
        plan("denoiser", {"foundation": {"autoencoder": {"recipe": {"preset": "laptop"}}}, "data": DATA})


@pytest.mark.parametrize("table", [{"foundation": "runs/a"}, {"foundation": {"denoiser": "runs/a"}}])
def test_a_foundation_that_is_no_table_is_told(table: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"foundation\.denoiser\.from=PLACE"):
        plan("denoiser", table)


def test_a_word_names_a_foundation(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole)
    planned = plan("denoiser", parse_word("foundation.denoiser.from=denoiser"), {"data": DATA})
    source = planned.foundation.denoiser
    assert source is not None
    assert source.origin == str(whole / "denoiser"), "where it is does not depend on where one goes on"
    assert source.recipe is None
    assert recipes.is_finished(Path(source.origin))
    hub = plan("denoiser", parse_word("foundation.denoiser.from=google/ddpm-cifar10-32")).foundation.denoiser
    assert hub is not None
    assert hub.origin == "google/ddpm-cifar10-32"


def test_a_run_of_a_denoiser_is_a_foundation_and_brings_its_autoencoder(whole: Path) -> None:
    from unweave.models.foundation import open_foundation
    from unweave.models.foundation_settings import FoundationSettings

    found = open_foundation(
        FoundationSettings.model_validate({"denoiser": {"from": str(whole / "denoiser")}}), (3, 16, 16), 1
    )
    assert found.space is not None
    assert set(found.digests) == {"autoencoder", "denoiser"}
    both = {name: {"from": str(whole / name)} for name in ("autoencoder", "denoiser")}
    assert open_foundation(FoundationSettings.model_validate(both), (3, 16, 16), 1).digests == found.digests


def spoil(place: Path) -> None:
    tensors = load_file(place / "autoencoder" / WEIGHTS)
    tensors["decoder.conv_out.bias"][0] += 1
    save_file(tensors, place / "autoencoder" / WEIGHTS, metadata={"format": "pt"})


@pytest.mark.slow
def test_a_changed_foundation_is_noticed(tmp_path: Path) -> None:
    run = train(tmp_path)
    run.trained()
    spoil(tmp_path)
    with pytest.raises(ValueError, match=r"the autoencoder that .* stands on has changed \(its digest was"):
        run.trained()


@pytest.mark.slow
def test_a_changed_foundation_is_noticed_before_training_goes_on(tmp_path: Path) -> None:
    train(tmp_path, recorder=Recorder())
    run_dir, recorder = tmp_path / "second", interrupting(32)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, recorder=recorder, run=run_dir)
    spoil(tmp_path)
    with pytest.raises(ValueError, match="has changed"):
        unweave.train(run_dir, resume=True)
    assert Run(run_dir).state()["seen"] == 32


@pytest.mark.slow
def test_a_foundation_that_was_removed_is_told(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    for file in (whole / "autoencoder" / "vqvae").iterdir():
        (tmp_path / "gone" / file.name).write_bytes(file.read_bytes())
    run = unweave.train(
        "denoiser", {"foundation": {"autoencoder": {"from": str(tmp_path / "gone")}}},
        data=DATA, method=DENOISER, training={**TRAINING, "images": 16}, run=tmp_path / "run",
    )  # fmt: skip
    run.trained()
    for file in (tmp_path / "gone").iterdir():
        file.unlink()
    (tmp_path / "gone").rmdir()
    with pytest.raises(LookupError, match=r"there is no foundation .*gone"):
        run.trained()


def test_a_foundation_has_no_units_to_score(whole: Path) -> None:
    with pytest.raises(TypeError, match=r"holds a foundation \(denoiser\).*foundation\.denoiser\.from="):
        Run(whole / "denoiser").method()


@pytest.mark.slow
def test_other_settings_than_the_foundation_was_made_with_are_told(half: Path) -> None:
    other = {**RECIPE, "method": {**RECIPE["method"], "codebook": 32}}
    with pytest.raises(SettingsError, match=r"trained with other settings \(method\.codebook\)"):
        train(half, recipe=other)


def test_a_finished_foundation_of_other_settings_than_its_recipe_is_refused(whole: Path, tmp_path: Path) -> None:
    source = {"from": str(whole / "autoencoder"), "recipe": {**RECIPE, "training": {**TRAINING, "images": 128}}}
    with pytest.raises(
        SettingsError, match=r"other settings than its recipe \(training\.images\).*leave the recipe out"
    ):
        unweave.train("denoiser", {"foundation": {"autoencoder": source}}, data=DATA, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recipe_for_other_images_is_refused(whole: Path, tmp_path: Path) -> None:
    recipe = {**RECIPE, "data": {"name": "rooms", "size": 32}}
    with pytest.raises(SettingsError, match="for other images"):
        train(tmp_path, recipe)
    assert not (tmp_path / "autoencoder").exists()


@pytest.mark.slow
def test_an_interrupted_foundation_is_not_stood_on(half: Path) -> None:
    with pytest.raises(SettingsError, match=r"has not ended: `unweave train .*autoencoder --resume`"):
        train(half, recipe=None)


def test_sets_of_one_name_have_foundations_of_their_own(tmp_path: Path) -> None:
    """A split, too: rows that are held out must not be in what a method stands on."""
    whole_set, part = (
        plan("disdiff", {"data": {"name": "rooms", "size": 32, **view}}).foundation.networks()["denoiser"].origin
        for view in ({}, {"view": {"split": "train"}})
    )
    assert Path(part).name.startswith("denoiser-laptop-kl-rooms-32-")
    assert whole_set != part


def test_an_autoencoder_beside_a_denoiser_that_brings_its_own_is_refused(whole: Path) -> None:
    table = {"foundation": {"autoencoder": {"from": str(whole / "autoencoder")}}}
    with pytest.raises(SettingsError, match=r"train one on yours first.*give foundation\.denoiser\.from=ITS RUN alone"):
        plan("disdiff", table, {"data": DATA})


def test_an_encoder_that_cannot_be_used_is_refused_before_a_foundation_is_made(tmp_path: Path) -> None:
    foundation = {"denoiser": {"from": str(tmp_path / "denoiser"), "recipe": {"method": {"name": "denoiser"}}}}
    for encoder, said in ((tmp_path / "nowhere", "there is no run"), ("builtin:rooms", "sees images of 3 x 64 x 64")):
        experiment = resolve("pdae", {"data": DATA, "foundation": foundation | {"encoder": {"from": str(encoder)}}})
        with pytest.raises((LookupError, SettingsError), match=said):
            make_foundations(experiment)
    assert not (tmp_path / "denoiser").exists()


@pytest.mark.slow
def test_memory_that_does_not_suffice_leaves_everything_as_it_was(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = train(whole, recipe=None, run=tmp_path / "run")
    before = sorted(str(path) for path in made.path.rglob("*"))
    monkeypatch.setattr(memory, "available", lambda device: 1000)
    for options in ({"overwrite": True}, {"resume": True}, {"run": tmp_path / "other"}):
        with pytest.raises(SettingsError, match="GiB of memory"):
            train(whole, recipe=None, **{"run": tmp_path / "run", **options})
    assert sorted(str(path) for path in made.path.rglob("*")) == before
    assert not (tmp_path / "other").exists()


@pytest.mark.long
def test_threads_of_a_stage_are_its_own(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    train(tmp_path, {**RECIPE, "training": {**TRAINING, "threads": 2}})
    assert torch.get_num_threads() == threads
