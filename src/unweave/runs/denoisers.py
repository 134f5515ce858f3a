"""The diffusion model of a run, or of a checkpoint in diffusers' layout, as one that pictures go into."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from unweave.data.settings import Reading
from unweave.devices import best_device
from unweave.method import evaluating, find_method
from unweave.models import diffusers_folder
from unweave.models.diffusion.picture_denoiser import PictureDenoiser
from unweave.models.foundation import Foundation, open_foundation
from unweave.models.foundation_settings import FoundationSettings
from unweave.runs.builtin import PREFIX
from unweave.runs.run import Run
from unweave.tensors import Images


class OpenDenoiser(NamedTuple):
    """A diffusion model, and of what its pictures are."""

    name: str
    run: Run | None  # None for a checkpoint that is no run
    shape: tuple[int, int, int]  # of pictures
    reading: Reading | None
    takes_units: bool  # of a picture, without which there is no denoiser
    of_picture: Callable[[Images | None], PictureDenoiser]  # [1, channel, height, width]


def open_denoiser(model: Run | str | Path) -> OpenDenoiser:
    """A run whose method has a diffusion model or stands on one, a run of `unweave train denoiser`, a folder that
    diffusers wrote, or owner/name[@revision] on the Hub.

    A method that has one of its own (EncDiff, Diff-AE) is told the units of the picture. Raises LookupError where there
    is none of these, TypeError for a run without a diffusion model.
    """
    if not isinstance(model, Run) and not is_run(str(model)):
        return _unconditional(str(model), None)
    run = model if isinstance(model, Run) else Run(model)
    if run.method_name == "denoiser":
        return _unconditional(str(run.path), run)
    told = find_method(run.method_name).denoiser
    if told is None:
        foundation = run.foundation()
        if foundation.denoiser is None:
            raise TypeError(f"{run.path} has no diffusion model: {run.method_name} has none, and stands on none.")
        return OpenDenoiser(str(run.path), run, run.shape(), run.reading(), False, _frozen(foundation))
    method = run.method()

    def of_picture(image: Images | None) -> PictureDenoiser:
        assert image is not None
        with evaluating(method):
            units = method.encode(image)
        return told(method, units.clone())  # clone: outside inference mode, so that derivatives can be taken

    return OpenDenoiser(str(run.path), run, run.shape(), run.reading(), True, of_picture)


def is_run(model: str) -> bool:
    """Whether it is a run directory, or the name of a run in the package."""
    return model.startswith(PREFIX) or (Path(model) / "settings.toml").is_file()


def _unconditional(origin: str, run: Run | None) -> OpenDenoiser:
    folder = diffusers_folder.local_folder(origin)
    shape = run.shape() if run is not None else picture_shape(folder)
    settings = FoundationSettings.model_validate({"denoiser": {"from": str(folder)}})
    foundation = open_foundation(settings, shape, rows=1)
    return OpenDenoiser(origin, run, shape, None if run is None else run.reading(), False, _frozen(foundation))


def picture_shape(folder: Path) -> tuple[int, int, int]:
    """Channels, height and width of the pictures of a checkpoint, by the configurations of its networks.

    Raises ValueError where the denoiser does not say its size.
    """
    config = diffusers_folder.configuration(folder, "denoiser")
    size = config.get("sample_size")
    if not size:
        raise ValueError(f"the denoiser in {folder} does not say its sample_size: write it into its config.json.")
    height, width = size if isinstance(size, list) else (size, size)
    if diffusers_folder.find_network(folder, "autoencoder") is None:
        return config["in_channels"], height, width
    inner = diffusers_folder.configuration(folder, "autoencoder")
    factor = 2 ** (len(inner["block_out_channels"]) - 1)
    return inner["in_channels"], height * factor, width * factor


def _frozen(foundation: Foundation) -> Callable[[Images | None], PictureDenoiser]:
    """A frozen network, which is told nothing."""
    denoiser, space = foundation.denoiser, foundation.diffusion_space()
    assert denoiser is not None
    denoiser, space = denoiser.to(best_device()), space.to(best_device())

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return denoiser.unet(x_t, t.expand(x_t.shape[0])).sample.float()

    found = PictureDenoiser(denoiser.process, predict, space.encode, space.soft_decode, space.shape)
    return lambda image: found
