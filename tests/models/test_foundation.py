import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMPipeline,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    LDMPipeline,
    UNet2DModel,
    VQModel,
)
from safetensors.torch import load_file, save_file

from unweave.config import SettingsError
from unweave.models import diffusers_folder
from unweave.models.diffusers_folder import digest, load, local_folder, scheduler_config
from unweave.models.diffusion import noising
from unweave.models.diffusion.noising import read_scheduler_config
from unweave.models.foundation import Foundation, check_digests, open_foundation
from unweave.models.foundation_settings import FoundationSettings
from unweave.models.latents import LatentSpace, PixelSpace

IMAGE = (3, 16, 16)
WEIGHTS = "diffusion_pytorch_model.safetensors"
PICKLE = "diffusion_pytorch_model.bin"
AUTOENCODER: dict[str, Any] = {
    "block_out_channels": (8, 16), "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2, "norm_num_groups": 4, "sample_size": 16,
}  # fmt: skip


def unet(size: int = 16, channels: int = 3, **changes: Any) -> UNet2DModel:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "sample_size": size, "in_channels": channels, "out_channels": channels, "block_out_channels": (8, 8),
        "down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2, "layers_per_block": 1,
        "norm_num_groups": 4, "attention_head_dim": 4,
    }  # fmt: skip
    return UNet2DModel(**{**sizes, **changes})


def vq(seed: int = 0) -> VQModel:
    torch.manual_seed(seed)
    return VQModel(**AUTOENCODER, latent_channels=3, num_vq_embeddings=16, scaling_factor=2.0)


def kl() -> AutoencoderKL:
    torch.manual_seed(0)
    return AutoencoderKL(**AUTOENCODER, latent_channels=4, scaling_factor=2.0)


def bare(folder: Path, network: Any, config: Any = None) -> Path:
    network.save_pretrained(folder)
    if isinstance(network, UNet2DModel):
        (config or DDPMScheduler()).save_pretrained(folder)
    return folder


def sources(**origins: Path | str) -> FoundationSettings:
    return FoundationSettings.model_validate({name: {"from": str(origin)} for name, origin in origins.items()})


def add_1(path: Path) -> None:
    """Add 1 to one number of one tensor."""
    tensors = load_file(path)
    name = min(tensors)
    tensors[name].view(-1)[0] += 1
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    return bare(tmp_path / "pixels", unet())


@pytest.fixture
def latent(tmp_path: Path) -> Path:
    LDMPipeline(vq(), unet(8), DDIMScheduler()).save_pretrained(tmp_path / "latent")
    return tmp_path / "latent"


def pickled(folder: Path) -> Path:
    torch.save(load_file(folder / WEIGHTS), folder / PICKLE)
    (folder / WEIGHTS).unlink()
    return folder


# what opens


@pytest.mark.parametrize("pipeline", [(DDPMPipeline, DDPMScheduler), (DDIMPipeline, DDIMScheduler)])
def test_a_pipeline_of_pixels_opens(pipeline: Any, tmp_path: Path) -> None:
    kind, steps = pipeline
    kind(unet(), steps(beta_end=0.01)).save_pretrained(tmp_path)
    foundation = open_foundation(sources(denoiser=tmp_path), IMAGE, 7)
    assert (foundation.shape, foundation.rows, foundation.space) == (IMAGE, 7, None)
    assert isinstance(foundation.diffusion_space(), PixelSpace)
    assert set(foundation.digests) == {"denoiser"}
    denoiser = foundation.required_denoiser("DisDiff")
    x, t = torch.randn(2, *IMAGE), torch.tensor([1, 900])
    with torch.no_grad():
        torch.testing.assert_close(denoiser.unet(x, t).sample, unet()(x, t).sample)
    torch.testing.assert_close(denoiser.process.abar, DDPMScheduler(beta_end=0.01).alphas_cumprod)
    assert not denoiser.state_dict(), "a checkpoint holds nothing of it"
    assert foundation.record() == {"shape": [3, 16, 16], "rows": 7, "digests": foundation.digests, "commits": {}}


def test_a_latent_pipeline_comes_with_its_autoencoder(latent: Path) -> None:
    foundation = open_foundation(sources(denoiser=latent), IMAGE, 1)
    assert isinstance(foundation.space, LatentSpace)
    assert foundation.space is foundation.diffusion_space()
    assert foundation.space.shape == (3, 8, 8)
    assert foundation.space.scale == 2.0
    assert set(foundation.digests) == {"autoencoder", "denoiser"}
    torch.testing.assert_close(foundation.space.autoencoder.quantize.embedding.weight, vq().quantize.embedding.weight)
    again = open_foundation(sources(denoiser=latent, autoencoder=latent), IMAGE, 1)
    assert again.digests == foundation.digests


