"""PDAE: a frozen diffusion model becomes an autoencoder by a code that fills the gap in its posterior mean.

Zhang, Zhao, Lin, "Unsupervised representation learning from pre-trained diffusion probabilistic models",
NeurIPS 2022, arXiv:2212.12990. Stands on an unconditional denoiser (foundation.denoiser), of pixels as published. With
foundation.encoder.from=RUN it becomes the decoder of that run's codes.
"""

from collections.abc import Sequence
from typing import Any, Literal

from unweave.method import MethodDefinition, NamedGroups
from unweave.methods import _guided
from unweave.methods._guided import Code
from unweave.models.foundation import Foundation
from unweave.tensors import Times

CITATION = """@inproceedings{zhang2022pdae,
  title     = {Unsupervised Representation Learning from Pre-trained Diffusion Probabilistic Models},
  author    = {Zhang, Zijian and Zhao, Zhou and Lin, Zhijie},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2022},
  note      = {arXiv:2212.12990}
}"""


class PDAESettings(_guided.GuidedSettings):
    """Those of `_guided.GuidedSettings`, with the published defaults for 64 px."""

    name: Literal["pdae"] = "pdae"


PRESETS: dict[str, dict[str, dict[str, Any]]] = _guided.presets()


class NoMask(_guided.CodeMask):
    """The whole code is seen at all times."""

    def visible(self, code: Code, t: Times) -> Code:
        return code

    def training_codes(self, code: Code, t: Times) -> Sequence[Code]:
        return [code]


class PDAE(_guided.Guided):
    """Loss: mean of lambda_t (eps - (eps_0 + s_t G(x_t, t, z)))² (see `_guided.Guided`); z is seen at all times."""

    def __init__(self, settings: PDAESettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, "PDAE", NoMask())
        frozen = foundation.encoder
        self.unit_groups = frozen.unit_groups if frozen else NamedGroups({"code": range(settings.dim)})


def build(settings: PDAESettings, foundation: Foundation) -> PDAE:
    return PDAE(settings, foundation)


METHOD = MethodDefinition(
    settings=PDAESettings, build=build, presets=PRESETS, citation=CITATION, scored_weights="averaged", takes_views=True
)
