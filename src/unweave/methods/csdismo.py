"""C-S DisMo: content and style without labels, from a code for every image.

Ren, Yang, Wang, Zeng, "Rethinking Content and Style: Exploring Bias for Unsupervised Disentanglement", ICCV Workshops
2021, arXiv:2102.10544, built on latent optimisation: LORD (Gabbay & Hoshen, arXiv:1906.11796).

The paper's: codes of single images as parameters; content embeddings that share one distribution, which an affine map
made from the style customises, in one place or at several; a loss on the distribution of content, one that tells images
apart, and encoders for new pictures. Ours, for there is no public code and the text does not give them: the forms and
weights of both losses, all sizes, noise and schedules, and squared error of pixels instead of VGG features (published
descendants of LORD do so on such sets: ZeroDIM, Gabbay et al. 2021), unless `perceptual` and `features` name others.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Loss, MethodDefinition, Player
from unweave.methods._content_style import RATE, Content, ContentStyle, Style, check_bytes, noisy
from unweave.models import vae
from unweave.models.foundation import Foundation
from unweave.models.perception import frozen_extractor, perceptual_distance
from unweave.models.row_shards import lookup, mean_and_deviation
from unweave.models.style_generator import StyleGenerator
from unweave.tensors import Scalar

CITATION = """@inproceedings{ren2021rethinking,
  title     = {Rethinking Content and Style: Exploring Bias for Unsupervised Disentanglement},
  author    = {Ren, Xuanchi and Yang, Tao and Wang, Yuwang and Zeng, Wenjun},
  booktitle = {International Conference on Computer Vision Workshops},
  year      = {2021},
  note      = {arXiv:2102.10544}
}"""


class CSDisMoSettings(NamedSettings):
    """Defaults are those of the preset `laptop`, ours."""

    name: Literal["csdismo"] = "csdismo"
    content: int = Field(
        12,
        ge=1,
        description="numbers of the content of an image; with room for more than should be content, it keeps more",
    )
    style: int = Field(12, ge=1, description="numbers of its style")
    module: Literal["single", "multiple", "concatenation"] = Field(
        "multiple",
        description="where style scales and shifts content: before the generator, or on each of its levels; "
        "'concatenation' is the control, without normalisation and affine map",
    )
    width: int = Field(32, ge=4, description="channels of the generator")
    content_noise: float = Field(1.0, ge=0, description="deviation of the noise on content in training")
    style_noise: float = Field(0.5, ge=0, description="the same of style")
    distribution: float = Field(0.01, ge=0, description="weight of the loss on the distribution of content")
    discrimination: float = Field(0.001, ge=0, description="weight of telling images apart by their codes")
    decay: float = Field(0.001, ge=0, description="weight of the mean square of style codes")
    perceptual: float = Field(0.0, ge=0, description="weight of the error of features, beside that of pixels")
    features: str = Field("gradients", description="'gradients', or one of the entry points unweave.features")
    encoding: float = Field(1.0, ge=0, description="weight of the encoders' error on the codes")
    encoders_after: int = Field(
        300_000, ge=0, description="images before the encoders' codes take the place of the table's in the generator"
    )

    @model_validator(mode="after")
    def _fits(self) -> "CSDisMoSettings":
        check_bytes(self.content, self.style)
        return self


TRAINING = {"batch": 64, "rate": 1e-3, "weight_decay": 0.0, "precision": "float32", "decay": "cosine"}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {
        "method": {
            "content": 64, "style": 16, "content_noise": 0.3, "style_noise": 0.3,
            "width": 256, "encoders_after": 1_600_000,
        },
        "data": {"size": 64},
        "training": {**TRAINING, "images": 3_200_000, "rate": 3e-4, "betas": (0.5, 0.999)},
    },
    "laptop": {"data": {"size": 32}, "training": {**TRAINING, "images": 400_000, "betas": (0.5, 0.999)}},
}  # fmt: skip
"""`paper` has the generator, optimiser and budget of LORD on Cars3D; `laptop` is for 32 px. Its codes are about as wide
as what they should carry; those of `paper` have room for everything in the content."""


class CSDisMo(ContentStyle):
    """Loss: L_image + w_C L_C + w_ID L_ID + w_s mean s² + w_E L_E, with a content c and a style s of every image.

    - L_image: mean squared error of G(c + noise, s + noise) in pixels of [-1, 1], and `perceptual` times that of
      `features`, which are not trained
    - c is a row of the table, normalised per number to mean 0 and variance 1 over the data set: all images share this
      distribution, and the map that s makes customises it (`StyleGenerator`)
    - L_C = `distribution` of the contents of the batch; L_ID = `discrimination` of both codes
    - L_E: mean squared error of the encoders' codes. After `encoders_after` images these take the place of the table's
      in L_image; the table gets no gradient from there on, and stops as the optimiser's momentum runs out

    Codes begin near 0 (deviation 0.1), as LORD's do, so that they go where the generator needs them; from variance 1 it
    learns the random ones by heart (benchmarks/records/csdismo.md).

    Deviations: encoders learn from the beginning, on codes that they do not change, where LORD's are a second stage.
    """

    def __init__(
        self,
        settings: CSDisMoSettings,
        rows: int,
        generator: nn.Module,
        content_encoder: nn.Module,
        style_encoder: nn.Module,
    ) -> None:
        """`rows` is the number of images that have a code, `generator` takes content and style."""
        super().__init__(settings.content, settings.style, generator, content_encoder, style_encoder)
        self.settings = settings
        self.features = frozen_extractor(settings.features)
        self.table = nn.Parameter(0.1 * torch.randn(rows, settings.content + settings.style) / RATE)
        self.tables = {"table": rows}

    def players(self) -> list[Player]:
        return [Player("csdismo", self, [p for p in self.parameters() if p.requires_grad])]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s, images = self.settings, batch.images
        c, style = self.codes(batch)
        found_c, found_style = self.encoded(images)
        latent = batch.seen < s.encoders_after
        used_c, used_style = (c, style) if latent else (found_c, found_style)
        made = self.generator(noisy(used_c, s.content_noise, rng), noisy(used_style, s.style_noise, rng)).float()
        terms = {
            "image": (made - images).square().mean(),
            "distribution": distribution(c),
            "discrimination": discrimination(c, s.content_noise, rng) + discrimination(style, s.style_noise, rng),
            "style": style.square().mean(),
            "encoding": (found_c - c.detach()).square().mean() + (found_style - style.detach()).square().mean(),
        }
        error = terms["image"]
        if s.perceptual > 0:
            terms["features"] = perceptual_distance(self.features, made, images, functional.mse_loss)
            error = error + s.perceptual * terms["features"]
        own = s.distribution * terms["distribution"] + s.discrimination * terms["discrimination"]
        own = (own + s.decay * terms["style"]) * float(latent)  # afterwards the table gets no gradient
        return Loss(error + own + s.encoding * terms["encoding"], terms)

    def codes(self, batch: Batch) -> tuple[Content, Style]:
        """The table's codes of a batch; content is normalised over the data set, but for the control."""
        rows = self.tables["table"]
        content, style = (RATE * lookup(self.table, rows, batch.index)).split(self.widths, dim=1)
        if self.settings.module == "concatenation":
            return content, style
        mean, deviation = mean_and_deviation(RATE * self.table[:, : self.settings.content], rows)
        return (content - mean) / deviation.clamp(min=1e-3), style


