"""What the self-supervised learners without decoder share: views, backbone, projector, predictor, moving target.

Each sees two random views of an image (models/views.py) and learns a code in which they agree; what else keeps the code
from collapsing to one point is the difference between them, and stands in their files. Their study on disentanglement
is Cao et al., "An empirical study on disentanglement of negative-free contrastive learning", NeurIPS 2022,
arXiv:2206.04756. Facts of the `study` preset are from a later repository of the same laboratory (its file name: batch
512, 64 numbers, GroupNorm, crops from 1.0, jitter 0.6 with probability 0.8, grey 0.5, rate 0.03). Inferred by us:
ResNet-18, SGD with momentum 0.9 and weight decay 4e-4, and that a jitter of 0.6 means 0.6 of SimCLR's strengths.
"""

import copy
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from math import cos, pi
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave import progress
from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Loss, Player, PreviewImages, Previewing
from unweave.models.backbone import Backbone, backbone
from unweave.models.encoder import Norm
from unweave.models.foundation import Foundation
from unweave.models.gathered import BatchNorm, processes, rank
from unweave.models.views import RandomViews, changing, random_views, view
from unweave.tensors import Images, Scalar, Units

Codes = Float[Tensor, "batch dim"]

STUDY_VIEWS: dict[str, Any] = {
    "jitter": 0.8, "brightness": 0.48, "contrast": 0.48, "saturation": 0.48, "hue": 0.12, "grey": 0.5,
}  # fmt: skip
GREY_VIEWS: dict[str, Any] = {"crop": 0.6, "shift": 0.1, "blur": 0.5, "noise": 0.05}
"""Ours: the study's list does nothing to grey images."""
LAPTOP_VIEWS: dict[str, Any] = {
    "jitter": 0.8, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.5, "grey": 0.3,
    "crop": 0.8, "noise": 0.05,
}  # fmt: skip
"""Ours: colours go, and where things are stays to within a small crop."""


class ContrastiveSettings(NamedSettings):
    """Defaults are the `study` preset's."""

    units: int = Field(64, ge=2, description="numbers of the backbone's output")
    backbone: Backbone = Field("resnet18", description="'resnet18' with a 3 x 3 stem, or 'small': four convolutions")
    norm: Norm = Field("group", description="norm of the backbone: 'group', or 'batch', over all processes")
    code: str = Field("backbone", pattern="^(backbone|projector)$", description="the code: 'backbone' or 'projector'")
    hidden: int = Field(512, ge=1, description="width of the hidden layers of projector and predictor")
    outputs: int = Field(128, ge=2, description="numbers of the projector's output")
    views: RandomViews = Field(
        RandomViews.model_validate(STUDY_VIEWS), description="what the code is taught to ignore (method.views.grey=0)"
    )


class Contrastive(Previewing):
    """Two views of every image go through `backbone` and `projector`; `objective` says in what they shall agree."""

    def __init__(self, settings: ContrastiveSettings, foundation: Foundation, head: nn.Module) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = backbone(settings.backbone, foundation.shape, settings.units, settings.norm)
        self.projector = head

    @abstractmethod
    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        """The loss of two views of the images of a batch."""

    def players(self) -> list[Player]:
        trained = [weight for weight in self.parameters() if weight.requires_grad]
        return [Player(self.settings.name, self, trained, piece=self.piece())]

    def piece(self) -> int:
        """Images without which the objective has no value, where those are more than two."""
        return 0

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        first, second = self.views(batch)
        return self.objective(first, second, batch)

    def views(self, batch: Batch) -> list[Images]:
        """Two views of each image, drawn from (seed of the run, images seen): a resumed run sees the same ones."""
        return random_views(batch.images, self.settings.views, generator(batch), (rank(), processes()))

    def project(self, images: Images) -> Codes:
        """The projector's output, in which losses are."""
        return self.projector(self.backbone(images)).float()

    def encode(self, images: Images) -> Units:
        with torch.autocast(images.device.type, enabled=False):
            features = self.backbone(images)
            return (features if self.settings.code == "backbone" else self.projector(features)).unsqueeze(2)

    def preview(self, images: Images, rng: torch.Generator) -> Mapping[str, PreviewImages]:
        views = {f"view {i}": view(images, self.settings.views, rng) for i in range(1, 5)}
        return {"image": images, **views}


def generator(batch: Batch) -> torch.Generator:
    """A generator of the CPU that is a function of the run's seed and the images seen."""
    return torch.Generator().manual_seed(batch.seed * 1_000_003 + batch.seen)


# networks


def projector(settings: ContrastiveSettings, layers: int = 2, ends_in_norm: bool = False) -> nn.Module:
    """Linear layers from `units` over `hidden` to `outputs`, BatchNorm and ReLU between them.

    Where it `ends_in_norm` the output is batch-normalised too, without weights.
    """
    return perceptron(settings.units, settings.hidden, settings.outputs, layers, ends_in_norm)


def predictor(settings: ContrastiveSettings, hidden: int) -> nn.Module:
    """From one projection to the other: two linear layers of equal ends, BatchNorm and ReLU between them."""
    return perceptron(settings.outputs, hidden, settings.outputs, 2)


