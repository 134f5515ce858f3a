"""The diffusion process that a method holds: one noise schedule, and what the network predicts."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unweave.method import Sampling
from unweave.models.diffusion import sampling as samplers
from unweave.models.diffusion.noising import add_noise, alphas_bar, clipped, uniform_times
from unweave.models.diffusion.sampling import Predict
from unweave.tensors import Images, Times


class Process(nn.Module):
    """Noising, sampling and inversion under one configuration of diffusers' schedulers.

    It has no weights and nothing of it is in a checkpoint: it is a module so that abar moves with the one that holds
    it. With `trailing` samplers begin at 999 (see `sampling.sample`). Everything random is drawn where its generator
    is, and then moved.
    """

    def __init__(self, config: Mapping[str, Any], trailing: bool = False) -> None:
        super().__init__()
        self.config = dict(config)
        self.trailing = trailing
        self.abar: Float[Tensor, "time"]
        self.register_buffer("abar", alphas_bar(config), persistent=False)

    @property
    def prediction_type(self) -> str:
        """What the network predicts, as diffusers calls it: epsilon, sample or v_prediction."""
        return str(self.config["prediction_type"])

    def noised(self, x0: Images, rng: torch.Generator, first: int = 0) -> tuple[Times, Images, Images]:
        """t, eps and x_t of each image, t uniform over first .. 999."""
        t = uniform_times(len(x0), rng, x0.device, first)
        eps = torch.randn(x0.shape, generator=rng, device=rng.device).to(x0.device)
        return t, eps, add_noise(x0, eps, self.abar[t])

    def start(self, shape: tuple[int, int, int, int], rng: torch.Generator) -> Images:
        """x_T: noise alone."""
        return torch.randn(shape, generator=rng, device=rng.device).to(self.abar.device)

    def sample(
        self, predict: Predict, x_T: Images, sampling: Sampling, rng: torch.Generator | None = None, first: int = 0
    ) -> Images:
        """Images from x_T (`sampling.sample`)."""
        return samplers.sample(predict, x_T, self.config, sampling, rng, first, self.trailing)

    def invert(self, predict: Predict, images: Images, sampling: Sampling, first: int = 0) -> Images:
        """The x_T from which `sample` comes back to the images (`sampling.invert`)."""
        return samplers.invert(predict, images, self.config, sampling, first, self.trailing)

    def clipping(self, predict: Predict) -> Predict:
        """A prediction of the noise, changed so that the x_0 it implies stays in [-1, 1]."""

        def clipped_predict(x_t: Images, t: Tensor) -> Images:
            abar = self.abar[t.to(x_t.device).expand(x_t.shape[0])]
            return clipped(predict(x_t, t), x_t, abar)

        return clipped_predict
