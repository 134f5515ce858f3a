"""A diffusion model seen from pictures: x_t -> the picture that is expected of it, and the way there and back."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unweave.models.diffusion.noising import STEPS, add_noise, clean_from
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict, walk
from unweave.tensors import Images


@dataclass(frozen=True, eq=False)
class PictureDenoiser:
    """What a method, or a frozen network, gives of its diffusion model; all that it is told besides x_t is fixed."""

    process: Process
    predict: Predict  # for a batch of any size, with a gradient for x_t
    encode: Callable[[Images], Tensor]  # pictures -> x_0
    decode: Callable[[Tensor], Images]  # x_0 -> pictures, with a gradient, not clipped
    shape: tuple[int, int, int]  # of x_t
    first: int = 0  # the network is not asked before this time

    def picture(self, x_t: Tensor, time: int) -> Images:
        """The x_0 that the network expects of x_t (the mean of its posterior), as a picture; not clipped."""
        abar = self.process.abar[time].expand(x_t.shape[0])
        output = self.predict(x_t, torch.tensor(time, device=x_t.device))
        return self.decode(clean_from(self.process.prediction_type, output, x_t, abar))

    def noised(self, images: Images, rng: torch.Generator, time: int, steps: int) -> Tensor:
        """The x_t from which `drawn` comes back to the pictures, by inverted DDIM.

        Where `first` is above 0 there is no way from a picture without noise that the network knows: x_t then has noise
        that the generator draws.
        """
        x0 = self.encode(images)
        if self.first:
            eps = torch.randn(x0.shape, generator=rng, device=rng.device).to(x0.device)
            return add_noise(x0, eps, self.process.abar[time].expand(x0.shape[0]))
        return walk(self.predict, x0, self.process.config, times_between(0, time, steps))

    def random(self, rng: torch.Generator, time: int, steps: int) -> Tensor:
        """The x_t of one picture that the generator draws."""
        x_T = self.process.start((1, *self.shape), rng)
        return walk(self.predict, x_T, self.process.config, times_between(STEPS - 1, time, steps))

    def drawn(self, x_t: Tensor, time: int, steps: int) -> Images:
        """The pictures that DDIM without noise makes of x_t, in [-1, 1]."""
        x = walk(self.predict, x_t, self.process.config, times_between(time, self.first, steps))
        return self.picture(x, self.first).clamp(-1, 1)


def times_between(begin: int, end: int, steps: int) -> list[int]:
    """Times from one to the other in `steps` equal steps, fewer where whole numbers are."""
    evenly = torch.linspace(begin, end, steps + 1, dtype=torch.float64).round().long()
    return list(dict.fromkeys(evenly.tolist()))
