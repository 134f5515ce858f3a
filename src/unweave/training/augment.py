"""Views that must not change the units (`training.augment`): images are flipped, turned, shifted while one trains.

Each image is drawn as one view, and encoded as another: a code that told one from the other would help nothing. So what
the views change, the units lose; and of few images there are many, which are not learned by heart.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import pi

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unweave import registry
from unweave.config import SettingsError
from unweave.method import Batch, find_method
from unweave.runs.settings import RunSettings, ViewName
from unweave.tensors import Images

SHIFT = 1 / 8
"""The largest shift, as a share of each side."""


def check_augment(settings: RunSettings) -> None:
    """Raises SettingsError where views are asked for that the method does not take."""
    name = settings.method.name
    if not settings.training.augment or find_method(name).takes_views:
        return
    if "views" in type(settings.method).model_fields:
        raise SettingsError(
            f"{name} compares views of its own: set method.views (method.views.flip=0.5, method.views.shift=0.1) in "
            "place of training.augment."
        )
    others = ", ".join(other for other in registry.names("methods") if find_method(other).takes_views)
    raise SettingsError(
        f"training.augment={','.join(settings.training.augment)}: {name} does not encode a view of one image at a "
        f"time, so its units cannot be kept from telling views apart. These methods can: {others}."
    )


Chances = Float[Tensor, "batch chance"]
"""Four numbers in [0, 1) of each image: of its flip, its angle, and its shift along x and along y."""


def augmented(
    batches: Iterable[Batch], views: Sequence[ViewName], batch_size: int, share: tuple[int, int] = (0, 1)
) -> Iterator[Batch]:
    """Each batch with a view of every image in its place and another one to encode; without any views as it is.

    Views are drawn from (seed of the run, images seen), so that a resumed run sees the same ones, and for the whole
    batch, of which `share` (process, processes) is this process's part: of `batch_size` images, or of those that are
    left of the budget.
    """
    process, processes = share
    for batch in batches:
        if views:
            whole = min(batch_size, batch.budget - batch.seen) if batch.budget else batch_size
            part = slice(process * whole // processes, (process + 1) * whole // processes)
            drawn, encoded = (view_of(batch.images, views, _chances(batch, side, whole)[part]) for side in (0, 1))
            batch = replace(batch, images=drawn, views=encoded)
        yield batch


def view_of(images: Images, views: Sequence[ViewName], chance: Chances) -> Images:
    """A view of each image, in [-1, 1]: mirrored left to right or not, turned by any angle, shifted by whole pixels up
    to an eighth of a side; beyond its border an image is mirrored.
    """
    height, width = images.shape[2:]
    sides = torch.tensor([width, height])
    flip = torch.where(chance[:, 0] < 0.5, -1.0, 1.0) if "flip" in views else torch.ones(len(images))
    angle = 2 * pi * chance[:, 1] if "rotate" in views else torch.zeros(len(images))
    reach = (SHIFT * sides).floor()
    pixels = ((2 * chance[:, 2:] - 1) * (reach + 0.5)).round().clamp(-reach, reach)
    shift = 2 * pixels / sides if "shift" in views else torch.zeros(len(images), 2)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([flip * cos, -sin * height / width, shift[:, 0]], 1),
        torch.stack([flip * sin * width / height, cos, shift[:, 1]], 1),
    ]
    with torch.autocast(images.device.type, enabled=False):
        grid = functional.affine_grid(torch.stack(rows, 1).to(images.device), list(images.shape), align_corners=False)
        moved = functional.grid_sample(images.float(), grid, "bicubic", "reflection", align_corners=False)
    return moved.clamp(-1, 1)


def _chances(batch: Batch, side: int, count: int) -> Chances:
    """Of one of the two views of so many images: a function of the run's seed and the images seen."""
    words = np.random.SeedSequence([batch.seed, batch.seen, side]).generate_state(1)
    return torch.rand(count, 4, generator=torch.Generator().manual_seed(int(words[0])))
