"""PDAE: a frozen diffusion model becomes an autoencoder by a code that fills the gap in its posterior mean.

Zhang, Zhao, Lin, "Unsupervised representation learning from pre-trained diffusion probabilistic models",
NeurIPS 2022, arXiv:2212.12990. Stands on an unconditional denoiser (foundation.denoiser), of pixels as published.
"""

from typing import Any

from unweave.methods import _guided
from unweave.models.foundation import Foundation

CITATION = """@inproceedings{zhang2022pdae,
  title     = {Unsupervised Representation Learning from Pre-trained Diffusion Probabilistic Models},
  author    = {Zhang, Zijian and Zhao, Zhou and Lin, Zhijie},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2022},
  note      = {arXiv:2212.12990}
}"""

SCORED = "averaged"


class Settings(_guided.Settings):
    """All of them are `guidance.Settings`."""


PRESETS: dict[str, dict[str, dict[str, Any]]] = _guided.presets()


class PDAE(_guided.Guided):
    """Loss: mean of lambda_t (eps - (eps_0 + s_t G(x_t, t, z)))² (see `guidance.Guided`); z is seen at all times."""

    def __init__(self, settings: Settings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, "PDAE")


extras: dict[str, Any] = {}


def build(settings: Settings, foundation: Foundation) -> PDAE:
    return PDAE(settings, foundation)
