"""What is measured of a frozen diffusion model before a method is trained on it, and what is said of it."""

import numpy as np
import torch
from PIL.Image import Image

from unweave.config import SettingsError
from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.data.sampling import partial_grid, sample_pairs, sample_rows
from unweave.devices import best_device
from unweave.figures.curve import plot_curves
from unweave.models.attribute_loss import FactorLosses, attribute_loss
from unweave.models.foundation import Foundation
from unweave.models.frozen_error import ErrorCurve, error_curve
from unweave.tensors import Images, Times, to_images

IMAGES = 64
"""Images of the training set that errors are measured on."""
PAIRS = 64
"""Pairs of images for every factor that losses are measured on."""
LOSS_TIMES = tuple(range(0, 1000, 20))


def with_error(foundation: Foundation, dataset: Dataset) -> Foundation:
    """The foundation with the error of its denoiser by time, where it has one."""
    if foundation.denoiser is None:
        return foundation
    device = best_device()
    images = to_images(dataset.images(sample_rows(len(dataset), IMAGES, seed=0)), device)
    denoiser, space = foundation.denoiser.to(device), foundation.diffusion_space().to(device)
    return foundation._replace(error=error_curve(denoiser, space, images, torch.Generator().manual_seed(0)))


def with_losses(foundation: Foundation, dataset: Dataset) -> Foundation:
    """The foundation with the loss of every factor by time, from labelled pairs of images.

    Raises SettingsError for images whose factors are no grid.
    """
    assert foundation.denoiser is not None
    device, base = best_device(), views.base_dataset(dataset)
    denoiser, space = foundation.denoiser.to(device), foundation.diffusion_space().to(device)

    def rebuild(x_t: Images, t: Times) -> Images:
        return space.decode(denoiser.clean(x_t, t)).float()

    try:
        known = partial_grid(base)
        names = [name for name, size in zip(known.grid.names, known.grid.sizes) if size > 1]
        pairs = {name: sample_pairs(known, PAIRS, [name], np.random.default_rng(0)) for name in names}
    except ValueError as error:
        raise SettingsError(
            f"what a frozen model loses is measured on pairs of images that differ in one factor alone: {error}"
        ) from None
    losses = {}
    for name, rows in pairs.items():
        first, second = (to_images(base.images(side), device) for side in rows.T)
        rng = torch.Generator().manual_seed(0)
        with torch.inference_mode():
            losses[name] = attribute_loss(
                rebuild, first, second, denoiser.process.abar, LOSS_TIMES, rng, encode=space.encode
            )
    return foundation._replace(losses=FactorLosses(LOSS_TIMES, losses))


def picture(curve: ErrorCurve) -> Image:
    """The error by time beside that of the mean picture."""
    points = [
        {"time": time, "one guess of the frozen model": error, "the mean picture": curve.mean_picture}
        for time, error in zip(curve.times, curve.errors)
    ]
    title = "Squared error of x_0 by time: what the frozen model lacks"
    return plot_curves(points, x="time", x_label="time-step t", title=title)


def warning(foundation: Foundation) -> str | None:
    """Where the frozen model is no better than the mean picture, in a sentence; None where it is nowhere so."""
    if foundation.denoiser is None or foundation.error is None:
        return None
    curve = foundation.error
    blind = curve.blind_times(foundation.denoiser.process.abar)
    if not blind:
        return None
    worst = max(blind, key=lambda time: curve.errors[curve.times.index(time)])
    return (
        f"the frozen model guesses images no better than their mean does at {len(blind)} of {len(curve.times)} times, "
        f"t = {blind[0]} .. {blind[-1]} (at t = {worst} its squared error is "
        f"{curve.errors[curve.times.index(worst)]:.3g}, that of the mean picture {curve.mean_picture:.3g}). What it "
        "never saw it cannot give to a method: train the denoiser for longer (training.images), and with "
        "method.prediction=v where the times are late ones."
    )