def perceptron(inputs: int, hidden: int, outputs: int, layers: int, ends_in_norm: bool = False) -> nn.Module:
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(inputs, hidden, bias=False), BatchNorm(hidden), nn.ReLU()]
        inputs = hidden
    last = [nn.Linear(inputs, outputs, bias=not ends_in_norm)]
    return nn.Sequential(*parts, *last, *([BatchNorm(outputs, affine=False)] if ends_in_norm else []))


def target(*networks: nn.Module) -> nn.Module:
    """A copy of networks that no gradient reaches, in a row; `follow` moves it."""
    copied = nn.Sequential(*(copy.deepcopy(network) for network in networks))
    return copied.requires_grad_(False)


@torch.no_grad()
def follow(slow: nn.Module, networks: Iterable[nn.Module], decay: float) -> None:
    """slow <- decay slow + (1 - decay) network, weight by weight.

    Called where a step begins: before the first one both are equal, and each later call comes after one step.
    """
    online = [weight for network in networks for weight in network.parameters()]
    for weight, of in zip(slow.parameters(), online):
        weight.lerp_(of, 1 - decay)


def rising(begin: float, end: float, batch: Batch) -> float:
    """From begin to end along half a cosine over the budget (begin, where that is not known)."""
    done = min(1.0, batch.seen / batch.budget) if batch.budget else 0.0
    return end - (end - begin) * (cos(pi * done) + 1) / 2


# terms


def unit_length(codes: Codes) -> Codes:
    return functional.normalize(codes.float(), dim=1)


def cosine(first: Codes, second: Codes) -> Scalar:
    """The mean cosine of the angle between rows."""
    return (unit_length(first) * unit_length(second)).sum(1).mean()


# what cannot be trained


def check(settings: ContrastiveSettings, foundation: Foundation, batch: int, images: int) -> None:
    """Raises SettingsError, before training, for views that change nothing and batches without statistics."""
    views, channels = settings.views, foundation.shape[0]
    if views.crop > 1:
        raise SettingsError(
            f"method.views.crop={views.crop:g} is larger than the image: it is the smallest share of the area that a "
            "crop keeps, above 0 and at most 1, where 1 crops nothing."
        )
    names = changing(views, channels)
    if not names:
        grey = " (nor do colours change images of one channel)" if channels != 3 else ""
        raise SettingsError(
            f"method.views changes nothing{grey}: both views of an image would be the same, and nothing is learnt. Set "
            "one, such as method.views.shift=0.1 method.views.noise=0.05, or preset=study-grey."
        )
    skipped = [name for name in changing(views, 3) if name not in names]
    if skipped:
        progress.message(
            f"images of {channels} channel have no colour: {', '.join(skipped)} of method.views are skipped"
        )
    if batch < 2:
        raise SettingsError(
            f"{settings.name} compares the images of a batch: training.batch must be 2 or more, got {batch}."
        )


# presets

LAPTOP_TRAINING: dict[str, Any] = {
    "images": 200_000, "batch": 128, "rate": 1e-3, "weight_decay": 1e-4, "warmup": 5_000, "decay": "cosine",
    "precision": "float32",
}  # fmt: skip
STUDY_TRAINING: dict[str, Any] = {
    "images": 20_000_000, "batch": 512, "optimiser": "sgd", "rate": 0.03, "weight_decay": 4e-4,
}  # fmt: skip
PUBLISHED_TRAINING: dict[str, Any] = {
    "images": 50_000_000, "batch": 256, "warmup": 500_000, "decay": "cosine", "precision": "float32",
}  # fmt: skip
"""1,000 epochs of 50,000 images, ten of them warm-up."""
CIFAR_VIEWS: dict[str, Any] = {
    "crop": 0.08, "flip": 0.5, "jitter": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1,
    "grey": 0.2,
}  # fmt: skip
"""Crops, flips and jitter of solo-learn's recipes for CIFAR."""


def presets(
    laptop: Mapping[str, Any], published: Mapping[str, Any], training: Mapping[str, Any], views: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, Any]]]:
    """`laptop` and `published` settings of one learner, and what the study's are for all.

    `published` are solo-learn's recipes for CIFAR, whose scripts state heads, rates, views and budget.
    """
    small = {"backbone": "small", "hidden": 256, "outputs": 64}
    large = {"backbone": "resnet18", "norm": "batch", "units": 512, "views": {**CIFAR_VIEWS, **views}}
    return {
        "laptop": {
            "method": {**small, "views": LAPTOP_VIEWS, **laptop}, "data": {"size": 32}, "training": LAPTOP_TRAINING,
        },
        "study": {"method": {}, "data": {"size": 64}, "training": STUDY_TRAINING},
        "study-grey": {"method": {"views": GREY_VIEWS}, "data": {"size": 64}, "training": STUDY_TRAINING},
        "published": {
            "method": {**large, **published}, "data": {"size": 32}, "training": {**PUBLISHED_TRAINING, **training},
        },
    }  # fmt: skip
