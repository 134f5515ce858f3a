"""The contract between a method and everything else. Read this file first.

A `Trainable` has players; a `Method` also encodes images to units; a `Generative` method also
decodes units to images. A `Fitted` one has a part that is computed at once, without steps. A
`Pretraining` makes a network that methods stand on, and has no units. The training loop, the
evaluation and the editor know methods only through these classes, so a new method needs no line
anywhere else.

An objective sees a `Batch` (images, their rows, images seen) and a random generator. There is no label in a
batch, so nothing supervised can leak into training. Two methods have labels all the same, and say so in their
definition (`labels`): LORD, the row with supervision, and DiTi where its edges come from factors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from PIL.Image import Image
from torch import Tensor, nn

from unweave import registry
from unweave.config import NamedSettings
from unweave.tensors import Images, Scalar, Units
from unweave.types import NamedGroups as NamedGroups  # a method's file imports it from here
from unweave.types import Pixels, Weights


@dataclass(frozen=True, slots=True)
class Batch:
    images: Images  # in [-1, 1]
    index: Int[Tensor, "batch"]  # row of the training set, for methods with a code per image
    seen: int  # images seen before this batch, for schedules
    budget: int = 0  # images of the whole training, for schedules; 0 where it is not known
    seed: int = 0  # of the run: with `seen`, of what must not depend on the number of processes
    views: Images | None = None  # of these images, to be encoded in their place (`training.augment`)

    @property
    def to_encode(self) -> Images:
        """What the encoder is to see: views where there are any, else the images themselves."""
        return self.images if self.views is None else self.views


class Loss(NamedTuple):
    total: Scalar
    terms: dict[str, Scalar]  # named as in the paper; logged


def do_nothing() -> None:
    """The default `Player.after`."""


class Player(NamedTuple):
    """Parameters that step together, the objective they step on, and what follows the step."""

    name: str
    module: nn.Module  # forward(batch, rng) -> Loss; what Accelerate wraps for several devices
    parameters: list[nn.Parameter]
    after: Callable[[], None] = do_nothing  # such as moving a slow copy of the weights
    betas: tuple[float, float] | None = None  # of its Adam, where it wants others than the rest; critics do
    piece: int = 0  # images whose activations are held at a time, where the objective computes in pieces


class Sampling(NamedTuple):
    """How an iterative decoder draws an image; one-shot decoders ignore it."""

    sampler: str = "ddim"  # "ddim" or "dpmsolver++"
    steps: int = 50
    eta: float = 0.0  # 0 is deterministic (edits), 1 adds DDPM's noise back at every step
    clip: bool = True  # keep the predicted x_0 in [-1, 1] at every step, in methods that do so (PDAE, DiTi, Diff-AE)
    inversion: int | None = None  # steps of the way from the image to its x_T, where they are not `steps`


def accept(settings: Any, foundation: Any, batch: int, images: int) -> None:
    """The default `MethodDefinition.check`, which raises SettingsError before training for what cannot be trained."""


@dataclass(frozen=True)
class MethodDefinition:
    """All that the rest needs to know of a method, or of a network that methods stand on; its file has one, METHOD."""

    settings: type[NamedSettings]
    build: Callable[[Any, Any], "Trainable"]  # (settings, Foundation): the untrained method
    presets: Mapping[str, Mapping[str, Any]]  # named tables of settings
    citation: str  # BibTeX
    extra_verbs: Mapping[str, Callable[..., Tensor]] = field(default_factory=dict)  # see editing/method_specific
    scored_weights: Weights = "raw"  # those that its authors scored
    check: Callable[[Any, Any, int, int], None] = accept  # (settings, Foundation, images a step, images in all)
    labels: Callable[[Any], Sequence[str] | None] | None = None  # factors seen (): all; None: no labels; tables say so
    denoiser: Callable[[Any, Units], Any] | None = None  # (method, units of one image): the PictureDenoiser it holds
    takes_views: bool = False  # its objective encodes `Batch.to_encode`, so that training.augment may be set


def find_method(name: str) -> MethodDefinition:
    """The definition of a method or a foundation. Raises LookupError with the nearest name."""
    definition = vars(registry.trainable(name)).get("METHOD")
    if not isinstance(definition, MethodDefinition):
        raise LookupError(f"the module of {name!r} has no METHOD = MethodDefinition(...): see unweave/method.py.")
    return definition


class Trainable(nn.Module, ABC):
    averaged: tuple[str, ...] = ()  # names of the sub-modules that the EMA covers; "" is all
    averaged_buffers: tuple[str, ...] = ()  # of those whose buffers follow their weights and are averaged as well
    tables: Mapping[str, int] = {}  # parameters with a row for every image, and its number; processes split them

    @abstractmethod
    def players(self) -> list[Player]:
        """Every trainable parameter belongs to exactly one player."""


PreviewImages = Float[Tensor, "picture channel height width"]
"""Images in [-1, 1], as many as there are to show."""


class Pretraining(Trainable):
    @abstractmethod
    def preview(self, images: Images, rng: torch.Generator) -> PreviewImages:
        """Images that show how far training is, as many as one would look at."""

    @abstractmethod
    def export(self, images: Images, folder: Path) -> None:
        """Write the network in diffusers' layout, with what is measured on these images once (a scaling factor)."""


