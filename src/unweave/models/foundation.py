"""What a method is built on: the shape of its images, the size of their set, the frozen networks it may stand on."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from unweave.config import SettingsError
from unweave.method import Method
from unweave.models import diffusers_folder
from unweave.models.attribute_loss import FactorLosses
from unweave.models.diffusion.noising import clean_of, noise_of, read_scheduler_config
from unweave.models.diffusion.process import Process
from unweave.models.foundation_settings import FoundationSettings
from unweave.models.frozen import FrozenNetwork
from unweave.models.frozen_error import ErrorCurve
from unweave.models.gradient_decoder import UNetFeatures, decoder_half, encoder_half
from unweave.models.latents import LatentSpace, PixelSpace, Space
from unweave.tensors import Images, Times, Units

if TYPE_CHECKING:
    import diffusers


@runtime_checkable
class SplitDenoiser(Protocol):
    """What DisDiff asks of a frozen diffusion model: a `FrozenDenoiser`, or one of another architecture."""

    process: Process

    def features_and_noise(self, x_t: Images, t: Times) -> tuple[Any, Images]:
        """What fields are computed from, and the noise prediction eps_0; both without gradient."""

    def clean(self, x_t: Images, t: Times) -> Images:
        """The x_0 that eps_0 implies, with a gradient for x_t."""


class FrozenDenoiser(nn.Module):
    """A frozen unconditional diffusion model: its U-Net, its noise schedule, and what it predicts."""

    def __init__(self, unet: "diffusers.UNet2DModel", scheduler: Mapping[str, Any]) -> None:
        super().__init__()
        self.frozen = FrozenNetwork(unet)
        self.process = Process(read_scheduler_config(scheduler))

    @property
    def unet(self) -> "diffusers.UNet2DModel":
        return self.frozen.network

    def noise(self, output: Images, x_t: Images, t: Times) -> Images:
        """The noise in x_t, from the output of the U-Net, whatever it predicts."""
        return noise_of(self.process.prediction_type, output, x_t, self.process.abar[t])

    @torch.no_grad()
    def features_and_noise(self, x_t: Images, t: Times) -> tuple[UNetFeatures, Images]:
        """The features of the encoder half, which a gradient decoder shares, and the noise prediction eps_0."""
        return self.features_and_eps(x_t, t)

    def features_and_eps(self, x_t: Images, t: Times) -> tuple[UNetFeatures, Images]:
        """As `features_and_noise`, with a gradient for x_t."""
        features = encoder_half(self.unet, x_t, t)
        output = decoder_half(self.unet, features, features.embedding).float()
        return features, self.noise(output, x_t, t)

    def clean(self, x_t: Images, t: Times) -> Images:
        """The x_0 that eps_0 implies, with a gradient for x_t."""
        return clean_of(self.features_and_eps(x_t, t)[1], x_t, self.process.abar[t])


class FrozenEncoder(nn.Module):
    """The frozen method of another run: images -> its units, and units -> a flat code for a decoder.

    A decoder sees every number less its centre and divided by its unit's deviation, both over the other run's images,
    so that codes of any scale can be learnt from. A unit that never varies is 0 there.
    """

    def __init__(
        self, method: Method, centre: Float[np.ndarray, "unit dim"], deviation: Float[np.ndarray, "unit"]
    ) -> None:
        super().__init__()
        self.frozen = FrozenNetwork(method)
        self.units, self.dim = centre.shape
        self.unit_groups = method.unit_groups
        still = deviation <= 1e-6 * max(float(deviation.max(initial=0)), 1e-12)
        self.centre: Tensor
        self.deviation: Tensor
        self.register_buffer("centre", torch.from_numpy(centre).float(), persistent=False)
        scale = torch.from_numpy(np.where(still, np.inf, deviation)).float()
        self.register_buffer("deviation", scale, persistent=False)

    @property
    def method(self) -> Method:
        assert isinstance(self.frozen.network, Method)
        return self.frozen.network

    @property
    def numbers(self) -> int:
        """The width of a flat code."""
        return self.units * self.dim

    @torch.no_grad()
    def forward(self, images: Images) -> Units:
        return self.method.encode(images)

    def flat(self, units: Units) -> Float[Tensor, "batch number"]:
        return ((units - self.centre) / self.deviation[:, None]).flatten(1)


class Foundation(NamedTuple):
    shape: tuple[int, int, int]  # channels, height, width of the images
    rows: int  # images in the training set, for methods with a code per image
    space: Space | None = None  # where diffusion works; None is pixels
    denoiser: FrozenDenoiser | None = None
    encoder: FrozenEncoder | None = None  # of another run, for a method that learns to draw its codes
    digests: Mapping[str, str] = {}
    commits: Mapping[str, str] = {}  # of those that come from the Hub
    class_count: int = 0  # of the images, for methods that see labels
    classes: Tensor | None = None  # of each row; None where a trained model is opened
    error: ErrorCurve | None = None  # of the denoiser, on images of the set; None where a trained model is opened
    losses: FactorLosses | None = None  # of the denoiser, for methods that see factors; None as `classes`

    def record(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {
            "shape": list(self.shape), "rows": self.rows, "digests": dict(self.digests), "commits": dict(self.commits),
            **({"class_count": self.class_count} if self.class_count else {}),
        }  # fmt: skip

    def diffusion_space(self) -> Space:
        """The space that diffusion works in."""
        return self.space if self.space is not None else PixelSpace(self.shape)

    def required_denoiser(self, method: str) -> FrozenDenoiser:
        """The denoiser. Raises SettingsError where there is none."""
        if self.denoiser is None:
            raise SettingsError(
                f"{method} stands on a trained diffusion model: set foundation.denoiser.from=RUN_OR_FOLDER "
                "(`unweave train denoiser` makes one), or start from a preset, which makes its own."
            )
        return self.denoiser


def open_foundation(
    settings: FoundationSettings, shape: tuple[int, int, int], rows: int, convert: bool = False
) -> Foundation:
    """The foundation for images of this shape, but for an encoder (`runs.model.open_whole_foundation`).

    Raises LookupError for networks that are not there, ValueError for such as do not fit, and for pickled weights
    unless `convert`, which rewrites them as safetensors first.
    """
    folders = local_folders(settings, convert)
    if "denoiser" in folders and "autoencoder" not in folders:
        own = diffusers_folder.find_network(folders["denoiser"], "autoencoder")
        folders |= {"autoencoder": folders["denoiser"]} if own is not None else {}  # a latent model comes with its own
    if convert:
        for name, folder in folders.items():
            diffusers_folder.convert_pickles(diffusers_folder.network_folder(folder, name))
    digests = {name: diffusers_folder.digest(folder, name) for name, folder in folders.items()}
    commits = {name: sha for name, folder in folders.items() if (sha := diffusers_folder.hub_commit(folder))}
    space: Space = PixelSpace(shape)
    if "autoencoder" in folders:
        network = diffusers_folder.load(folders["autoencoder"], "autoencoder")
        _check_channels("autoencoder", network.config, shape[0], "images", "choose an autoencoder of such images")
        space = LatentSpace(network, shape)
    denoiser = None
    if "denoiser" in folders:
        own = diffusers_folder.find_network(folders["denoiser"], "autoencoder")
        if own is not None and diffusers_folder.digest(folders["denoiser"], "autoencoder") != digests["autoencoder"]:
            raise ValueError(
                f"the denoiser {folders['denoiser']} was trained on another autoencoder than "
                f"{folders['autoencoder']}; leave foundation.autoencoder out, and its own is used."
            )
        unet = diffusers_folder.load(folders["denoiser"], "denoiser")
        content, remedy = "images", "one of latents needs its autoencoder (foundation.autoencoder.from)"
        if "autoencoder" in folders:
            content, remedy = "latents", "a denoiser of pixels needs no foundation.autoencoder"
        _check_channels("denoiser", unet.config, space.shape[0], content, remedy)
        _check_size(unet.config, space.shape)
        denoiser = FrozenDenoiser(unet, diffusers_folder.scheduler_config(folders["denoiser"]))
    space_or_pixels = space if "autoencoder" in folders else None
    return Foundation(shape, rows, space_or_pixels, denoiser, digests=digests, commits=commits)


def local_folders(settings: FoundationSettings, pickles: bool = False) -> dict[str, Path]:
    """The folder of each network on this machine, downloaded where it is a name on the Hub."""
    return {name: diffusers_folder.local_folder(source.origin, pickles) for name, source in settings.networks().items()}


def _check_channels(name: str, config: Mapping[str, Any], expected: int, content: str, remedy: str) -> None:
    takes, gives = config["in_channels"], config["out_channels"]
    if takes != expected:
        raise ValueError(f"the {name} takes {takes} channels, and the {content} have {expected}: {remedy}.")
    if gives != takes:
        raise ValueError(
            f"the {name} takes {takes} channels and gives {gives}: one that also predicts a variance cannot be used."
        )


def _check_size(config: Mapping[str, Any], shape: tuple[int, int, int]) -> None:
    size, multiple = config["sample_size"], 2 ** (len(config["block_out_channels"]) - 1)
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if size is not None and sides != shape[1:]:
        raise ValueError(
            f"the denoiser works on {sides[0]} x {sides[1]}, and here that would be {shape[1]} x {shape[2]}: "
            f"set data.size to {sides[0] / shape[1]:g} times what it is."
        )
    if shape[1] % multiple or shape[2] % multiple:
        raise ValueError(
            f"the denoiser halves its input {len(config['block_out_channels']) - 1} times, so sides must be multiples "
            f"of {multiple}, and here they would be {shape[1]} x {shape[2]}; set data.size."
        )


def check_digests(
    recorded: Mapping[str, str], current: Mapping[str, str], run: Path, commits: Mapping[str, str] | None = None
) -> None:
    """Raises ValueError where a frozen network is not the one that a run was trained on.

    `commits` are those of the Hub that it was trained on, for the remedy.
    """
    changed = [name for name, value in recorded.items() if current.get(name) != value]
    for name in changed:
        raise ValueError(
            f"the {name} that {run} stands on has changed (its digest was {recorded[name]}, now "
            f"{current.get(name, 'there is none')}): put the old one back"
            + (f" (write @{commits[name]} behind its name in settings.toml)" if commits and name in commits else "")
            + ", or train a new run on this one."
        )
