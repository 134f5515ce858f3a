from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, VQModel
from torch import nn

from unweave.models.latents import LatentSpace, PixelSpace

IMAGE = (3, 16, 16)
SIZES: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 16,
}


def pictures(count: int = 8) -> torch.Tensor:
    return torch.rand(count, *IMAGE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def network(kind: str, folder: Path, **config: Any) -> VQModel | AutoencoderKL:
    """An autoencoder as diffusers opens it from what it wrote."""
    torch.manual_seed(0)
    if kind == "vq":
        autoencoder = VQModel(**SIZES, latent_channels=3, num_vq_embeddings=32, **config)
        nn.init.normal_(autoencoder.quantize.embedding.weight)
    else:
        autoencoder = AutoencoderKL(**SIZES, latent_channels=4, **config)
    autoencoder.save_pretrained(folder)
    return type(autoencoder).from_pretrained(folder)


def own_latents(autoencoder: Any, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        encoded = autoencoder.encode(images)
        return encoded.latents if isinstance(autoencoder, VQModel) else encoded.latent_dist.mean


def rescaled(kind: str, folder: Path) -> VQModel | AutoencoderKL:
    """An autoencoder whose scaling factor is 1 / the standard deviation of its latents, as it should be."""
    deviation = own_latents(network(kind, folder), pictures(64)).std()
    return network(kind, folder, scaling_factor=float(1 / deviation))


def test_pixels_are_themselves() -> None:
    space, images = PixelSpace(IMAGE), pictures()
    for way in (space.encode, space.decode, space.soft_decode):
        assert torch.equal(way(images), images)
    assert space.shape == IMAGE
    assert not list(space.parameters())


@pytest.mark.parametrize(("kind", "shape"), [("vq", (3, 8, 8)), ("kl", (4, 8, 8))])
def test_latents_have_unit_variance_and_a_known_shape(kind: str, shape: tuple[int, int, int], tmp_path: Path) -> None:
    space = LatentSpace(rescaled(kind, tmp_path), IMAGE)
    latents = space.encode(pictures(64))
    assert space.shape == shape == tuple(latents.shape[1:])
    assert latents.std().item() == pytest.approx(1, abs=1e-4)
    assert not latents.requires_grad
    assert torch.equal(latents, space.encode(pictures(64))), "nothing is drawn"


@pytest.mark.parametrize("kind", ["vq", "kl"])
def test_there_and_back_is_the_autoencoder(kind: str, tmp_path: Path) -> None:
    autoencoder = network(kind, tmp_path, scaling_factor=3.7)
    space, images = LatentSpace(autoencoder, IMAGE), pictures()
    torch.testing.assert_close(space.encode(images), 3.7 * own_latents(autoencoder, images))
    with torch.no_grad():
        expected = autoencoder(images).sample  # of a KL autoencoder this is the mean, where nothing is drawn
        torch.testing.assert_close(space.decode(space.encode(images)), expected, atol=1e-5, rtol=1e-4)


def test_a_shift_is_taken_off_before_the_scale_and_put_back(tmp_path: Path) -> None:
    autoencoder = network("kl", tmp_path, scaling_factor=2.5, shift_factor=0.75)
    space, images = LatentSpace(autoencoder, IMAGE), pictures()
    own = own_latents(autoencoder, images)
    torch.testing.assert_close(space.encode(images), (own - 0.75) * 2.5)
    torch.testing.assert_close(space.unscaled(space.encode(images)), own, atol=1e-6, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(space.decode(space.encode(images)), autoencoder.decode(own).sample)


def test_decoding_quantises_and_soft_decoding_does_not(tmp_path: Path) -> None:
    space = LatentSpace(rescaled("vq", tmp_path), IMAGE)
    latents = space.encode(pictures())
    with torch.no_grad():
        entries, _, _ = space.autoencoder.quantize(space.unscaled(latents))
        on_entries = entries * space.scale
        nearer = latents.lerp(on_entries, 0.3)  # still in the same cells, which are convex
        torch.testing.assert_close(space.decode(nearer), space.decode(latents), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(space.decode(latents), space.soft_decode(on_entries), atol=1e-5, rtol=1e-4)
        assert (space.soft_decode(nearer) - space.soft_decode(latents)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["vq", "kl"])
def test_soft_decoding_carries_the_gradient_of_the_decoder_to_the_latents(kind: str, tmp_path: Path) -> None:
    space = LatentSpace(rescaled(kind, tmp_path), IMAGE).double()
    latents = space.encode(pictures(2).double()).requires_grad_()
    (gradient,) = torch.autograd.grad(space.soft_decode(latents).square().sum(), latents)
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = (space.soft_decode(latents + step * direction).square().sum().item() for step in (1e-6, -1e-6))
    assert (gradient * direction).sum().item() == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)
    assert all(parameter.grad is None for parameter in space.parameters())


def test_latents_are_of_full_precision_under_autocast(tmp_path: Path) -> None:
    space = LatentSpace(rescaled("vq", tmp_path), IMAGE)
    expected = space.encode(pictures())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(space.encode(pictures()), expected)


def test_the_autoencoder_is_frozen_and_in_no_checkpoint(tmp_path: Path) -> None:
    space = LatentSpace(network("vq", tmp_path), IMAGE)
    space.train()
    assert not space.state_dict()
    assert not space.autoencoder.training
    assert not any(parameter.requires_grad for parameter in space.parameters())
