"""What varies in a pile of images: one page about every unit of a run, from images alone.

`report` writes report.html, which opens from disk, and report.json, the numbers of it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata

from unweave import experiment, scoring
from unweave.choosing import Choice, chosen, named
from unweave.dataset import Dataset
from unweave.editing.begin import begin
from unweave.editing.reconstruct import reconstruct
from unweave.editing.swap import swap
from unweave.editing.traverse import traverse_each
from unweave.evaluation import cache
from unweave.evaluation import report as scores
from unweave.evaluation.edit_precision import Editor
from unweave.evaluation.swap_consistency import SwapConsistency, swap_consistency
from unweave.figures import file, page
from unweave.figures.page import Pictures
from unweave.method import Generative, Sampling, evaluating
from unweave.metrics.information import discretise, entropies, mutual_information
from unweave.progress import Progress
from unweave.quality.mse import mse
from unweave.quality.psnr import psnr
from unweave.run import Run, best_device
from unweave.shapes import Images, to_images, to_pixels
from unweave.tables import Pixels, Rows
from unweave.unit_values import UnitValues, measure, pack

SAMPLING = Sampling("dpmsolver++", 10)
ROWS, PAIRS, SHOWN, STEPS, EXTREMES = 5_000, 64, 3, 7, 8
"""Rows that are encoded, pairs that are swapped, images of a traversal, its steps, images at either end of a unit."""

MOST = 32  # units that are looked at; the ones that vary most
ALIKE = 0.9  # |rank correlation| from which a unit is folded away as a copy of one that moves more
FAINT = 0.02  # of the pictures' change by the strongest unit; below it a unit is dead

Tick = Callable[[str, int, int], None]


class Report(NamedTuple):
    """The page, the same as JSON, and its content."""

    page: Path
    json: Path
    facts: dict[str, Any]


def report(
    what: Run | str | Path,
    *tables: Mapping[str, Any],
    method: str = "encdiff",
    sampling: Sampling = SAMPLING,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    tick: Tick | None = None,
) -> Report:
    """Which units a run has, what each does to the pictures, and which are worth a look; no labels are needed.

    `what` is a run, or a data set or path to images, on which a run of `method` is trained first (its `laptop` preset,
    which the tables change: {"training": {"images": 20_000}}), or gone on with where it was begun. Units are ranked by
    how far the pixels move when the unit comes from another image (64 random pairs, all from the x_T of one seed). A
    unit is dead where it hardly varies or moves no picture, and a copy where its rank correlation with one that moves
    more is 0.9 or larger: both are folded away. Both limits are ours. Without a decoder there are only values.

    The page goes to the run's report.html unless `output` names another .html; the JSON lies beside it. A report that
    is there already is kept as report-1.html, ...; another file only goes with `overwrite`. `tick(what, done, total)`
    is called while it is made. Raises what `train` raises, TypeError for a foundation, which has no units.
    """
    run = opened(what, method, tables, progress)
    target = _target(run, output, overwrite)
    began = time.monotonic()
    facts, pictures = look(run, sampling, seed, tick or (lambda *_: None))
    facts["seconds"] = round(time.monotonic() - began, 1)
    if output is None:
        _set_aside(target)
    beside = target.with_suffix(".json")
    file.write(page.page(facts, pictures).encode(), target, overwrite=True)
    scores.write(facts, beside)
    return Report(target, beside, facts)


def opened(what: Run | str | Path, method: str, tables: Sequence[Mapping[str, Any]], progress: Progress | None) -> Run:
    """The run, or the one that is trained on these images."""
    if isinstance(what, Run):
        return what
    try:
        run = Run(what)
    except LookupError:
        return experiment.train(method, {"data": str(what)}, *tables, resume=True, progress=progress)
    if tables:
        raise ValueError(f"{what} is a run, which is trained already: settings go with images, not with a run.")
    return run


def look(run: Run, sampling: Sampling, seed: int, tick: Tick) -> tuple[dict[str, Any], Pictures]:
    """The facts of the report and the pictures that go with them."""
    method, dataset = run.method(), run.dataset()
    rows = cache.rows_for(len(dataset), ROWS, seed)
    if len(rows) < 2:
        raise ValueError(f"{dataset.name} has {len(rows)} image: there is nothing that varies.")
    tick("encoding", 0, 3)
    codes = scoring.codes(run, dataset, rows, seed, "averaged")
    every = chosen(method, codes.shape[1], None, named(run))
    values = measure(codes, _widest(codes, every))
    shown = np.random.default_rng(seed).permutation(rows)
    facts: dict[str, Any] = {
        "run": str(run.path),
        "method": run.method_name,
        "data": {
            "name": dataset.name, "digest": dataset.digest(), "images": len(dataset), "shape": list(dataset.shape),
        },
        "weights": run.digest(),
        "images seen": run.state()["seen"],
        "settings": {
            "rows": len(rows), "pairs": PAIRS, "seed": seed, "sampling": sampling._asdict(), "copies from": ALIKE,
            "faint below": FAINT,
        },
        "not looked at": len(every) - len(values.choices),
    }  # fmt: skip
    units = _values(values, dataset, rows)
    pictures = Pictures()
    if isinstance(method, Generative):
        editable = _edited(method, dataset, values, shown, sampling, seed, tick)
        facts["swap_consistency"] = editable.consistency.consistency
        facts["reconstruction"] = _rebuilt(method, dataset, shown[:32], sampling, seed, pictures)
        amounts, live = editable.maps.mean((1, 2)), set(editable.consistency.live)
        for place, unit in enumerate(units):
            unit["amount"] = float(amounts[place])
            unit["share"] = float(amounts[place] / max(amounts.sum(), 1e-12))
            unit["swap_consistency"] = editable.consistency.shares[place]
            unit["live"] = place in live and bool(amounts[place] >= FAINT * amounts.max())
            pictures.maps[unit["word"]] = editable.maps[place]
        pictures.under = to_pixels(_images(dataset, shown[:1]))[0]
    else:
        facts["no edits"] = f"{run.method_name} has no decoder, so nothing is known of what its units draw."
        spread = values.values.std(0)
        for place, unit in enumerate(units):
            unit["live"] = bool(spread[place] > 0.05 * spread.max())
    order = _ranked(units)
    _fold(units, order, values)
    facts["units"] = [units[place] for place in order]
    kept = [place for place in order if units[place]["state"] == "live"]
    if isinstance(method, Generative) and kept:
        tick("traversals", 2, 3)
        _traversed(method, dataset, values, kept, shown[:SHOWN], sampling, seed, pictures)
    for place in order:
        _extremes(dataset, rows, values, place, units[place], pictures)
    return facts, pictures


class Edited(NamedTuple):
    consistency: SwapConsistency
    maps: Float[np.ndarray, "choice height width"]  # mean absolute change of pixels in [0, 1]


def _edited(
    method: Generative, dataset: Dataset, values: UnitValues, shown: Rows, sampling: Sampling, seed: int, tick: Tick
) -> Edited:
    """What swaps of every choice do to pictures and to the codes that are read back from them."""
    count = len(values.choices)
    maps = np.zeros((count, *dataset.shape[1:]))
    plain: Images | None = None

    def unedited(rows: Rows) -> Pixels:
        nonlocal plain
        own = _images(dataset, rows)
        plain = reconstruct(method, own, sampling=sampling, start=begin(method, own, sampling=sampling, seed=seed))
        return to_pixels(plain)

    def edit(first: Rows, second: Rows, place: int) -> Pixels:
        tick(f"swapping {values.choices[place].name}", place + 1, count + 2)
        own = _images(dataset, first)
        start = begin(method, own, sampling=sampling, seed=seed)
        units = values.choices[place].units
        made = swap(method, own, _images(dataset, second), units, sampling=sampling, start=start)
        assert plain is not None, "swap_consistency rebuilds before it edits"
        maps[place] = ((made - plain).abs() / 2).mean((0, 1)).cpu().numpy()
        return to_pixels(made)

    def encode(pixels: Pixels) -> np.ndarray:
        with evaluating(method):
            return pack(method.encode(to_images(pixels, best_device())).float().cpu().numpy(), values.choices)

    editor = Editor(count, edit, unedited)
    return Edited(swap_consistency(editor, encode, shown, pairs=PAIRS, seed=seed), maps)


def _traversed(
    method: Generative, dataset: Dataset, values: UnitValues, kept: Sequence[int], shown: Rows, sampling: Sampling,
    seed: int, pictures: Pictures,
) -> None:  # fmt: skip
    own = _images(dataset, shown)
    start = begin(method, own, sampling=sampling, seed=seed)
    shares = np.linspace(0.02, 0.98, STEPS).tolist()
    lines = [values.points(place, shares) for place in kept]
    edits = [values.choices[place].units for place in kept]
    frames = traverse_each(method, own, edits, lines, sampling=sampling, start=start)
    for place, strips in zip(kept, frames):  # (step, image, channel, height, width)
        pictures.strips[values.choices[place].word] = [to_pixels(strips[:, image]) for image in range(len(shown))]


def _rebuilt(
    method: Generative, dataset: Dataset, shown: Rows, sampling: Sampling, seed: int, pictures: Pictures
) -> dict[str, dict[str, float]]:
    """Error of images from their units alone, and from the inverted x_T; the first eight are shown."""
    own = _images(dataset, shown)
    pixels = to_pixels(own)
    pictures.rebuilt["image"] = pixels[:8]
    found = {}
    for name, begins in (("units alone", seed), ("units and inverted x_T", None)):
        start = begin(method, own, sampling=sampling, seed=begins)
        made = to_pixels(reconstruct(method, own, sampling=sampling, start=start))
        found[name] = {**mse(pixels, made), "psnr": psnr(pixels, made, data_range=255)["psnr"]}
        pictures.rebuilt[name] = made[:8]
        if start is None:
            break  # nothing but units: both are the same
    return found


def _values(values: UnitValues, dataset: Dataset, rows: Rows) -> list[dict[str, Any]]:
    """What is known of every choice from its numbers alone: histogram, range, correlations, the factor it follows."""
    found = []
    ranks = np.apply_along_axis(rankdata, 0, values.values)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(ranks.T)))
    factors = dataset.factors(rows)
    for place, choice in enumerate(values.choices):
        column = values.values[:, place].astype(np.float64)
        counts, edges = np.histogram(column, 24)
        others = [other for other in np.argsort(-np.abs(correlations[place]), kind="stable") if other != place]
        low, middle, high = np.quantile(column, [0.02, 0.5, 0.98]).tolist()
        found.append({
            "word": choice.word, "name": choice.name, "units": len(choice.units),
            "range": {"2 %": low, "50 %": middle, "98 %": high},
            "spread": float(column.std()),
            "explained": float(values.reduction.explained[place]),
            "histogram": {"from": float(edges[0]), "to": float(edges[-1]), "counts": counts.tolist()},
            "correlations": {values.choices[o].word: float(correlations[place, o]) for o in others[:3]},
        })  # fmt: skip
    if factors is not None:
        _follow(found, values.values, factors, dataset.factor_names)
    return found


def _follow(
    units: list[dict[str, Any]], values: Float[np.ndarray, "rows choice"], factors: np.ndarray, names: Sequence[str]
) -> None:
    """Which factor a unit tells most of: I(unit; factor) / H(factor) of 20 bins, and its part of all such."""
    entropy = entropies(factors)
    varying = entropy > 0
    if not varying.any():
        return
    shares = mutual_information(discretise(values), factors)[:, varying] / entropy[varying]
    known = [name for name, varies in zip(names, varying) if varies]
    for unit, told in zip(units, shares):
        best = int(told.argmax())
        unit["follows"] = {
            "factor": known[best], "information": float(told[best]),
            "purity": float(told[best] / told.sum()) if told.sum() > 0 else 0.0,
            "all": dict(zip(known, told.tolist())),
        }  # fmt: skip


def _ranked(units: Sequence[Mapping[str, Any]]) -> list[int]:
    """From the unit that moves the pictures most (or, without a decoder, varies most) to the least."""
    return sorted(range(len(units)), key=lambda place: -units[place].get("amount", units[place]["spread"]))


def _fold(units: Sequence[dict[str, Any]], order: Sequence[int], values: UnitValues) -> None:
    """`state` of every unit: live, dead, or a copy of a live one that stands before it."""
    ranks = np.apply_along_axis(rankdata, 0, values.values)
    live: list[int] = []
    for place in order:
        unit = units[place]
        if not unit.pop("live"):
            unit["state"] = "dead"
            continue
        alike = [other for other in live if abs(np.corrcoef(ranks[:, place], ranks[:, other])[0, 1]) >= ALIKE]
        unit["state"] = f"copy of {units[alike[0]]['word']}" if alike else "live"
        live += [] if alike else [place]


def _extremes(
    dataset: Dataset, rows: Rows, values: UnitValues, place: int, unit: dict[str, Any], pictures: Pictures
) -> None:
    """The real images at the lowest and highest values of a unit."""
    order = rows[np.argsort(values.values[:, place], kind="stable")]
    count = min(EXTREMES, len(order) // 2)
    for name, some in (("lowest", order[:count]), ("highest", order[::-1][:count])):
        unit[name] = [dataset.files[row] if dataset.files else int(row) for row in some]
        pictures.ends[unit["word"], name] = dataset.images(some)


def _widest(codes: np.ndarray, choices: Sequence[Choice]) -> list[Choice]:
    """At most 32 choices, those that vary most, in their order."""
    spread = [float(np.square(codes[:, choice.units].std(0)).sum()) for choice in choices]
    kept = np.sort(np.argsort(-np.array(spread), kind="stable")[:MOST])
    return [choices[place] for place in kept]


def _images(dataset: Dataset, rows: Rows) -> Images:
    return to_images(dataset.images(rows), torch.device(best_device()))


def _target(run: Run, output: Path | None, overwrite: bool) -> Path:
    """Where the page will go, checked before the work."""
    if output is None:
        return run.path / "report.html"
    if output.suffix.lower() != ".html":
        raise ValueError(f"{output.name!r} must end in .html, got {output.suffix!r}.")
    for path in (output, output.with_suffix(".json")):
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already: choose another --output, or give --overwrite.")
    return output


def _set_aside(target: Path) -> None:
    """An earlier report of the run keeps its content under the next free number."""
    if not target.exists():
        return
    number = 1
    while (aside := target.with_name(f"report-{number}.html")).exists():
        number += 1
    target.rename(aside)
    if target.with_suffix(".json").exists():
        target.with_suffix(".json").rename(aside.with_suffix(".json"))
