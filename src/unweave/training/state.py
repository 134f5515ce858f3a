"""What training is, besides settings and data, and the way to a checkpoint and back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from unweave import devices
from unweave.method import Player, Trainable
from unweave.runs import checkpoint
from unweave.training.ema import Average
from unweave.training.sharding import own_part, whole_tensors


class TrainingState(NamedTuple):
    method: Trainable
    players: list[Player]
    optimisers: dict[str, Optimizer]
    average: Average
    rng: torch.Generator  # of the objective


def save_state(
    folder: Path,
    state: TrainingState,
    seen: int,
    steps: int,
    note: dict[str, Any],
    generators: Sequence[dict[str, Tensor]] | None = None,
) -> Path:
    """Write a checkpoint of everything that trains (see `runs.checkpoint.save`, and `state_tensors`)."""
    return checkpoint.save(folder, state_tensors(state, generators), seen, steps, note)


def state_tensors(
    state: TrainingState, generators: Sequence[dict[str, Tensor]] | None = None
) -> dict[str, dict[str, Tensor]]:
    """What a checkpoint stores, a table for each of its files; every process must ask for it.

    `generators` are the `random_states` of all processes (this one's if not given).
    """
    return {
        "weights": whole_tensors(state.method, state.method.state_dict()),
        "average": whole_tensors(state.method, state.average.tensors()),
        "optimiser": whole_tensors(state.method, _optimiser_tensors(state)),
        "generators": {
            f"{rank}/{name}": value
            for rank, states in enumerate(generators or [random_states(state.rng)])
            for name, value in states.items()
        },
    }


def restore_state(path: Path, state: TrainingState, rank: int = 0) -> dict[str, Any]:
    """Put a checkpoint back into everything that trains, and return its record.

    Raises DamagedError where it is not as it was written, LookupError where it was shared without its optimiser.
    """
    record, tensors = checkpoint.load(path)
    if "optimiser" not in tensors:
        raise LookupError(f"{path} was shared without its optimiser, so training cannot go on from it.")
    state.method.load_state_dict(own_part(state.method, tensors["weights"]))
    state.average.load(own_part(state.method, tensors["average"]), record["steps"])
    _load_optimisers(own_part(state.method, tensors["optimiser"]), state)
    prefix = f"{rank}/"
    own = {name.removeprefix(prefix): of for name, of in tensors["generators"].items() if name.startswith(prefix)}
    if own:  # a process that was not there before keeps the seed it was given
        set_random_states(own, state.rng)
    return record


def random_states(rng: torch.Generator) -> dict[str, Tensor]:
    """The states of the objective's generator, and of torch's own (dropout draws from them), CPU and devices."""
    return {"objective": rng.get_state(), "torch": torch.get_rng_state(), **devices.random_states()}


def set_random_states(states: dict[str, Tensor], rng: torch.Generator) -> None:
    """Put `random_states` back; devices that are not here are left out."""
    rng.set_state(states["objective"])
    torch.set_rng_state(states["torch"])
    devices.set_random_states(states)


def _optimiser_tensors(state: TrainingState) -> dict[str, Tensor]:
    names = {id(parameter): name for name, parameter in state.method.named_parameters()}
    return {
        f"{player.name}/{names[id(parameter)]}/{key}": value
        for player in state.players
        for parameter in player.parameters
        for key, value in state.optimisers[player.name].state.get(parameter, {}).items()
    }


def _load_optimisers(tensors: dict[str, Tensor], state: TrainingState) -> None:
    named = dict(state.method.named_parameters())
    for key, value in tensors.items():
        player, rest = key.split("/", 1)
        name, slot = rest.rsplit("/", 1)
        parameter = named[name]
        state.optimisers[player].state[parameter][slot] = value.to(parameter.device)