def distribution(content: Content) -> Scalar:
    """How far the moments of a batch of contents are from those of N(0, I): mean over numbers of mean² + (variance -
    1)², and mean over pairs of numbers of their covariance²."""
    centred = content - content.mean(0)
    covariance = centred.T @ centred / len(content)
    diagonal = covariance.diagonal()
    off = covariance.square().sum() - diagonal.square().sum()
    pairs = max(1, len(covariance) * (len(covariance) - 1))
    return (content.mean(0).square() + (diagonal - 1).square()).mean() + off / pairs


def discrimination(code: Float[Tensor, "_ _"], deviation: float, rng: torch.Generator) -> Scalar:
    """-log of the probability of the right image among those of the batch, from its code with noise: softmax of
    -|noisy - code|² / (2 deviation²), the likelihood of each (deviation at least 0.1)."""
    distances = torch.cdist(noisy(code, deviation, rng), code).square()
    truth = torch.arange(len(code), device=code.device)
    return functional.cross_entropy(-distances / (2 * max(deviation, 0.1) ** 2), truth)


def build(settings: CSDisMoSettings, foundation: Foundation) -> CSDisMo:
    """With LORD's generator and the encoders of the VAE sweep. Raises SettingsError for fewer than two images."""
    if foundation.rows < 2:
        raise SettingsError(
            f"content is what images share, and the set has {foundation.rows}: csdismo needs at least 2 images."
        )
    generator = StyleGenerator(foundation.shape, settings.content, settings.style, settings.width, settings.module)
    encoders = [vae.encoder(foundation.shape, width) for width in (settings.content, settings.style)]
    return CSDisMo(settings, foundation.rows, generator, *encoders)


METHOD = MethodDefinition(settings=CSDisMoSettings, build=build, presets=PRESETS, citation=CITATION)
