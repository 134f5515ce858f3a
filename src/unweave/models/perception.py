"""Features for perceptual losses: image gradients on several scales, or networks that other packages name."""

from collections.abc import Callable
from importlib.metadata import entry_points

from torch import Tensor
from torch.nn import functional

from unweave.tensors import Images

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
