from pathlib import Path
from typing import Any

import numpy as np
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
from tests.conftest import abar_of

from unweave.method import Batch, evaluating
from unweave.models.diffusion import noising
from unweave.models.foundation import Foundation
from unweave.models.latents import LatentSpace
from unweave.models.pretraining import denoiser
from unweave.models.pretraining.denoiser import PRESETS, Denoiser, DenoiserSettings

QUICK: dict[str, Any] = {"channels": (8, 16), "attention": (False, True), "layers": 1, "heads": 2, "groups": 4}
IMAGE = (3, 16, 16)
VARIANTS: dict[str, dict[str, Any]] = {
    "eps": {"prediction": "eps", "loss": "l2"},
    "v": {"prediction": "v", "loss": "l2", "weight": "sigmoid", "schedule": "cosine"},
    "x0": {"prediction": "x0", "loss": "l1", "schedule": "linear"},
}


def latents(kind: str = "vq") -> LatentSpace:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "block_out_channels": (8, 16), "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2, "norm_num_groups": 4, "sample_size": 16,
    }  # fmt: skip
    if kind == "vq":
        return LatentSpace(VQModel(**sizes, latent_channels=3, num_vq_embeddings=16, scaling_factor=2.0), IMAGE)
    return LatentSpace(AutoencoderKL(**sizes, latent_channels=4, scaling_factor=2.0), IMAGE)


def quick(space: LatentSpace | None = None, **changes: Any) -> Denoiser:
    torch.manual_seed(0)
    return denoiser.build(DenoiserSettings(**{**QUICK, **changes}), Foundation(IMAGE, 100, space))


