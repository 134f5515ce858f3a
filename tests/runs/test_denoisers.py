"""The diffusion model of a run or of a checkpoint."""

from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, LDMPipeline
from tests.conftest import latent_foundation, small_denoiser

import unweave
from unweave.editing.local_directions import DirectionSettings
from unweave.models.latents import LatentSpace
from unweave.runs.denoisers import is_run, open_denoiser, picture_shape
from unweave.runs.run import Run

FEW = DirectionSettings(count=1, null_rank=1, iterations=1, steps=2)


def test_a_checkpoint_of_diffusers_needs_no_run(tmp_path: Path) -> None:
    denoiser = small_denoiser()
    DDPMPipeline(denoiser.unet, DDPMScheduler()).save_pretrained(tmp_path)
    opened = open_denoiser(tmp_path)
    assert (opened.run, opened.shape, opened.takes_units) == (None, (3, 16, 16), False)
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        picture = opened.of_picture(None).picture(x_t, 500)
        expected = denoiser.clean(x_t, torch.tensor([500, 500]))
    assert torch.allclose(picture, expected, atol=1e-4)
    edit, _ = unweave.local_directions(tmp_path, settings=FEW)
    assert edit.images.shape == (1, 2, 3, 16, 16)


def test_pictures_of_latents_are_as_large_as_the_autoencoder_makes_them(tmp_path: Path) -> None:
    foundation = latent_foundation("vq")
    assert isinstance(foundation.space, LatentSpace)
    assert foundation.denoiser is not None
    LDMPipeline(foundation.space.autoencoder, foundation.denoiser.unet, DDPMScheduler()).save_pretrained(tmp_path)
    assert picture_shape(tmp_path) == (3, 16, 16)
    edit, facts = unweave.local_directions(tmp_path, mask=[0, 0, 8, 8], settings=FEW)
    assert edit.images.shape == (1, 2, 3, 16, 16)
    assert facts.directions.vectors.shape[1:] == foundation.space.shape


def test_what_has_no_diffusion_model_says_so(vivid_run: Run, tmp_path: Path) -> None:
    assert is_run("builtin:rooms")
    assert is_run(str(vivid_run.path))
    with pytest.raises(TypeError, match="betavae has none, and stands on none"):
        open_denoiser(vivid_run)
    with pytest.raises(LookupError, match="no denoiser"):
        open_denoiser(tmp_path)
