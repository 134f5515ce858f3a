"""What a report says of factors, and shows of them: names that were measured, pictures along each, its states."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from unweave import progress
from unweave.evaluation.factor_names import EncodedRows, LocatedFactor, name_factors
from unweave.evaluation.report.drawings import STEPS, TRAVERSED
from unweave.evaluation.report.pictures import FactorImages, Strip
from unweave.evaluation.report.real_rows import real_strips
from unweave.evaluation.swap_pictures import SwapPictures
from unweave.factors.factor import Factor
from unweave.runs.factors import shown_factors
from unweave.runs.report_facts import FactorFacts
from unweave.runs.unit_ranges import CodeRange, curve_range, measure_values
from unweave.runs.units import UnitGroup
from unweave.tensors import to_pixels


class MeasuredFactors(NamedTuple):
    """The facts of every factor, and the pictures of those that are shown, by word."""

    facts: list[FactorFacts]
    pictures: dict[str, FactorImages]


def measure_factors(
    factors: Sequence[Factor], encoded: EncodedRows, swaps: SwapPictures | None, seed: int
) -> MeasuredFactors:
    """Each factor swapped whole in the pairs of `swaps`, unless that was drawn before, and drawn along its coordinate.

    Without a decoder, real images along each: no edit can tell then whether a name is right, and none is given.
    """
    if not factors:
        return MeasuredFactors([], {})
    if swaps is None:
        return _real_factors(factors, encoded)
    shown = shown_factors(factors)
    undrawn = sum(swaps.drawing(factor.units) for factor in factors)
    total = undrawn + len(shown) * STEPS * TRAVERSED + sum(len(factors[i].states) for i in shown)
    with progress.task("looking at factors", total, "images") as task:
        located = name_factors(factors, encoded, swaps, task, seed)
        task.update(undrawn, "along the factors")
        lines = {i: _line(factors[i], encoded) for i in shown}
        strips = _strips(factors, lines, swaps) if shown else {}
        states = {i: _states(factors[i], lines[i], swaps) for i in shown}
    pictures = {f"f{i + 1}": FactorImages(strips[i], states[i], located[i].change) for i in shown}
    return MeasuredFactors(_facts(located), pictures)


def _real_factors(factors: Sequence[Factor], encoded: EncodedRows) -> MeasuredFactors:
    pictures = {}
    for i in shown_factors(factors):
        units = list(factors[i].units)
        along = _line(factors[i], encoded).levels_of(encoded.codes[:, units])
        others = np.delete(encoded.codes, units, axis=1).reshape(len(along), -1)
        strips = real_strips(np.column_stack([along, others]), 0, encoded.rows, encoded.dataset)
        nearest = [int(np.abs(along - state.position).argmin()) for state in factors[i].states]
        states = encoded.dataset.images(encoded.rows[nearest]) if nearest else None
        pictures[f"f{i + 1}"] = FactorImages(strips, states, None)
    return MeasuredFactors(_facts([LocatedFactor(factor, None, None) for factor in factors]), pictures)


def _facts(located: Sequence[LocatedFactor]) -> list[FactorFacts]:
    shown = shown_factors([each.factor for each in located])
    return [FactorFacts(f"f{i + 1}", each.factor, each.place, i in shown) for i, each in enumerate(located)]


def _line(factor: Factor, encoded: EncodedRows) -> CodeRange:
    """The factor along its coordinate, or without one along its first principal component."""
    if factor.coordinate is not None:
        return curve_range(factor.coordinate, encoded.codes.shape[2])
    return measure_values(encoded.codes, [UnitGroup("", list(factor.units), "")]).range_of(0)


def _strips(factors: Sequence[Factor], lines: Mapping[int, CodeRange], swaps: SwapPictures) -> dict[int, list[Strip]]:
    """Of each of three images the steps along each factor; once round along a closed one."""
    codes = [line.codes_at(line.steps(STEPS)) for line in lines.values()]
    frames = swaps.editor.traverse(swaps.first[:TRAVERSED], [factors[i].units for i in lines], codes)
    return {
        i: [to_pixels(steps[:, image]) for image in range(steps.shape[1])]
        for i, steps in zip(lines, frames)  # (step, image, channel, height, width)
    }


def _states(factor: Factor, line: CodeRange, swaps: SwapPictures) -> Strip | None:
    """The first image in each state."""
    if not factor.states:
        return None
    codes = torch.from_numpy(line.codes_of(np.array([state.position for state in factor.states]))).float()
    return to_pixels(swaps.editor.traverse(swaps.first[:1], [factor.units], [codes])[0, :, 0])
