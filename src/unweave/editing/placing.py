"""Where a unit, group or factor shall be: at a quantile, in a state, or where it is in a picture."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.inputs import EditInputs
from unweave.method import evaluating
from unweave.runs.codes import encode_images
from unweave.runs.factors import FACTOR_WORD, require_factors
from unweave.runs.images import ImageName, read_images
from unweave.runs.unit_ranges import CodeRange, CurveRange, unit_ranges
from unweave.runs.units import UnitGroup

Place = float | int | str
"""A quantile in [0, 1]; a state of a factor, "state2"; or "like:" and an image, a row or a file: "like:me.png"."""

STATE = re.compile(r"state ?(\d+)")
LIKE = "like:"


class PlacedGroup(NamedTuple):
    """A unit, group or factor with the code that it shall have."""

    group: UnitGroup
    code: Float[Tensor, "unit dim"]
    label: str


def place_groups(inputs: EditInputs, groups: Sequence[UnitGroup], places: Sequence[Place]) -> list[PlacedGroup]:
    """The code of every group at its place.

    Raises ValueError for a quantile outside [0, 1], a word that is no place, and a state that there is not.
    """
    parsed = [parse_place(place, group.word) for group, place in zip(groups, places)]
    placed = []
    for group, line, place in zip(groups, unit_ranges(inputs.run, groups), parsed):
        if isinstance(place, float):
            code, label = line.code_at(place), f"{group.name} at {place:.0%}"
        elif state := STATE.fullmatch(place):
            code, label = code_of_state(inputs, group, line, int(state[1])), f"{group.name} in state {state[1]}"
        else:
            source = place.removeprefix(LIKE).strip()
            code, label = code_like(inputs, group, line, source), f"{group.name} as in {source}"
        placed.append(PlacedGroup(group, code, label))
    return placed


def parse_place(place: Place, unit: int | str) -> float | str:
    """A number as a float, a word as it is. Raises ValueError, which names the unit, for what is no place."""
    word = str(place).strip()
    if STATE.fullmatch(word) or (word.startswith(LIKE) and word != LIKE):
        return word
    try:
        quantile = float(place)
    except ValueError:
        raise ValueError(
            f"{unit}={place} says no place: it is a quantile from 0 to 1, a state of a factor, such as state2, or "
            "like: and an image, such as like:me.png."
        ) from None
    if not 0 <= quantile <= 1:
        raise ValueError(f"a quantile is from 0 (lowest) to 1 (highest), got {unit}={place}.")
    return quantile


def code_of_state(inputs: EditInputs, group: UnitGroup, line: CodeRange, number: int) -> Float[Tensor, "unit dim"]:
    """The code of a factor's state, counted from 1. Raises ValueError for one that is not there."""
    is_factor = FACTOR_WORD.fullmatch(group.word) is not None
    found = require_factors(inputs.run) if is_factor else None
    states = () if found is None else found.factors[found.index(group.word)].states
    if not 1 <= number <= len(states):
        has = f"state1 .. state{len(states)}" if states else "no states"
        raise ValueError(f"{group.name} has {has}, got state{number}.")
    return torch.from_numpy(line.codes_of(np.array([states[number - 1].position])))[0].float()


def code_like(inputs: EditInputs, group: UnitGroup, line: CodeRange, source: ImageName) -> Float[Tensor, "unit dim"]:
    """The code that the units have in an image; of a factor with a coordinate the nearest on its curve."""
    images = read_images(inputs.run, source).images
    with evaluating(inputs.method):
        code = encode_images(inputs.method, images, 1)[0, group.units].cpu()
    if not isinstance(line, CurveRange):
        return code
    return torch.from_numpy(line.codes_of(line.levels_of(code.double().numpy()[None])))[0].float()


def combine(
    placed: Sequence[tuple[UnitGroup, Float[Tensor, "_ dim"]]],
) -> tuple[list[int], Float[Tensor, "unit dim"]]:
    """The units that are set, each once, and the code of each: a single unit goes before a factor that it is in.

    Raises ValueError for a unit that is set twice.
    """
    codes: dict[int, Tensor] = {}
    factors = [FACTOR_WORD.fullmatch(group.word) is not None for group, _ in placed]
    for kind in (True, False):
        groups = [pair for pair, is_factor in zip(placed, factors) if is_factor == kind]
        listed = [part for group, code in groups for part in zip(group.units, code)]
        if len({unit for unit, _ in listed}) < len(listed):
            words = ", ".join(group.word for group, _ in groups)
            raise ValueError(f"a unit can be in one place only, and one is set twice in {words}.")
        codes |= dict(listed)
    return list(codes), torch.stack(list(codes.values()))