@pytest.mark.parametrize("part", ["denoiser", "unet"])
def test_a_bare_unet_opens_with_its_scheduler_in_it_or_beside_it(part: str, tmp_path: Path, latent: Path) -> None:
    folder = bare(tmp_path / "bare", unet()) if part == "denoiser" else latent / "unet"
    autoencoder = {} if part == "denoiser" else {"autoencoder": latent / "vqvae"}
    foundation = open_foundation(sources(denoiser=folder, **autoencoder), IMAGE, 1)
    assert foundation.denoiser is not None
    assert foundation.denoiser.process.prediction_type == "epsilon"


@pytest.mark.parametrize(("make", "shape"), [(vq, (3, 8, 8)), (kl, (4, 8, 8))])
def test_a_bare_autoencoder_opens(make: Any, shape: tuple[int, int, int], tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    foundation = open_foundation(sources(autoencoder=tmp_path), IMAGE, 1)
    assert foundation.space is not None
    assert foundation.space.shape == shape
    assert foundation.denoiser is None
    assert set(foundation.digests) == {"autoencoder"}


def test_an_autoencoder_works_at_other_sizes_than_it_was_trained_at(tmp_path: Path) -> None:
    vq().save_pretrained(tmp_path)
    assert open_foundation(sources(autoencoder=tmp_path), (3, 32, 32), 1).diffusion_space().shape == (3, 16, 16)


def test_nothing_is_a_foundation_too() -> None:
    foundation = open_foundation(FoundationSettings(), IMAGE, 3)
    assert (foundation.space, foundation.denoiser, foundation.digests) == (None, None, {})
    with pytest.raises(SettingsError, match=r"DisDiff stands on.*foundation\.denoiser\.from=RUN_OR_FOLDER"):
        foundation.required_denoiser("DisDiff")


def test_outputs_that_correspond_are_the_same_noise(tmp_path: Path) -> None:
    """eps, v and x_0 of one image and one noise, by diffusers' own formulas, read through three denoisers."""
    rng = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(4, *IMAGE, generator=rng) for _ in range(2))
    t, steps = torch.tensor([3, 200, 500, 900]), DDPMScheduler(beta_schedule="scaled_linear")
    x_t = steps.add_noise(x0, eps, t)
    outputs = {"epsilon": eps, "v_prediction": steps.get_velocity(x0, eps, t), "sample": x0}
    for kind, output in outputs.items():
        config = DDPMScheduler(beta_schedule="scaled_linear", prediction_type=kind)
        denoiser = open_foundation(sources(denoiser=bare(tmp_path / kind, unet(), config)), IMAGE, 1).required_denoiser(
            "x"
        )
        torch.testing.assert_close(denoiser.noise(output, x_t, t), eps, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "config",
    [
        {"beta_schedule": "linear"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0155},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"beta_schedule": "sigmoid"},
        {"trained_betas": [0.001 + 1e-5 * i for i in range(1000)]},
    ],
    ids=lambda config: str(config)[:40],
)
def test_any_schedule_is_followed(config: dict[str, Any], tmp_path: Path) -> None:
    foundation = open_foundation(sources(denoiser=bare(tmp_path, unet(), DDPMScheduler(**config))), IMAGE, 1)
    torch.testing.assert_close(foundation.required_denoiser("x").process.abar, DDPMScheduler(**config).alphas_cumprod)


def test_ours_are_followed_exactly() -> None:
    for schedule in ("sqrt_linear", "cosine", "linear"):
        ours = noising.scheduler_config(schedule, "v")
        config = read_scheduler_config(dict(DDIMScheduler(**ours).config))
        assert config == {"beta_start": 1e-4, "beta_end": 0.02, **ours}


# what does not fit


def test_channels_that_do_not_fit_are_told(latent: Path, pixels: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"denoiser takes 4 channels, and the latents have 3"):
        open_foundation(sources(denoiser=bare(tmp_path / "four", unet(8, 4)), autoencoder=latent), IMAGE, 1)
    with pytest.raises(ValueError, match=r"takes 4 channels.*needs its autoencoder \(foundation\.autoencoder\.from\)"):
        open_foundation(sources(denoiser=tmp_path / "four"), (3, 8, 8), 1)
    with pytest.raises(ValueError, match=r"autoencoder takes 3 channels, and the images have 1"):
        open_foundation(sources(autoencoder=latent), (1, 16, 16), 1)


