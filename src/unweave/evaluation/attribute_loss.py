"""The verb that looks at a frozen model: at which time-steps does noise destroy each factor, and which slice has it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from unweave import progress, registry
from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.data.sampling import partial_grid, sample_pairs
from unweave.devices import best_device
from unweave.evaluation.metrics import linear_probe
from unweave.evaluation.metrics.linear_probe import ProbeSplit, ProbeTable
from unweave.figures.curve import plot_curves
from unweave.figures.matrix import plot_matrix
from unweave.figures.save import choose_picture_path, save_picture
from unweave.files import write_json
from unweave.models.attribute_loss import attribute_loss, half_lost
from unweave.models.foundation import FrozenDenoiser, open_foundation
from unweave.models.foundation_settings import FoundationSettings, NetworkSource
from unweave.models.latents import Space
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run
from unweave.tensors import Images, Times, to_images
from unweave.types import list_times

TIMES = tuple(range(20, 1000, 40))


@dataclass(frozen=True)
class Slices:
    """How well each group of units predicts each factor: accuracy above chance, in [0, 1]."""

    accuracies: dict[str, list[float]]  # group -> one of each factor
    factors: list[str]


@dataclass(frozen=True)
class AttributeLosses:
    """The loss of every factor at every time, and how much of each factor every group of units holds."""

    times: list[int]
    losses: dict[str, list[float]]  # factor -> its loss at each time, in [0, 1]; 1/2 is all lost
    distances: dict[str, float]  # factor -> mean l2 distance of two images that differ in it alone
    pairs: int  # of images, for each factor
    seed: int
    data: str
    half_lost: dict[str, float | None]  # factor -> the time at which half of what is lost is lost
    slices: Slices | None  # None for a method without groups of units
    files: list[Path]  # that were written

    def to_json(self) -> dict[str, Any]:
        """What is written beside the picture."""
        values: dict[str, Any] = {
            "times": self.times, "loss": self.losses, "distance": self.distances, "pairs": self.pairs,
            "seed": self.seed, "data": self.data, "half_lost": self.half_lost,
        }  # fmt: skip
        if self.slices is not None:
            values |= {"slices": self.slices.accuracies, "factors": self.slices.factors}
        return values


def attribute_losses(
    run: Run | str | Path,
    *,
    pairs_each: int = 128,
    times: int | Sequence[int] = TIMES,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
) -> AttributeLosses:
    """The loss of every factor over time under the frozen denoiser of a run (or a denoiser's run), with a picture.

    Pairs of images differ in one factor alone, by a class drawn at random. Where the run's method has groups of units
    (the stages of DiTi), a second picture shows how well each group predicts each factor. Written as JSON beside the
    picture. Raises ValueError for a run without an unconditional denoiser, and for data whose factors are no grid.
    """
    run = run if isinstance(run, Run) else Run(run)
    denoiser, space = denoiser_of(run)
    times = sorted(set(list_times(times)))
    if not times:
        raise ValueError("times is empty: give time-steps in 0..999.")
    picture_path = choose_picture_path(run.pictures, "attribute-loss", output, overwrite)
    json_path = picture_path.with_suffix(".json")
    if json_path.exists() and not overwrite:
        raise FileExistsError(f"{json_path} is there already: choose another --output, or give --overwrite.")
    dataset = views.base_dataset(run.dataset())
    try:
        dataset_grid = partial_grid(dataset)
    except ValueError as error:
        raise ValueError(
            f"the loss of a factor is measured on pairs of images that differ in it alone, and {error}"
        ) from None
    device = best_device()
    denoiser, space = denoiser.to(device), space.to(device)

    def rebuild(x_t: Images, t: Times) -> Images:
        return space.decode(denoiser.clean(x_t, t)).float()

    names = [name for name, size in zip(dataset_grid.grid.names, dataset_grid.grid.sizes) if size > 1]
    losses: dict[str, list[float]] = {}
    distances: dict[str, float] = {}
    with progress.task("measuring losses", len(names), "factors") as task:
        for position, name in enumerate(names):
            task.update(position, name)
            try:
                drawn = sample_pairs(dataset_grid, pairs_each, [name], np.random.default_rng(seed))
            except ValueError as error:
                raise ValueError(f"no pairs of images differ in {name} alone: {error}") from None
            first, second = (to_images(dataset.images(rows), device) for rows in drawn.T)
            rng = torch.Generator().manual_seed(seed)
            with torch.inference_mode():
                losses[name] = attribute_loss(
                    rebuild, first, second, denoiser.process.abar, times, rng, encode=space.encode
                )
            distances[name] = (first - second).square().sum((1, 2, 3)).sqrt().mean().item()
    measured = AttributeLosses(
        times=times,
        losses=losses,
        distances=distances,
        pairs=pairs_each,
        seed=seed,
        data=dataset.name,
        half_lost={name: half_lost(times, loss) for name, loss in losses.items()},
        slices=slices(run, dataset, seed),
        files=[picture_path, json_path],
    )
    save_picture(picture(measured), picture_path, overwrite=overwrite)
    write_json(json_path, measured.to_json())
    return measured


def denoiser_of(run: Run) -> tuple[FrozenDenoiser, Space]:
    """The frozen unconditional denoiser that a run is or stands on, and the space it works in."""
    if run.method_name == "denoiser":
        source = NetworkSource(**{"from": str(run.path)}, recipe=None)
        foundation = open_foundation(FoundationSettings(denoiser=source), run.shape(), len(run.dataset()))
    else:
        foundation = run.foundation()
    if foundation.denoiser is None:
        raise ValueError(
            f"{run.path} ({run.method_name}) stands on no unconditional diffusion model, whose reconstructions are "
            "asked here: give the run of a denoiser, or of DisDiff, PDAE or DiTi."
        )
    return foundation.denoiser, foundation.diffusion_space()


def slices(run: Run, dataset: Dataset, seed: int, count: int = 3_000) -> Slices | None:
    """How well each group of units predicts each factor, on `count` random rows; None without groups."""
    if run.method_name in registry.names("pretraining"):
        return None
    method = run.method(run.scored_weights())
    if len(method.groups()) < 2:
        return None
    rows = np.random.default_rng(seed).permutation(len(dataset))[:count]
    factors = dataset.factors(rows)
    assert factors is not None
    codes = encode_rows(method, dataset, rows)  # [rows, unit, dim]
    train, valid, test = np.split(np.arange(len(rows)), [len(rows) // 2, 3 * len(rows) // 5])
    accuracies = {}
    with progress.task("probing", len(method.groups()), "slices") as task:
        for index, (name, units) in enumerate(method.groups().items()):
            task.update(index, name)
            group_codes = codes[:, list(units)].reshape(len(rows), -1)
            parts = ProbeSplit(*(ProbeTable(group_codes[part], factors[part]) for part in (train, valid, test)))
            probed = linear_probe.probe_classes(parts)
            accuracies[name] = [
                max(0.0, (score - chance) / (1 - chance)) if np.isfinite(score) and chance < 1 else 0.0
                for score, chance in zip(probed.scores["accuracy"], probed.chance["accuracy"])
            ]
    return Slices(accuracies, list(dataset.factor_names))


def picture(measured: AttributeLosses) -> Image.Image:
    """Curves of the losses, and below them the matrix of slices and factors, where there is one."""
    points = [
        {"time": time, **{name: loss[i] for name, loss in measured.losses.items()}}
        for i, time in enumerate(measured.times)
    ]
    title = f"When noise destroys each factor of {measured.data} (0.5: all of it is lost)"
    curves = plot_curves(points, x="time", x_label="time-step t", vertical="linear", title=title)
    if measured.slices is None:
        return curves
    cells = plot_matrix(
        np.array(list(measured.slices.accuracies.values()), np.float64),
        measured.slices.factors,
        units=list(measured.slices.accuracies),
        title="How well each slice of the code predicts each factor",
        quantity="accuracy above chance",
        high=1.0,
    )
    sheet = Image.new("RGB", (max(curves.width, cells.width), curves.height + cells.height), "white")
    sheet.paste(curves, (0, 0))
    sheet.paste(cells, (0, curves.height))
    return sheet
