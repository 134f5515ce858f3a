"""Networks in the layout of diffusers: any folder that it wrote, here or on the Hub, opened without unpickling.

A network lies in a folder of its own (config.json, diffusion_pytorch_model.safetensors), or is a part of a pipeline's.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from torch import Tensor

from unweave.files import check_safetensors, read_json, temporary_path
from unweave.models.diffusion.noising import read_scheduler_config

CLASS_NAMES = {"autoencoder": ("VQModel", "AutoencoderKL"), "denoiser": ("UNet2DModel",)}
"""The classes that serve as each kind of network."""
SUBFOLDERS = {"autoencoder": ("vqvae", "vae"), "denoiser": ("unet",)}
"""Sub-folders of a pipeline in which each kind of network lies."""
WEIGHTS = "diffusion_pytorch_model"
"""The stem of the files in which diffusers keeps weights."""


def local_folder(origin: str, pickles: bool = False) -> Path:
    """A folder on this machine: a path, or owner/name[@revision] on the Hub, downloaded without pickles.

    With `pickles` they are downloaded as well, and opened nowhere but in `convert_pickles`. Raises LookupError where
    there is none.
    """
    if Path(origin).expanduser().is_dir():
        return Path(origin).expanduser()
    name, _, revision = origin.partition("@")
    if name.count("/") != 1 or Path(name).is_absolute() or name.startswith("."):
        raise LookupError(f"there is no foundation {origin!r}: no such folder, and no owner/name on the Hub.")
    try:
        patterns = ["*.json", "*.safetensors", *(["*.bin"] if pickles else [])]
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        raise LookupError(
            f"the foundation {origin!r} is no folder, and cannot be had from the Hub: {str(error).splitlines()[0]}"
        ) from error


def hub_commit(folder: Path) -> str | None:
    """The commit on the Hub that a downloaded folder is of; None for any other folder."""
    stored = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    return folder.name if stored else None


def find_network(folder: Path, kind: str) -> Path | None:
    """The folder of a network of this kind: a part of a pipeline, or the folder itself. None where there is none."""
    for candidate in (*(folder / name for name in SUBFOLDERS[kind]), folder):
        if (candidate / "config.json").is_file() and _class_name(candidate) in CLASS_NAMES[kind]:
            return candidate
    return None


def network_folder(folder: Path, kind: str) -> Path:
    """As `find_network`. Raises LookupError where there is none, with what the folder holds."""
    network = find_network(folder, kind)
    if network is None:
        content = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
        raise LookupError(
            f"{folder} holds no {kind} ({' or '.join(CLASS_NAMES[kind])} in diffusers' layout). In it: {content}."
        )
    return network


def configuration(folder: Path, kind: str) -> dict[str, Any]:
    """What the config.json of a network of this kind says. Raises LookupError where there is none."""
    return _read_json(network_folder(folder, kind) / "config.json")


def _class_name(folder: Path) -> str:
    return str(_read_json(folder / "config.json").get("_class_name", ""))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: it is not a table in JSON ({error}).") from None


def load(folder: Path, kind: str) -> Any:
    """A network of diffusers from its folder. Raises ValueError where its weights are pickled or do not fit."""
    from diffusers import AutoencoderKL, UNet2DModel, VQModel

    folder = network_folder(folder, kind)
    if not weight_files(folder):
        if not weight_files(folder, "bin"):
            raise LookupError(f"{folder} has a config.json and no weights (*.safetensors).")
        raise ValueError(
            f"{folder} has its weights as a pickle (.bin), which can run code when it is opened: "
            "add --convert to read the numbers alone (weights_only) and write them as safetensors."
        )
    for path in weight_files(folder):
        check_safetensors(path)
    name = _class_name(folder)
    classes = {"UNet2DModel": UNet2DModel, "VQModel": VQModel, "AutoencoderKL": AutoencoderKL}
    options = {"use_safetensors": True, "low_cpu_mem_usage": False, "output_loading_info": True}
    try:
        network, loading = classes[name].from_pretrained(folder, **options)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{folder} cannot be opened as a {name}: {str(error).splitlines()[0]}") from error
    if loading["missing_keys"]:
        raise ValueError(f"{folder} is damaged: its weights lack {loading['missing_keys'][0]}.")
    return network


def weight_files(folder: Path, suffix: str = "safetensors") -> list[Path]:
    """The files that diffusers reads: one, or the shards of a large network; not its variants (non_ema, fp16)."""
    single = folder / f"{WEIGHTS}.{suffix}"
    return [single] if single.is_file() else sorted(folder.glob(f"{WEIGHTS}-[0-9]*-of-[0-9]*.{suffix}"))


def convert_pickles(folder: Path) -> None:
    """Write a network's pickled weights as safetensors beside them, reading numbers alone; safetensors are kept.

    Raises ValueError for a pickle that holds anything but numbers.
    """
    if weight_files(folder):
        return
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder, "bin"):
        try:
            tensors |= torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ValueError(f"{path} is not opened: it is damaged, or holds other things than numbers.") from error
    with temporary_path(folder / f"{WEIGHTS}.safetensors") as temporary:  # other processes may do the same
        save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)


def copy_networks(folders: Mapping[str, Path], target: Path) -> None:
    """Copy an autoencoder and a denoiser into target/autoencoder and target/denoiser, as they are: digests stay.

    A denoiser of latents brings its own autoencoder.
    """
    for name, folder in folders.items():
        for kind in SUBFOLDERS if name == "denoiser" else (name,):
            network = find_network(folder, kind)
            if network is None:
                continue
            copy = target / name / (network.name if network != folder else SUBFOLDERS[kind][-1])
            copy.mkdir(parents=True)
            index = network / f"{WEIGHTS}.safetensors.index.json"
            for path in [network / "config.json", *weight_files(network), *([index] if index.is_file() else [])]:
                shutil.copyfile(path, copy / path.name)
        if name == "denoiser":
            path = target / name / "scheduler" / "scheduler_config.json"
            path.parent.mkdir()
            path.write_text(json.dumps(scheduler_config(folder), indent=2), "utf-8")


def scheduler_config(folder: Path) -> dict[str, Any]:
    """The configuration of the scheduler that a denoiser was trained with. Raises LookupError where it is not there."""
    for candidate in (folder / "scheduler", folder, folder.parent / "scheduler"):
        path = candidate / "scheduler_config.json"
        if path.is_file():
            return _read_json(path)
    raise LookupError(
        f"{folder} does not say its noise schedule: put the scheduler_config.json it was trained with beside it."
    )


def digest(folder: Path, kind: str) -> str:
    """16 hexadecimal digits of the sha256 of a network's configuration and weights, and of a denoiser's scheduler."""
    network = network_folder(folder, kind)
    state = hashlib.sha256()
    state.update(_canonical(_read_json(network / "config.json")))
    for path in weight_files(network) or weight_files(network, "bin"):
        with path.open("rb") as stream:
            state.update(hashlib.file_digest(stream, "sha256").digest())
    if kind == "denoiser":
        state.update(_canonical(read_scheduler_config(scheduler_config(folder))))
    return state.hexdigest()[:16]


def _canonical(config: Mapping[str, Any]) -> bytes:
    """A configuration without what changes when another version of diffusers writes it."""
    stable = {key: value for key, value in config.items() if not key.startswith("_") or key == "_class_name"}
    return json.dumps(stable, sort_keys=True).encode()
