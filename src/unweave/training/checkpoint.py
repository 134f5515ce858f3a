"""Checkpoints: a folder of safetensors and JSON, written under a temporary name and renamed.

    checkpoints/000064000/
        weights.safetensors     parameters and buffers of the method, not averaged
        average.safetensors     the averaged parameters
        optimiser.safetensors   every optimiser tensor, named player/parameter/state
        state.json              images seen, steps, generator states, sha256 of each file

Nothing is pickled. The newest two are kept; the newest is the model.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from unweave.method import Player, Trainable
from unweave.training.ema import Average

KEEP = 2


class State(NamedTuple):
    """What training is, besides settings and data."""

    method: Trainable
    players: list[Player]
    optimisers: dict[str, Optimizer]
    average: Average
    rng: torch.Generator


def save(folder: Path, state: State, seen: int, steps: int, note: dict[str, Any]) -> Path:
    """Write the checkpoint of `seen` images into `folder`; complete or not there at all."""
    final = folder / f"{seen:012d}"
    if final.exists():
        return final
    temporary = folder / f".{final.name}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    tensors = {
        "weights": state.method.state_dict(),
        "average": state.average.tensors(),
        "optimiser": _optimiser_tensors(state),
    }
    for name, group in tensors.items():
        save_file(
            {key: value.detach().contiguous().cpu() for key, value in group.items()}, temporary / f"{name}.safetensors"
        )
    record = {
        "seen": seen,
        "steps": steps,
        "rng": state.rng.get_state().tolist(),
        "torch_rng": [generator.tolist() for generator in random_states()],
        "sha256": {f"{name}.safetensors": digest(temporary / f"{name}.safetensors") for name in tensors},
        **note,
    }
    (temporary / "state.json").write_text(json.dumps(record))
    os.replace(temporary, final)
    for old in complete(folder)[:-KEEP]:
        shutil.rmtree(old)
    return final


def load(path: Path, state: State) -> dict[str, Any]:
    """Put a checkpoint back into everything that trains, and return its record."""
    record = json.loads((path / "state.json").read_text())
    state.method.load_state_dict(load_file(path / "weights.safetensors"))
    state.average.load(load_file(path / "average.safetensors"), record["steps"])
    _load_optimisers(load_file(path / "optimiser.safetensors"), state)
    state.rng.set_state(torch.tensor(record["rng"], dtype=torch.uint8))
    set_random_states([torch.tensor(generator, dtype=torch.uint8) for generator in record["torch_rng"]])
    return record


def complete(folder: Path) -> list[Path]:
    """The finished checkpoints of a folder, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*") if (path / "state.json").is_file())


def random_states() -> list[Tensor]:
    """The states of torch's own generators (dropout draws from them): the CPU's, then each device's."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def set_random_states(states: list[Tensor]) -> None:
    """Put `random_states` back; devices that are not here are left out."""
    torch.set_rng_state(states[0])
    if torch.cuda.is_available() and len(states) > 1:
        torch.cuda.set_rng_state_all(states[1:])


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _optimiser_tensors(state: State) -> dict[str, Tensor]:
    names = {id(parameter): name for name, parameter in state.method.named_parameters()}
    return {
        f"{player.name}/{names[id(parameter)]}/{key}": value
        for player in state.players
        for parameter in player.parameters
        for key, value in state.optimisers[player.name].state.get(parameter, {}).items()
    }


def _load_optimisers(tensors: dict[str, Tensor], state: State) -> None:
    named = dict(state.method.named_parameters())
    for key, value in tensors.items():
        player, rest = key.split("/", 1)
        name, slot = rest.rsplit("/", 1)
        parameter = named[name]
        state.optimisers[player].state[parameter][slot] = value.to(parameter.device)
