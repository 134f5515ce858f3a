"""Features for perceptual losses: image gradients on several scales, or networks that other packages name."""

from collections.abc import Callable
from importlib.metadata import entry_points

import torch
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import SettingsError
from unweave.models.frozen import FrozenNetwork
from unweave.tensors import Images, Scalar

Extractor = Callable[[Images], list[Tensor]]
"""Images in [-1, 1] -> feature maps."""


def image_gradients() -> Extractor:
    """Differences of neighbouring pixels, and the pixels themselves at halves and quarters of the side."""
    return _image_gradients


def _image_gradients(images: Images) -> list[Tensor]:
    maps = []
    for scale in (1, 2, 4):
        small = functional.avg_pool2d(images, scale) if scale > 1 else images
        maps += [small.diff(dim=-1), small.diff(dim=-2)] + ([small] if scale > 1 else [])
    return maps


def extractors() -> dict[str, Callable[[], Extractor]]:
    """What makes an extractor, by name: ours, and the entry points of the group `unweave.features`.

    An entry point is a function without arguments; it gives a function (or a frozen network) from images to maps.
    """
    others = {point.name: point.load() for point in entry_points(group="unweave.features")}
    return {"gradients": image_gradients, **others}


class FrozenExtractor(nn.Module):
    """A network of features, as a function."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.frozen = FrozenNetwork(network)

    def forward(self, images: Images) -> list[Tensor]:
        return self.frozen.network(images)


def frozen_extractor(name: str) -> Extractor:
    """The features that this name has; a network is not trained with the method that asks for it, nor saved with it.

    Raises SettingsError for a name that is not there.
    """
    known = extractors()
    if name not in known:
        raise SettingsError(f"method.features: there is no {name!r}; there is: {', '.join(known)}.")
    extractor = known[name]()
    return FrozenExtractor(extractor) if isinstance(extractor, nn.Module) else extractor


def perceptual_distance(
    features: Extractor, rebuilt: Images, images: Images, distance: Callable[[Tensor, Tensor], Scalar]
) -> Scalar:
    """The mean over feature maps of their distance."""
    with torch.no_grad():
        target = features(images)
    return torch.stack([distance(a, b) for a, b in zip(features(rebuilt), target)]).mean()
