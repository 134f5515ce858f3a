"""The networks of a run: built from its settings, with the weights of its newest checkpoint."""

from typing import Any

import numpy as np
from safetensors.torch import load_file

from unweave.config import NamedSettings, SettingsError
from unweave.devices import best_device
from unweave.figures.pixels import use_colours
from unweave.files import check_safetensors
from unweave.method import Method, Pretraining, Trainable, find_method
from unweave.models.foundation import Foundation, FrozenEncoder, check_digests, open_foundation
from unweave.models.foundation_settings import FoundationSettings, NetworkSource
from unweave.runs.run import Run
from unweave.runs.settings import method_settings
from unweave.types import Weights, check_weights


def build(settings: NamedSettings, foundation: Foundation) -> Trainable:
    """What the settings of a method, or of a foundation of methods, describe; untrained."""
    trainable = find_method(settings.name).build(settings, foundation)
    if foundation.encoder is not None and not any(part is foundation.encoder for part in trainable.modules()):
        raise SettingsError(
            f"{settings.name} has an encoder of its own: pdae and diffae draw the codes of foundation.encoder."
        )
    assert isinstance(trainable, Method | Pretraining), (
        f"build of {settings.name!r} must give a Method or a Pretraining"
    )
    return trainable


def load_trained(run: Run, weights: Weights = "averaged", device: Any = None) -> Trainable:
    """What was trained, a method or a foundation, in eval mode."""
    check_weights(weights)
    use_colours(run.colours())  # whoever draws its images shows its channels so
    checkpoint = run.checkpoint()
    settings = method_settings(run.tables.get("method"))  # and no others: a model opens where its data are unknown
    trainable = build(settings, load_foundation(run))
    trainable.load_state_dict(load_file(check_safetensors(checkpoint / "weights.safetensors")))
    if weights == "averaged" and (checkpoint / "average.safetensors").is_file():
        trainable.load_state_dict(load_file(check_safetensors(checkpoint / "average.safetensors")), strict=False)
    return trainable.to(device or best_device()).eval()


def load_method(run: Run, weights: Weights = "averaged", device: Any = None) -> Method:
    """The trained method in eval mode. Raises TypeError for a run that made a foundation, which has no units."""
    trained = load_trained(run, weights, device)
    if not isinstance(trained, Method):
        raise TypeError(
            f"{run.path} holds a foundation ({run.method_name}), which has no units to score or edit: "
            f"train a method on it, with foundation.{run.method_name}.from={run.path}."
        )
    return trained


def open_whole_foundation(
    settings: FoundationSettings, shape: tuple[int, int, int], rows: int, convert: bool = False
) -> Foundation:
    """`models.foundation.open_foundation`, and the encoder, which is another run.

    Raises also SettingsError where the run that is the encoder sees images of another shape, and what opening a run
    raises.
    """
    foundation = open_foundation(settings, shape, rows, convert)
    if settings.encoder is None:
        return foundation
    run = encoder_run(settings.encoder, shape)
    method, statistics = load_method(run, device="cpu"), run.statistics()
    levels, reduction = statistics.quantiles.astype(np.float64), statistics.reduction
    centre = reduction.mean + levels.mean(0)[:, None] * reduction.direction
    encoder = FrozenEncoder(method, centre, levels.std(0))
    return foundation._replace(encoder=encoder, digests={**foundation.digests, "encoder": run.digest()})


def encoder_run(source: NetworkSource, shape: tuple[int, int, int]) -> Run:
    """The run that is the encoder. Raises SettingsError where it sees images of another shape, LookupError without."""
    run = Run(source.origin)
    if run.shape() != shape:
        (theirs, height, width), (ours, here_height, here_width) = run.shape(), shape
        raise SettingsError(
            f"the encoder {run.path} sees images of {theirs} x {height} x {width} (colours, height, width), and here "
            f"they would be {ours} x {here_height} x {here_width}: set data.size={height}, or choose its data."
        )
    return run


def load_foundation(run: Run) -> Foundation:
    """What the method was built on. Raises LookupError where a frozen network is gone, ValueError where it changed."""
    stored = run.state()["foundation"]
    try:
        foundation = open_whole_foundation(run.network_sources(), run.shape(), stored["rows"])
    except LookupError as error:
        raise LookupError(
            f"{run.path} stands on a network that is not where it was: {error} Put it back, or write its new "
            f"place into {run.path / 'settings.toml'} (from, in [foundation])."
        ) from None
    check_digests(stored.get("digests", {}), foundation.digests, run.path, stored.get("commits"))
    return foundation._replace(class_count=stored.get("class_count", 0))
