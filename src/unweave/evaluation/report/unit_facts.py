"""What is known of every unit of a run from images alone: how far it moves pixels, where, what it copies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_units
from unweave.editing.traverse import traverse_units
from unweave.evaluation.metrics.edit_precision import Editor
from unweave.evaluation.metrics.image.mse import mse
from unweave.evaluation.metrics.image.psnr import psnr
from unweave.evaluation.metrics.information import discretise, entropies, mutual_information
from unweave.evaluation.metrics.swap_consistency import SwapConsistency, swap_consistency
from unweave.evaluation.report.page import Pictures
from unweave.method import Generative, Method, Sampling
from unweave.runs.codes import code_table
from unweave.runs.run import Run, best_device
from unweave.runs.unit_ranges import UnitValues, measure, one_by_one, read_back, widest
from unweave.runs.units import Choice, chosen, named
from unweave.tensors import Images, to_images, to_pixels
from unweave.types import FactorTable, Pixels, Rows

SAMPLING = Sampling("dpmsolver++", 10)
ROWS, PAIRS, SHOWN, STEPS, EXTREMES = 5_000, 64, 3, 7, 8
"""Rows that are encoded, pairs that are swapped, images of a traversal, its steps, images at either end of a unit."""

MOST = 32  # units that are looked at; the ones that vary most
ALIKE = 0.9  # |rank correlation| from which a unit is folded away as a copy of one that moves more
FAINT = 0.02  # of the change by the strongest unit (without a decoder: of its spread); below it a unit is dead
TOLD = 0.05  # of a factor; a unit that tells less follows none
PERMUTED = 5  # tables of shuffled factors, for what chance tells

Tick = Callable[[str, int, int], None]


def nothing(what: str, done: int, total: int) -> None:
    """The default of `tick`."""


@dataclass(frozen=True)
class Subject:
    """What is looked at, and how."""

    method: Method
    dataset: Dataset
    values: UnitValues
    omitted: list[int]  # units that are not looked at
    rows: Rows  # that are encoded
    shown: Rows  # the same in random order
    sampling: Sampling
    seed: int

    def images(self, rows: Rows) -> Images:
        return to_images(self.dataset.images(rows), best_device())


def look(
    run: Run, dataset: Dataset, sampling: Sampling, seed: int, tick: Tick = nothing
) -> tuple[dict[str, Any], Pictures]:
    """The facts of a report, and the pictures that go with them.

    Units (or groups; of a method with one group, its single units) are ranked by how far pixels move when the unit
    comes from another image: the mean absolute change, pixels in [0, 1], over 64 random pairs, all from the x_T of one
    seed. A unit is dead where that is below 2 % of the strongest unit's, and a copy where its rank correlation with a
    live one that moves more is 0.9 or larger. Both limits are ours. Without a decoder the standard deviation of the
    values takes the place of the change. At most 32 units are looked at, those that vary most.

    Where factors are known, a unit follows the one of which it tells most: (I - I0) / (H - I0), I the mutual
    information in 20 bins, I0 that with shuffled factors (mean of 5), H the factor's entropy; its purity is the part of
    it among all factors. Factors with more classes than a tenth of the rows are left out. Labels change nothing else.

    Raises ValueError for fewer than two images, TypeError for a foundation.
    """
    rows = sample_rows(len(dataset), ROWS, seed)
    if len(rows) < 2:
        raise ValueError(f"{dataset.name} has {len(rows)} image: there is nothing that varies.")
    method = run.method()
    tick("encoding", 0, MOST + 4)
    table = code_table(run, dataset, rows, seed, "averaged")
    names = named(run)
    listed = one_by_one(method, table.shape[1])
    extra = [word for word in names.values() if word not in map(str, listed)]
    kept = widest(table, chosen(method, table.shape[1], listed, names), MOST)
    kept += chosen(method, table.shape[1], extra, names)
    covered = {unit for choice in kept for unit in choice.units}
    omitted = [unit for unit in range(table.shape[1]) if unit not in covered]
    shown = np.random.default_rng(seed).permutation(rows)
    subject = Subject(method, dataset, measure(table, kept), omitted, rows, shown, sampling, seed)
    trained_on = run.record().get("data", {}).get("digest")
    facts: dict[str, Any] = {
        "run": str(run.path),
        "method": run.method_name,
        "data": {
            "name": dataset.name, "digest": dataset.digest(), "images": len(dataset), "shape": list(dataset.shape),
            "trained on": trained_on in (None, dataset.digest()),
        },
        "weights": run.digest(),
        "images seen": run.state()["seen"],
        "settings": {
            "rows": len(rows), "pairs": PAIRS, "seed": seed, "sampling": sampling._asdict(), "copies from": ALIKE,
            "faint below": FAINT,
        },
        "not looked at": len(omitted),
    }  # fmt: skip
    units, pictures = _values(subject), Pictures()
    if isinstance(method, Generative):
        _draw(subject, method, facts, units, pictures, tick)
    else:
        facts["no edits"] = f"{run.method_name} has no decoder, so nothing is known of what its units draw."
    strength = np.array([unit.get("amount", unit["spread"]) for unit in units])
    order = np.argsort(-strength, kind="stable").tolist()
    alive = strength >= np.maximum(FAINT * strength.max(), 1e-12)
    _fold(units, order, alive, subject.values.values)
    facts["units"] = [units[place] for place in order]
    live = [place for place in order if units[place]["state"] == "live"]
    tick("traversals", MOST + 3, MOST + 4)
    if isinstance(method, Generative) and live:
        _traversed(subject, method, live, pictures)
    for place in order:
        if units[place]["state"] != "dead":
            _extremes(subject, place, units[place], pictures)
    return facts, pictures


def _draw(
    subject: Subject,
    method: Generative,
    facts: dict[str, Any],
    units: Sequence[dict[str, Any]],
    pictures: Pictures,
    tick: Tick,
) -> None:
    """What the decoder makes of the units: change of pixels, where, swap consistency, reconstructions."""
    found = _swapped(subject, method, tick)
    tick("reconstructions", MOST + 2, MOST + 4)
    facts["reconstruction"] = _rebuilt(subject, method, pictures)
    readable = [place for place in found.consistency.live if place < len(units)]
    shares = found.consistency.shares
    facts["swap_consistency"] = float(np.mean([shares[place] for place in readable])) if readable else 0.0
    amounts = found.maps.mean((1, 2))
    for place, unit in enumerate(units):
        unit["amount"] = float(amounts[place])
        unit["share"] = float(amounts[place] / max(amounts.sum(), 1e-12))
        unit["swap_consistency"] = shares[place] if place in readable else None
        pictures.maps[unit["word"]] = found.maps[place]
    pictures.under = subject.dataset.images(subject.shown[:1])[0]


class Swapped(NamedTuple):
    consistency: SwapConsistency  # of the choices, and last of all units that are not looked at, if any
    maps: Float[np.ndarray, "choice height width"]  # mean absolute change of pixels in [0, 1]


def _swapped(subject: Subject, method: Generative, tick: Tick) -> Swapped:
    """What swaps of every choice do to pictures and to the codes that are read back from them."""
    choices = [*subject.values.choices]
    if subject.omitted:  # so that what lands in them is counted
        choices.append(Choice("the rest", subject.omitted, "rest"))
    maps = np.zeros((len(subject.values.choices), *subject.dataset.shape[1:]))
    plain: Images | None = None

    def unedited(rows: Rows) -> Pixels:
        nonlocal plain
        own = subject.images(rows)
        start = make_start(method, own, sampling=subject.sampling, seed=subject.seed)
        plain = reconstruct_images(method, own, sampling=subject.sampling, start=start)
        return to_pixels(plain)

    def edit(first: Rows, second: Rows, place: int) -> Pixels:
        tick(f"swapping {choices[place].name}", place * (MOST + 1) // len(choices) + 1, MOST + 4)
        own = subject.images(first)
        start = make_start(method, own, sampling=subject.sampling, seed=subject.seed)
        theirs, units = subject.images(second), choices[place].units
        made = swap_units(method, own, theirs, units, sampling=subject.sampling, start=start)
        assert plain is not None, "swap_consistency rebuilds before it edits"
        if place < len(maps):
            maps[place] = ((made - plain).abs() / 2).mean((0, 1)).cpu().numpy()
        return to_pixels(made)

    editor = Editor(len(choices), edit, unedited)
    found = swap_consistency(
        editor, lambda pixels: read_back(method, pixels, choices), subject.shown, pairs=PAIRS, seed=subject.seed
    )
    return Swapped(found, maps)


def _traversed(subject: Subject, method: Generative, live: Sequence[int], pictures: Pictures) -> None:
    own = subject.images(subject.shown[:SHOWN])
    start = make_start(method, own, sampling=subject.sampling, seed=subject.seed)
    shares = np.linspace(0.02, 0.98, STEPS).tolist()
    lines = [subject.values.line(place).points(shares) for place in live]
    edits = [subject.values.choices[place].units for place in live]
    frames = traverse_units(method, own, edits, lines, sampling=subject.sampling, start=start)
    for place, strips in zip(live, frames):  # (step, image, channel, height, width)
        word = subject.values.choices[place].word
        pictures.strips[word] = [to_pixels(strips[:, image]) for image in range(len(own))]


def _rebuilt(subject: Subject, method: Generative, pictures: Pictures) -> dict[str, dict[str, float]]:
    """Error of 32 images from their units alone, and from the inverted x_T; the first eight are shown."""
    own = subject.images(subject.shown[:32])
    pixels = to_pixels(own)
    pictures.rebuilt["image"] = pixels[:8]
    found = {}
    for name, seed in (("units alone", subject.seed), ("units and inverted x_T", None)):
        start = make_start(method, own, sampling=subject.sampling, seed=seed)
        made = to_pixels(reconstruct_images(method, own, sampling=subject.sampling, start=start))
        found[name] = {**mse(pixels, made), "psnr": psnr(pixels, made, data_range=255)["psnr"]}
        pictures.rebuilt[name] = made[:8]
        if start is None:
            break  # nothing but units: both are the same
    return found


def _values(subject: Subject) -> list[dict[str, Any]]:
    """What is known of every choice from its numbers alone: histogram, range, correlations, the factor it follows."""
    values, found = subject.values, []
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(_ranks(values.values).T)))
    words = [choice.word for choice in values.choices]
    for place, choice in enumerate(values.choices):
        column = values.values[:, place].astype(np.float64)
        counts, edges = np.histogram(column, 24)
        low, middle, high = np.quantile(column, [0.02, 0.5, 0.98]).tolist()
        found.append({
            "word": choice.word, "name": choice.name, "numbers": len(choice.units) * values.dim,
            "range": {"2 %": low, "50 %": middle, "98 %": high},
            "spread": float(column.std()),
            "explained": float(values.reduction.explained[place]),
            "histogram": {"from": float(edges[0]), "to": float(edges[-1]), "counts": counts.tolist()},
            "correlations": {word: float(correlations[place, at]) for at, word in enumerate(words) if at != place},
        })  # fmt: skip
    factors = subject.dataset.factors(subject.rows)
    if factors is not None:
        _follow(found, values.values, factors, subject.dataset.factor_names)
    return found


def _follow(
    units: list[dict[str, Any]],
    values: Float[np.ndarray, "rows choice"],
    factors: FactorTable,
    names: Sequence[str],
) -> None:
    """The factor that each unit tells most of, beyond chance (see `look`)."""
    fit = [at for at, column in enumerate(factors.T) if 1 < len(np.unique(column)) <= max(2, len(factors) // 10)]
    if not fit:
        return
    some, binned, rng = factors[:, fit], discretise(values), np.random.default_rng(0)
    shuffled = [mutual_information(binned, rng.permuted(some, axis=0)) for _ in range(PERMUTED)]
    chance = np.mean(shuffled, axis=0)
    gain = (mutual_information(binned, some) - chance).clip(min=0)
    shares = gain / np.maximum(entropies(some) - chance, 1e-12)
    for unit, told in zip(units, shares):
        best = int(told.argmax())
        if told[best] >= TOLD:
            unit["follows"] = {
                "factor": names[fit[best]], "information": float(told[best]),
                "purity": float(told[best] / told.sum()),
                "all": {names[at]: float(share) for at, share in zip(fit, told)},
            }  # fmt: skip


def _fold(
    units: Sequence[dict[str, Any]],
    order: Sequence[int],
    alive: Sequence[bool] | np.ndarray,
    values: Float[np.ndarray, "rows choice"],
) -> None:
    """`state` of every unit: live, dead, or a copy of a live one that stands before it."""
    ranks, live = _ranks(values), list[int]()
    for place in order:
        if not alive[place]:
            units[place]["state"] = "dead"
            continue
        alike = [other for other in live if abs(np.corrcoef(ranks[:, place], ranks[:, other])[0, 1]) >= ALIKE]
        units[place]["state"] = "copy" if alike else "live"
        if alike:
            units[place]["copy of"] = units[alike[0]]["word"]
        else:
            live.append(place)


def _ranks(values: Float[np.ndarray, "rows choice"]) -> Float[np.ndarray, "rows choice"]:
    return np.apply_along_axis(rankdata, 0, values)


def _extremes(subject: Subject, place: int, unit: dict[str, Any], pictures: Pictures) -> None:
    """The real images at the lowest and highest values of a unit."""
    order = subject.rows[np.argsort(subject.values.values[:, place], kind="stable")]
    count = min(EXTREMES, len(order) // 2)
    files: Mapping[int, str] | Sequence[str] = subject.dataset.files
    for name, some in (("lowest", order[:count]), ("highest", order[::-1][:count])):
        unit[name] = [files[row] if files else int(row) for row in some]
        pictures.ends[unit["word"], name] = subject.dataset.images(some)