def batch(count: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(0)
    return Batch(torch.rand(count, *IMAGE, generator=rng) * 2 - 1, torch.arange(count), 0)


def perturbed(model: Denoiser) -> Denoiser:
    for parameter in model.unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.mark.parametrize("space", [None, "vq", "kl"])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_learns(changes: dict[str, Any], space: str | None) -> None:
    model = quick(latents(space) if space else None, **changes)
    optimiser = torch.optim.AdamW([p for player in model.players() for p in player.parameters], 3e-3)
    losses = []
    for _ in range(15):
        loss = model(batch(), torch.Generator().manual_seed(1))
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        losses.append(loss.total.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("space", [None, "vq"])
def test_the_first_loss_of_the_release_is_the_mean_absolute_noise(space: str | None) -> None:
    """The defaults are the release's; only the sizes are ours. The first prediction is exactly 0."""
    model = quick(latents(space) if space else None)
    losses = [model(batch(64), torch.Generator().manual_seed(seed)).total.item() for seed in range(4)]
    assert np.mean(losses) == pytest.approx((2 / np.pi) ** 0.5, abs=0.01)  # 0.798
    assert quick(loss="l2")(batch(64), torch.Generator().manual_seed(0)).total.item() == pytest.approx(1, abs=0.03)


def test_the_loss_is_the_error_of_the_prediction_at_random_times() -> None:
    model = perturbed(quick(loss="l2", schedule="linear"))
    rng = torch.Generator().manual_seed(3)
    t, eps = torch.randint(0, 1000, (8,), generator=rng), torch.randn(8, *IMAGE, generator=rng)
    scheduler = DDPMScheduler(beta_start=1e-4, beta_end=0.02)
    with torch.no_grad():
        expected = (model.unet(scheduler.add_noise(batch().images, eps, t), t).sample - eps).square().mean()
        loss = model(batch(), torch.Generator().manual_seed(3)).total
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["vq", "kl"])
def test_the_autoencoder_is_not_saved_not_trained_and_not_averaged(kind: str) -> None:
    model = quick(latents(kind))
    assert {name.split(".")[0] for name in model.state_dict()} == {"unet"}
    frozen = {id(parameter) for parameter in model.space.parameters()}
    assert frozen
    assert not frozen & {id(parameter) for player in model.players() for parameter in player.parameters}
    assert model.averaged == ("unet",)
    before = [parameter.clone() for parameter in model.space.parameters()]
    model.train()
    model(batch(), torch.Generator().manual_seed(0)).total.backward()
    assert all(parameter.grad is None for parameter in model.space.parameters())
    assert not any(module.training for module in model.space.autoencoder.modules())
    assert all(torch.equal(one, other) for one, other in zip(before, model.space.parameters()))
    assert list(model.load_state_dict(model.state_dict())) == [[], []]


@pytest.mark.parametrize("prediction", VARIANTS)
@pytest.mark.parametrize("schedule", ["sqrt_linear", "cosine", "linear"])
def test_the_exported_scheduler_is_the_one_it_was_trained_with(schedule: Any, prediction: Any, tmp_path: Path) -> None:
    model = quick(schedule=schedule, prediction=prediction)
    model.export(batch().images, tmp_path)
    for kind in (DDIMScheduler, DDPMScheduler):
        scheduler = kind.from_pretrained(tmp_path / "scheduler")
        torch.testing.assert_close(scheduler.alphas_cumprod, abar_of(schedule))
        assert scheduler.config.prediction_type == noising.scheduler_config(schedule, prediction)["prediction_type"]
        assert not scheduler.config.clip_sample


@pytest.mark.parametrize("kind", [DDIMPipeline, DDPMPipeline])
def test_pixels_are_exported_as_a_pipeline_that_diffusers_runs(kind: Any, tmp_path: Path) -> None:
    model = perturbed(quick())
    model.export(batch().images, tmp_path)
    pipeline = kind.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(batch_size=2, num_inference_steps=2, output_type="np").images
    assert drawn.shape == (2, 16, 16, 3)
    t = torch.tensor([3] * 8)
    with torch.no_grad():
        torch.testing.assert_close(pipeline.unet(batch().images, t).sample, model.unet(batch().images, t).sample)
    assert torch.equal(UNet2DModel.from_pretrained(tmp_path / "unet").conv_in.weight, model.unet.conv_in.weight)


def test_latents_are_exported_as_a_pipeline_that_diffusers_runs(tmp_path: Path) -> None:
    model = perturbed(quick(latents()))
    model.export(batch().images, tmp_path)
    pipeline = LDMPipeline.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(batch_size=2, num_inference_steps=2, output_type="np").images
    assert drawn.shape == (2, 16, 16, 3)
    assert pipeline.vqvae.config.scaling_factor == 2.0
    with torch.no_grad():
        expected = model.space.autoencoder(batch().images).sample
        torch.testing.assert_close(pipeline.vqvae(batch().images).sample, expected)


def test_what_we_draw_is_what_the_exported_pipeline_draws(tmp_path: Path) -> None:
    """DDIM of two steps from the same noise, in latents: diffusers' pipeline against the space and the U-Net here."""
    from unweave.method import Sampling
    from unweave.models.diffusion.sampling import sample

    model = perturbed(quick(latents()))
    model.export(batch().images, tmp_path)
    pipeline = LDMPipeline.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(2, torch.Generator().manual_seed(4), num_inference_steps=10, output_type="np").images
    start = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    with evaluating(model):
        own = sample(lambda x, t: model.unet(x, t).sample, start, model.process.config, Sampling("ddim", 10))
        images = (model.space.decode(own) / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(drawn, images, atol=2e-3)


def test_kl_latents_are_exported_in_the_same_parts(tmp_path: Path) -> None:
    model = quick(latents("kl"))
    model.export(batch().images, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"unet", "vae", "scheduler"}, "diffusers has no pipeline"
    assert AutoencoderKL.from_pretrained(tmp_path / "vae").config.scaling_factor == 2.0


@pytest.mark.parametrize("space", [None, "vq", "kl"])
def test_the_preview_is_of_images_and_the_same_for_the_same_seed(space: str | None) -> None:
    model = perturbed(quick(latents(space) if space else None))
    with evaluating(model):
        one, other = (model.preview(batch(2).images, torch.Generator().manual_seed(5)) for _ in range(2))
    assert one.shape == (2, *IMAGE)
    assert one.abs().max() <= 1
    assert torch.equal(one, other)


def test_the_release_unet_has_its_parameters() -> None:
    """Found here: 28,699,267; the release has 29.4 M, with a convolution more in each attention block."""
    model = denoiser.build(DenoiserSettings(), Foundation((3, 16, 16), 1))
    count = sum(parameter.numel() for parameter in model.unet.parameters())
    assert count == 28_699_267
    assert count == pytest.approx(29.4e6, rel=0.03)
    s = model.settings
    assert (s.schedule, s.prediction, s.loss, s.weight) == ("sqrt_linear", "eps", "l1", "uniform")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete_settings(name: str) -> None:
    settings = DenoiserSettings(**PRESETS[name]["method"])
    side = PRESETS[name]["data"]["size"] // (4 if "foundation" in PRESETS[name] else 1)
    denoiser.check_sizes(settings, (3, side, side))
    assert len(settings.attention) == len(settings.channels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": (8,) * 6, "attention": (False,) * 6}, "a multiple of 32, got 16 x 16"),
        ({"attention": (True,)}, r"one value per level of method\.channels \(2\), got 1"),
        ({"groups": 5}, r"divisible by method\.groups \(5\)"),
    ],
)
def test_settings_that_do_not_fit_say_what_would(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**changes)