def test_a_unet_that_also_gives_a_variance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gives 6: one that also predicts a variance"):
        open_foundation(sources(denoiser=bare(tmp_path, unet(out_channels=6))), IMAGE, 1)


@pytest.mark.parametrize(("size", "times"), [(8, "0.5"), (32, "2"), ((16, 32), "1")])
def test_a_size_that_does_not_fit_is_told(size: Any, times: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"works on .*would be 16 x 16: set data\.size to {times} times"):
        open_foundation(sources(denoiser=bare(tmp_path, unet(size))), IMAGE, 1)


def test_a_size_that_does_not_fit_counts_in_latents(latent: Path) -> None:
    with pytest.raises(ValueError, match=r"works on 8 x 8.*would be 16 x 16: set data\.size to 0\.5 times"):
        open_foundation(sources(denoiser=latent), (3, 32, 32), 1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_train_timesteps": 500}, "trained with 500 time-steps; only 1000"),
        ({"rescale_betas_zero_snr": True}, "zero terminal SNR"),
        ({"prediction_type": "flow_prediction"}, "'flow_prediction'"),
    ],
)
def test_schedules_that_cannot_be_followed_are_refused(config: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = bare(tmp_path, unet(), DDIMScheduler(**config))
    with pytest.raises(ValueError, match=message):
        open_foundation(sources(denoiser=folder), IMAGE, 1)


def test_a_scheduler_of_another_kind_is_refused(pixels: Path) -> None:
    (pixels / "scheduler_config.json").write_text(json.dumps({"_class_name": "ScoreSdeVeScheduler", "snr": 0.15}))
    with pytest.raises(ValueError, match="does not say beta_schedule: is it a DDPM or DDIM scheduler"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


def test_a_missing_scheduler_is_told(pixels: Path) -> None:
    (pixels / "scheduler_config.json").unlink()
    with pytest.raises(LookupError, match=r"does not say its noise schedule.*scheduler_config\.json"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


def test_another_autoencoder_than_the_denoisers_own_is_refused(latent: Path, tmp_path: Path) -> None:
    vq(seed=1).save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match=r"was trained on another autoencoder.*leave foundation\.autoencoder out"):
        open_foundation(sources(denoiser=latent, autoencoder=tmp_path / "other"), IMAGE, 1)


# what is missing or damaged


def test_missing_weights_are_told(pixels: Path) -> None:
    (pixels / WEIGHTS).unlink()
    with pytest.raises(LookupError, match=r"config\.json and no weights"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


@pytest.mark.parametrize("text", ["{", "", "[1]", "3"])
def test_a_damaged_configuration_is_told(text: str, pixels: Path) -> None:
    (pixels / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


@pytest.mark.parametrize("text", ["{", "", "[1]"])
def test_a_damaged_scheduler_is_told(text: str, pixels: Path) -> None:
    (pixels / "scheduler_config.json").write_text(text)
    with pytest.raises(ValueError, match=r"scheduler_config\.json is damaged"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


def test_torn_weights_are_told(pixels: Path) -> None:
    (pixels / WEIGHTS).write_bytes((pixels / WEIGHTS).read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{WEIGHTS} is damaged: it has no header"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


def test_weights_of_another_shape_are_told(pixels: Path) -> None:
    config = json.loads((pixels / "config.json").read_text())
    (pixels / "config.json").write_text(json.dumps({**config, "block_out_channels": [8, 16]}))
    with pytest.raises(ValueError, match="cannot be opened as a UNet2DModel"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


def test_weights_that_lack_a_tensor_are_told(pixels: Path) -> None:
    """diffusers itself only warns, and leaves the layer as it was drawn."""
    tensors = load_file(pixels / WEIGHTS)
    del tensors["conv_out.weight"]
    save_file(tensors, pixels / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"is damaged: its weights lack conv_out\.weight"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)


def test_a_folder_of_something_else_says_what_is_in_it(tmp_path: Path, latent: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("1")
    with pytest.raises(LookupError, match=r"holds no denoiser \(UNet2DModel.*In it: chapter\.txt"):
        open_foundation(sources(denoiser=tmp_path / "thesis"), IMAGE, 1)
    with pytest.raises(LookupError, match=r"holds no autoencoder \(VQModel or AutoencoderKL"):
        open_foundation(sources(autoencoder=latent / "unet"), IMAGE, 1)


@pytest.mark.parametrize("origin", ["nowhere", "/nowhere/at/all", "./a/b", "a/b/c"])
def test_an_origin_that_is_neither_a_folder_nor_a_name_on_the_hub(origin: str) -> None:
    with pytest.raises(LookupError, match="no such folder, and no owner/name on the Hub"):
        local_folder(origin)


def test_a_name_on_the_hub_is_downloaded_and_its_commit_kept(
    pixels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    def download(name: str, revision: str | None, allow_patterns: list[str]) -> str:
        requests.append((name, revision))
        assert "*.safetensors" in allow_patterns
        assert not {"*", "*.py", "*.ckpt", "*.pt"} & set(allow_patterns)
        return str(pixels)

    monkeypatch.setattr(diffusers_folder, "snapshot_download", download)
    assert local_folder("me/denoiser@v1") == pixels
    assert open_foundation(sources(denoiser="me/denoiser"), IMAGE, 1).denoiser is not None
    assert requests == [("me/denoiser", "v1"), ("me/denoiser", None)]

    snapshot = tmp_path / "models--me--denoiser" / "snapshots" / ("ab" * 20)
    shutil.copytree(pixels, snapshot)
    monkeypatch.setattr(diffusers_folder, "snapshot_download", lambda *_, **__: str(snapshot))
    assert open_foundation(sources(denoiser="me/denoiser"), IMAGE, 1).record()["commits"] == {"denoiser": "ab" * 20}
    own = tmp_path / "snapshots" / "mine"
    shutil.copytree(pixels, own)
    assert open_foundation(sources(denoiser=str(own)), IMAGE, 1).record()["commits"] == {}

    def fails(*_: Any, **__: Any) -> str:
        raise OSError("no connection\nand more")

    monkeypatch.setattr(diffusers_folder, "snapshot_download", fails)
    with pytest.raises(LookupError, match=r"'me/denoiser' is no folder, and cannot be had.*: no connection$"):
        local_folder("me/denoiser")


# pickles


def test_pickled_weights_are_refused_and_converted(pixels: Path) -> None:
    expected = load_file(pixels / WEIGHTS)
    pickled(pixels)
    with pytest.raises(ValueError, match=r"as a pickle \(\.bin\), which can run code.*add --convert"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1)
    assert not (pixels / WEIGHTS).exists()
    open_foundation(sources(denoiser=pixels), IMAGE, 1, convert=True)
    written = load_file(pixels / WEIGHTS)
    assert written.keys() == expected.keys()
    assert all(torch.equal(written[name], expected[name]) for name in expected)
    assert open_foundation(sources(denoiser=pixels), IMAGE, 1).denoiser is not None, (
        "once converted they open as any others"
    )
    assert not list(pixels.glob(".*"))


def test_a_converted_foundation_is_the_same_when_it_is_opened_again(pixels: Path) -> None:
    pickled(pixels)
    first = open_foundation(sources(denoiser=pixels), IMAGE, 1, convert=True)
    again = open_foundation(sources(denoiser=pixels), IMAGE, 1)
    assert first.digests == again.digests
    check_digests(first.digests, again.digests, pixels)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (self.target,)  # runs where a pickle is opened without care


@pytest.mark.parametrize("convert", [False, True])
@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_a_pickle_that_runs_code_does_not_run(way: str, convert: bool, pixels: Path, tmp_path: Path) -> None:
    target = tmp_path / "was here"
    evil = {"conv_in.weight": Malicious(target)}
    if way == "torch":
        torch.save(evil, pixels / PICKLE)
    else:
        (pixels / PICKLE).write_bytes(pickle.dumps(evil))
    pickle.loads(pickle.dumps(evil))
    assert target.exists(), "it would"
    target.unlink()
    (pixels / WEIGHTS).unlink()
    with pytest.raises(ValueError, match="pickle"):
        open_foundation(sources(denoiser=pixels), IMAGE, 1, convert=convert)
    assert not target.exists()
    assert not (pixels / WEIGHTS).exists()


def test_safetensors_are_taken_before_a_pickle_beside_them(pixels: Path) -> None:
    (pixels / PICKLE).write_bytes(b"nothing that could be opened")
    assert load(pixels, "denoiser").config.sample_size == 16


# digests


def test_a_digest_is_of_the_weights_the_configuration_and_the_schedule(pixels: Path, tmp_path: Path) -> None:
    before = digest(pixels, "denoiser")
    assert len(before) == 16
    assert digest(Path(shutil.copytree(pixels, tmp_path / "copy")), "denoiser") == before
    add_1(tmp_path / "copy" / WEIGHTS)
    assert digest(tmp_path / "copy", "denoiser") != before
    for file, key, value, same in (
        ("config.json", "_diffusers_version", "0.1", True),
        ("config.json", "_name_or_path", "elsewhere", True),
        ("config.json", "norm_eps", 1e-3, False),
        ("scheduler_config.json", "_diffusers_version", "0.1", True),
        ("scheduler_config.json", "clip_sample", False, True),  # of sampling alone
        ("scheduler_config.json", "beta_end", 0.03, False),
        ("scheduler_config.json", "prediction_type", "v_prediction", False),
    ):
        table = json.loads((pixels / file).read_text())
        (pixels / file).write_text(json.dumps({**table, key: value}))
        assert (digest(pixels, "denoiser") == before) == same, (file, key)
        (pixels / file).write_text(json.dumps(table))


def test_a_network_that_diffusers_wrote_again_has_the_same_digest(latent: Path, tmp_path: Path) -> None:
    LDMPipeline.from_pretrained(latent).save_pretrained(tmp_path / "again")
    for name in ("autoencoder", "denoiser"):
        assert digest(tmp_path / "again", name) == digest(latent, name)
    VQModel.from_pretrained(latent / "vqvae").save_pretrained(tmp_path / "alone")
    assert digest(tmp_path / "alone", "autoencoder") == digest(latent, "autoencoder")
    assert open_foundation(sources(denoiser=latent, autoencoder=tmp_path / "alone"), IMAGE, 1).denoiser is not None


def test_a_changed_or_missing_foundation_is_named() -> None:
    run = Path("runs/a")
    check_digests({}, {"denoiser": "1"}, run)
    check_digests({"denoiser": "1"}, {"denoiser": "1", "autoencoder": "2"}, run)
    with pytest.raises(ValueError, match=r"the denoiser that runs/a stands on has changed \(.* was 1, now 2\)"):
        check_digests({"autoencoder": "0", "denoiser": "1"}, {"autoencoder": "0", "denoiser": "2"}, run)
    with pytest.raises(ValueError, match=r"has changed \(.* was 1, now there is none\)"):
        check_digests({"denoiser": "1"}, {}, run)
    with pytest.raises(ValueError, match=r"\(write @abc behind its name in settings\.toml\), or train"):
        check_digests({"denoiser": "1"}, {"denoiser": "2"}, run, {"denoiser": "abc"})


def test_sources_are_in_the_order_in_which_they_are_made() -> None:
    both = FoundationSettings.model_validate(
        {"denoiser": {"from": "d"}, "autoencoder": {"from": "a", "recipe": "autoencoder"}}
    )
    assert list(both.networks()) == ["autoencoder", "denoiser"]
    assert not FoundationSettings().networks()
    assert both.model_dump(by_alias=True)["denoiser"] == {"from": "d", "recipe": None}
    assert isinstance(open_foundation(FoundationSettings(), IMAGE, 1), Foundation)


def test_the_scheduler_of_a_pipeline_is_found_from_its_unet(latent: Path) -> None:
    assert scheduler_config(latent) == scheduler_config(latent / "unet")
    assert scheduler_config(latent)["_class_name"] == "DDIMScheduler"


def test_conversion_takes_the_weights_and_not_a_variant_of_them(pixels: Path) -> None:
    tensors = load_file(pixels / WEIGHTS)
    (pixels / WEIGHTS).unlink()
    torch.save(tensors, pixels / PICKLE)
    torch.save({name: 0 * value for name, value in tensors.items()}, pixels / "diffusion_pytorch_model.non_ema.bin")
    open_foundation(sources(denoiser=pixels), IMAGE, 1, convert=True)
    converted = load_file(pixels / WEIGHTS)
    assert all(torch.equal(converted[name], tensors[name]) for name in tensors)


def test_a_network_in_shards_is_opened_and_copied(tmp_path: Path) -> None:
    folder = bare(tmp_path / "shards", unet())
    (folder / WEIGHTS).unlink()
    unet().save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    foundation = open_foundation(sources(denoiser=folder), IMAGE, 1)
    diffusers_folder.copy_networks({"denoiser": folder}, tmp_path / "copy")
    again = open_foundation(sources(denoiser=tmp_path / "copy" / "denoiser"), IMAGE, 1)
    assert again.digests == foundation.digests


def test_an_autoencoder_that_gives_back_another_size_is_refused(latent: Path) -> None:
    with pytest.raises(ValueError, match=r"gives back 16 x 16 of images of 17 x 17: set data\.size=16"):
        open_foundation(sources(autoencoder=latent), (3, 17, 17), 1)