class Method(Trainable):
    unit_groups = NamedGroups()
    joint_units: Sequence[tuple[int, ...]] = ()
    """Units that tell one thing together, as cosine and sine tell an angle: they are in one factor."""

    @abstractmethod
    def encode(self, images: Images) -> Units:
        """The representation of images, deterministic in eval mode."""

    def groups(self) -> Mapping[str, Sequence[int]]:
        """The groups of units, by name."""
        return self.unit_groups.named

    def group(self, name: str) -> Sequence[int]:
        """The units of a group. Raises LookupError where there is none of this name."""
        return self.unit_groups.find(name)


class Previewing(Method):
    """A method without decoder that has something to show before and while it trains."""

    @abstractmethod
    def preview(self, images: Images, rng: torch.Generator) -> Mapping[str, PreviewImages]:
        """Columns of pictures by what stands above them, a row for each of the images."""


class FitResult(NamedTuple):
    """What a fit says: numbers for the log, pictures by the name of their file, and notes for the person who waits."""

    terms: Mapping[str, float]
    pictures: Mapping[str, Image]
    notes: Sequence[str] = ()


class Fitted(ABC):
    """Beside `Method`: it has a part that is computed from images at once, after the last step of its players.

    Where it has no players, this is all of its training.
    """

    fit_images: int  # that `fit` takes at most; they are drawn once from the training set

    @abstractmethod
    def fit(self, pixels: Pixels, rng: torch.Generator) -> FitResult:
        """Fit buffers to these images. Raises ValueError for images that it cannot be fitted to."""


Start = Any
"""What a decoder begins from besides the units: x_T of a diffusion model, None for a VAE."""


class Generative(Method):
    @abstractmethod
    def start(self, count: int, rng: torch.Generator) -> Start:
        """A random start for `count` images, drawn where the generator is and then moved."""

    @abstractmethod
    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        """The start from which `decode` comes back to the given images."""

    @abstractmethod
    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        """Images in [-1, 1] from units; `rng` is needed only where sampling.eta > 0."""


class OneShot(Generative):
    """Its decoder begins from the units alone."""

    def start(self, count: int, rng: torch.Generator) -> Start:
        return None

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        return None


@contextmanager
def evaluating(method: nn.Module) -> Iterator[None]:
    """Inference in eval mode; afterwards every sub-module has its own mode back, also after an error."""
    modes = [(module, module.training) for module in method.modules()]
    try:
        method.eval()
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training
