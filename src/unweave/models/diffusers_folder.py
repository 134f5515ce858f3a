"""Networks in the layout of diffusers: any folder that it wrote, here or on the Hub, opened without unpickling.

A network lies in a folder of its own (config.json, diffusion_pytorch_model.safetensors), or is a part of a pipeline's.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DModel, VQModel
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from torch import Tensor

from unweave.models.diffusion import process

NETWORKS = {"UNet2DModel": UNet2DModel, "VQModel": VQModel, "AutoencoderKL": AutoencoderKL}
PARTS = {"autoencoder": ("vqvae", "vae"), "denoiser": ("unet",)}
"""Sub-folders of a pipeline in which each kind of network lies."""
KINDS = {"autoencoder": ("VQModel", "AutoencoderKL"), "denoiser": ("UNet2DModel",)}
WEIGHTS = "diffusion_pytorch_model"


def fetched(origin: str, pickles: bool = False) -> Path:
    """A folder on this machine: a path, or owner/name[@revision] on the Hub, downloaded without pickles.

    With `pickles` they are downloaded as well, and opened nowhere but in `converted`. Raises LookupError where there
    is none.
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


def commit(folder: Path) -> str | None:
    """The commit on the Hub that a downloaded folder is of; None for any other folder."""
    stored = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    return folder.name if stored else None


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


def needed(folder: Path, name: str) -> Path:
    """The folder of a network of this kind. Raises LookupError where there is none, with what there is."""
    place = part(folder, name)
    if place is None:
        inside = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
        raise LookupError(
            f"{folder} holds no {name} ({' or '.join(KINDS[name])} in diffusers' layout). In it: {inside}."
        )
    return place


def load(folder: Path, name: str) -> Any:
    """A network of diffusers from its folder. Raises ValueError where its weights are pickled or do not fit."""
    place = needed(folder, name)
    if not weights(place):
        if not weights(place, "bin"):
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


def weights(place: Path, ending: str = "safetensors") -> list[Path]:
    """The files that diffusers reads: one, or the shards of a large network; not its variants (non_ema, fp16)."""
    single = place / f"{WEIGHTS}.{ending}"
    return [single] if single.is_file() else sorted(place.glob(f"{WEIGHTS}-[0-9]*-of-[0-9]*.{ending}"))


def converted(place: Path) -> None:
    """Write the pickled weights of a folder as safetensors beside them, reading numbers alone; safetensors are kept.

    Raises ValueError for a pickle that holds anything but numbers.
    """
    if weights(place):
        return
    tensors: dict[str, Tensor] = {}
    for file in weights(place, "bin"):
        try:
            tensors |= torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ValueError(f"{file} is not opened: it is damaged, or holds other things than numbers.") from error
    target = place / f"{WEIGHTS}.safetensors"
    temporary = target.with_name(f".{target.name}-{os.getpid()}.partial")  # other processes may do the same
    save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)
    temporary.replace(target)


def copied(places: Mapping[str, Path], target: Path) -> None:
    """Copy what the places hold into target/autoencoder and target/denoiser, as they are, so that digests stay."""
    for name, folder in places.items():
        for kind in PARTS if name == "denoiser" else (name,):
            place = part(folder, kind)
            if place is None:
                continue
            inside = target / name / (place.name if place != folder else PARTS[kind][-1])
            inside.mkdir(parents=True)
            index = place / f"{WEIGHTS}.safetensors.index.json"
            for file in [place / "config.json", *weights(place), *([index] if index.is_file() else [])]:
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
    place = needed(folder, name)
    state = hashlib.sha256()
    state.update(_canonical(_table(place / "config.json")))
    for file in weights(place) or weights(place, "bin"):
        with file.open("rb") as stream:
            state.update(hashlib.file_digest(stream, "sha256").digest())
    if name == "denoiser":
        state.update(_canonical(process.of_scheduler(scheduler(folder))))
    return state.hexdigest()[:16]


def _canonical(config: Mapping[str, Any]) -> bytes:
    """A configuration without what changes when another version of diffusers writes it."""
    kept = {key: value for key, value in config.items() if not key.startswith("_") or key == "_class_name"}
    return json.dumps(kept, sort_keys=True).encode()
