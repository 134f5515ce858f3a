"""What a method is given when it is built: the shape of its images, the size of its set, the frozen networks it may
stand on. This file also opens those networks: any folder in the layout of diffusers, here or on the Hub.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DModel, VQModel
from huggingface_hub import snapshot_download
from pydantic import ConfigDict, Field
from safetensors.torch import save_file
from torch import Tensor, nn

from unweave.diffusion.noising import STEPS, noise_of
from unweave.networks.frozen import Frozen
from unweave.networks.space import Latents, Pixels, Space
from unweave.settings import Frozen as FrozenSettings
from unweave.settings import SettingsError
from unweave.shapes import Images, Times

NETWORKS = {"UNet2DModel": UNet2DModel, "VQModel": VQModel, "AutoencoderKL": AutoencoderKL}
PARTS = {"autoencoder": ("vqvae", "vae"), "denoiser": ("unet",)}
"""Sub-folders of a diffusers pipeline in which each kind of foundation lies."""
KINDS = {"autoencoder": ("VQModel", "AutoencoderKL"), "denoiser": ("UNet2DModel",)}


class Source(FrozenSettings):
    """Where a frozen network comes from, and how to make it when it is not there."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    origin: str = Field(
        alias="from", description="a run, a folder in diffusers' layout, or owner/name on the Hub", min_length=1
    )
    recipe: str | dict[str, Any] | None = Field(
        None, description="settings file, method name or tables that `unweave train` makes it from"
    )


class Sources(FrozenSettings):
    autoencoder: Source | None = Field(None, description="the space that diffusion works in; pixels if not given")
    denoiser: Source | None = Field(None, description="a trained unconditional diffusion model")

    def named(self) -> dict[str, Source]:
        """Those that are given, in the order in which they are made."""
        both = {"autoencoder": self.autoencoder, "denoiser": self.denoiser}
        return {name: source for name, source in both.items() if source is not None}


class Denoiser(nn.Module):
    """A frozen unconditional diffusion model: its U-Net, its noise schedule, and what it predicts."""

    def __init__(self, unet: UNet2DModel, scheduler: Mapping[str, Any]) -> None:
        super().__init__()
        self.frozen = Frozen(unet)
        self.noising = noising_of(scheduler)
        self.abar: Tensor
        self.register_buffer("abar", DDPMScheduler(**self.noising).alphas_cumprod.float(), persistent=False)

    @property
    def unet(self) -> UNet2DModel:
        return self.frozen.network

    def noise(self, output: Images, x_t: Images, t: Times) -> Images:
        """The noise in x_t, from the output of the U-Net, whatever it predicts."""
        return noise_of(str(self.noising["prediction_type"]), output, x_t, self.abar[t])


