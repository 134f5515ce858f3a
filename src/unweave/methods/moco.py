"""MoCo v2: the other view of an image is told from a queue of earlier images, whose codes a slow copy made.

He et al., "Momentum contrast for unsupervised visual representation learning", CVPR 2020, arXiv:1911.05722, with the
projector of Chen et al., "Improved baselines with momentum contrastive learning", arXiv:2003.04297.
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from unweave.config import SettingsError
from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods import _contrastive
from unweave.methods._contrastive import (
    Codes,
    Contrastive,
    ContrastiveSettings,
    cosine,
    follow,
    presets,
    projector,
    rising,
    target,
    unit_length,
)
from unweave.models.foundation import Foundation
from unweave.models.gathered import gather
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{he2020momentum,
  title     = {Momentum Contrast for Unsupervised Visual Representation Learning},
  author    = {He, Kaiming and Fan, Haoqi and Wu, Yuxin and Xie, Saining and Girshick, Ross},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year      = {2020},
  note      = {MoCo v2: Chen et al., arXiv:2003.04297}
}"""


Queue = Float[Tensor, "earlier dim"]


class MoCoSettings(ContrastiveSettings):
    name: Literal["moco"] = "moco"
    temperature: float = Field(0.2, gt=0, description="tau")
    queue: int = Field(4096, ge=1, description="earlier keys that are kept as negatives; a multiple of the batch")
    decay: float = Field(0.99, ge=0, le=1, description="of the moving target at the start")
    decay_end: float = Field(0.999, ge=0, le=1, description="at the end of the budget, along a cosine")
    negatives: bool = Field(True, description="false: views of one image attract, none repel, and the code collapses")


PRESETS = presets(
    laptop={"queue": 2048},
    published={"hidden": 2048, "outputs": 256, "queue": 32_768},
    training={"optimiser": "sgd", "rate": 0.3, "weight_decay": 1e-4},
    views={"contrast": 0.4, "saturation": 0.4, "blur": 0.5},
)


class MoCo(Contrastive):
    """Loss: the cross-entropy of the key of the other view among the queue, InfoNCE (Eq. 1 of arXiv:1911.05722).

    Queries are of view 1, keys of view 2 by the moving target (Eq. 2). The queue is a part of the checkpoint; it takes
    in the keys of all processes after they were used. Deviations: batch statistics are those of all processes, where
    the paper shuffles images between them, so that a query cannot be told by its batch; the target's decay may rise.
    """

    settings: MoCoSettings

    def __init__(self, settings: MoCoSettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings))
        self.target = target(self.backbone, self.projector)
        self.queue: Tensor
        self.oldest: Tensor
        self.register_buffer("queue", unit_length(torch.randn(settings.queue, settings.outputs)))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.long))

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        s = self.settings
        follow(self.target, (self.backbone, self.projector), rising(s.decay, s.decay_end, batch))
        queries = self.project(first)
        with torch.no_grad():
            keys = self.target(second).float()
        if s.negatives:
            loss = info_nce(queries, keys, self.queue.clone(), s.temperature)
        else:
            loss = -cosine(queries, keys) / s.temperature
        self.enqueue(keys)
        return Loss(loss, {"cross_entropy": loss})

    @torch.no_grad()
    def enqueue(self, keys: Codes) -> None:
        """The keys of all processes take the place of the oldest."""
        new = unit_length(gather(keys))[-len(self.queue) :]
        places = (self.oldest + torch.arange(len(new), device=new.device)) % len(self.queue)
        self.queue[places] = new
        self.oldest.copy_((self.oldest + len(new)) % len(self.queue))


def info_nce(queries: Codes, keys: Codes, queue: Queue, temperature: float) -> Scalar:
    """-log exp(q k / tau) / (exp(q k / tau) + sum over the queue), vectors of unit length, mean over the batch."""
    q, k = unit_length(queries), unit_length(keys)
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], 1) / temperature
    return functional.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))


def check(settings: MoCoSettings, foundation: Foundation, batch: int, images: int) -> None:
    """As for all learners, and a queue must hold the keys of a step."""
    _contrastive.check(settings, foundation, batch, images)
    if settings.queue < batch:
        raise SettingsError(
            f"method.queue={settings.queue} does not hold the keys of one step: "
            f"set it to training.batch={batch} or more."
        )


def build(settings: MoCoSettings, foundation: Foundation) -> MoCo:
    return MoCo(settings, foundation)


METHOD = MethodDefinition(settings=MoCoSettings, build=build, presets=PRESETS, citation=CITATION, check=check)