class Foundation(NamedTuple):
    shape: tuple[int, int, int]  # channels, height, width of the images
    rows: int  # images in the training set, for methods with a code per image
    space: Space | None = None  # where diffusion works; None is pixels
    denoiser: Denoiser | None = None
    digests: Mapping[str, str] = {}

    def record(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {"shape": list(self.shape), "rows": self.rows, "digests": dict(self.digests)}

    def diffused(self) -> Space:
        """The space that diffusion works in."""
        return self.space if self.space is not None else Pixels(self.shape)

    def needed_denoiser(self, method: str) -> Denoiser:
        """The denoiser. Raises SettingsError where there is none."""
        if self.denoiser is None:
            raise SettingsError(
                f"{method} stands on a trained diffusion model: set foundation.denoiser.from=RUN_OR_FOLDER "
                "(`unweave train denoiser` makes one), or start from a preset, which makes its own."
            )
        return self.denoiser


def noising_of(scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """What `diffusion/` needs to know of a scheduler's configuration. Raises ValueError for one it cannot follow."""
    names = ("num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "prediction_type")
    full = {"num_train_timesteps": 1000, "prediction_type": "epsilon", **scheduler}
    missing = [name for name in names if name not in full]
    if missing:
        raise ValueError(f"the scheduler of the denoiser does not say {missing[0]}: is it a DDPM or DDIM scheduler?")
    if full["num_train_timesteps"] != STEPS:
        raise ValueError(
            f"the denoiser was trained with {full['num_train_timesteps']} time-steps; only {STEPS} can be used here."
        )
    if full["prediction_type"] not in ("epsilon", "sample", "v_prediction"):
        raise ValueError(
            f"the denoiser predicts {full['prediction_type']!r}; epsilon, sample or v_prediction can be used."
        )
    if full.get("rescale_betas_zero_snr"):
        raise ValueError("the denoiser was trained with zero terminal SNR, where eps and x_0 cannot be exchanged.")
    found = {name: full[name] for name in names}
    return found | ({"trained_betas": full["trained_betas"]} if full.get("trained_betas") is not None else {})


def opened(sources: Sources, shape: tuple[int, int, int], rows: int, convert: bool = False) -> Foundation:
    """The foundation for images of this shape. Raises LookupError for networks that are not there, ValueError for
    such as do not fit, and for pickled weights unless `convert`, which rewrites them as safetensors first."""
    places = {name: fetched(source.origin) for name, source in sources.named().items()}
    if "denoiser" in places and "autoencoder" not in places and part(places["denoiser"], "autoencoder") is not None:
        places = {"autoencoder": places["denoiser"], **places}  # a latent model comes with its autoencoder
    if convert:
        for name, place in places.items():
            converted(_part(place, name))
    digests = {name: digest(place, name) for name, place in places.items()}
    space: Space = Pixels(shape)
    if "autoencoder" in places:
        network = load(places["autoencoder"], "autoencoder")
        _fits("autoencoder", network.config, shape)
        space = Latents(network, shape)
    denoiser = None
    if "denoiser" in places:
        own = part(places["denoiser"], "autoencoder")
        if own is not None and digest(places["denoiser"], "autoencoder") != digests["autoencoder"]:
            raise ValueError(
                f"the denoiser {places['denoiser']} was trained on another autoencoder than {places['autoencoder']}; "
                "leave foundation.autoencoder out, and its own is used."
            )
        unet = load(places["denoiser"], "denoiser")
        _fits("denoiser", unet.config, space.shape)
        denoiser = Denoiser(unet, scheduler(places["denoiser"]))
    return Foundation(shape, rows, space if "autoencoder" in places else None, denoiser, digests)


def _fits(name: str, config: Mapping[str, Any], shape: tuple[int, int, int]) -> None:
    channels, size = config["in_channels"], config["sample_size"]
    if channels != shape[0]:
        where = "latents" if name == "denoiser" else "images"
        raise ValueError(
            f"the {name} takes {channels} channels, and the {where} have {shape[0]}: "
            "a denoiser of latents needs its autoencoder (foundation.autoencoder.from), one of pixels none."
        )
    if config["out_channels"] != channels:
        raise ValueError(
            f"the {name} takes {channels} channels and gives {config['out_channels']}: one that also predicts a "
            "variance cannot be used."
        )
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if name == "denoiser" and size is not None and sides != shape[1:]:
        raise ValueError(
            f"the denoiser works on {sides[0]} x {sides[1]}, and here that would be {shape[1]} x {shape[2]}: "
            f"set data.size to {sides[0] / shape[1]:g} times what it is."
        )


def fetched(origin: str) -> Path:
    """A folder on this machine: a path, or owner/name[@revision] on the Hub, downloaded. Nothing in it is opened.

    Raises LookupError where there is none.
    """
    if Path(origin).expanduser().is_dir():
        return Path(origin).expanduser()
    name, _, revision = origin.partition("@")
    if name.count("/") != 1 or Path(name).is_absolute() or name.startswith((".", "runs/")):
        raise LookupError(f"there is no foundation {origin!r}: no such folder, and no owner/name on the Hub.")
    try:
        patterns = ["*.json", "*.safetensors", "*.bin"]
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        raise LookupError(
            f"the foundation {origin!r} is no folder, and cannot be had from the Hub: {str(error).splitlines()[0]}"
        ) from error


def part(folder: Path, name: str) -> Path | None:
    """The folder of a network of this kind: a part of a pipeline, or the folder itself. None where there is none."""
    for place in (*(folder / sub for sub in PARTS[name]), folder):
        if (place / "config.json").is_file() and _class(place) in KINDS[name]:
            return place
    return None


def _class(place: Path) -> str:
    return str(_table(place / "config.json").get("_class_name", ""))


def _table(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise ValueError(f"{file} is damaged: it is not a table in JSON.") from None


def _part(folder: Path, name: str) -> Path:
    place = part(folder, name)
    if place is None:
        inside = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
        raise LookupError(
            f"{folder} holds no {name} ({' or '.join(KINDS[name])} in diffusers' layout). In it: {inside}."
            + (" Its training has not ended: go on with --resume." if (folder / "settings.toml").is_file() else "")
        )
    return place


def load(folder: Path, name: str) -> Any:
    """A network of diffusers from its folder. Raises ValueError where its weights are pickled or do not fit."""
    place = _part(folder, name)
    if not _weights(place, "safetensors"):
        if not _weights(place, "bin"):
            raise LookupError(f"{place} has a config.json and no weights (*.safetensors).")
        raise ValueError(
            f"{place} has its weights as a pickle (.bin), which can run code when it is opened: "
            "add --convert to read the numbers alone (weights_only) and write them as safetensors."
        )
    options = {"use_safetensors": True, "low_cpu_mem_usage": False, "output_loading_info": True}
    try:
        network, said = NETWORKS[_class(place)].from_pretrained(place, **options)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{place} cannot be opened as a {_class(place)}: {str(error).splitlines()[0]}") from error
    if said["missing_keys"]:
        raise ValueError(f"{place} is damaged: its weights lack {said['missing_keys'][0]}.")
    return network


def _weights(place: Path, ending: str) -> list[Path]:
    return sorted(place.glob(f"diffusion_pytorch_model*.{ending}"))


def converted(place: Path) -> None:
    """Write the pickled weights of a folder as safetensors beside them, reading numbers alone; safetensors are kept.

    Raises ValueError for a pickle that holds anything but numbers.
    """
    if _weights(place, "safetensors"):
        return
    tensors: dict[str, Tensor] = {}
    for file in _weights(place, "bin"):
        try:
            tensors |= torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ValueError(f"{file} is not opened: it is damaged, or holds other things than numbers.") from error
    target = place / "diffusion_pytorch_model.safetensors"
    temporary = target.with_name(f".{target.name}.partial")
    save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)
    temporary.replace(target)


def copied(sources: Sources, target: Path) -> None:
    """Copy what the sources hold into target/autoencoder and target/denoiser, as they are, so that digests stay."""
    for name, source in sources.named().items():
        folder = fetched(source.origin)
        for kind in PARTS if name == "denoiser" else (name,):
            place = part(folder, kind)
            if place is None:
                continue
            inside = target / name / (place.name if place != folder else PARTS[kind][-1])
            inside.mkdir(parents=True)
            for file in [place / "config.json", *_weights(place, "safetensors")]:
                shutil.copyfile(file, inside / file.name)
        if name == "denoiser":
            table = target / name / "scheduler" / "scheduler_config.json"
            table.parent.mkdir()
            table.write_text(json.dumps(scheduler(folder), indent=2))


def scheduler(folder: Path) -> dict[str, Any]:
    """The configuration of the scheduler that a denoiser was trained with. Raises LookupError where it is not there."""
    for place in (folder / "scheduler", folder, folder.parent / "scheduler"):
        file = place / "scheduler_config.json"
        if file.is_file():
            return _table(file)
    raise LookupError(
        f"{folder} does not say its noise schedule: put the scheduler_config.json it was trained with beside it."
    )


def digest(folder: Path, name: str) -> str:
    """16 hexadecimal digits of the sha256 of a network's configuration and weights, and of a denoiser's scheduler."""
    place = _part(folder, name)
    state = hashlib.sha256()
    state.update(_canonical(_table(place / "config.json")))
    for file in _weights(place, "safetensors") or _weights(place, "bin"):
        with file.open("rb") as stream:
            state.update(hashlib.file_digest(stream, "sha256").digest())
    if name == "denoiser":
        state.update(_canonical(noising_of(scheduler(folder))))
    return state.hexdigest()[:16]


def _canonical(config: Mapping[str, Any]) -> bytes:
    """A configuration without what changes when another version of diffusers writes it."""
    kept = {key: value for key, value in config.items() if not key.startswith("_") or key == "_class_name"}
    return json.dumps(kept, sort_keys=True).encode()


def check_digests(recorded: Mapping[str, str], found: Mapping[str, str], run: Path) -> None:
    """Raises ValueError where a frozen network is not the one that a run was trained on."""
    changed: Iterable[str] = [name for name, value in recorded.items() if found.get(name) != value]
    for name in changed:
        raise ValueError(
            f"the {name} that {run} stands on has changed (its digest was {recorded[name]}, now "
            f"{found.get(name, 'there is none')}): put the old one back, or train a new run on this one."
        )
