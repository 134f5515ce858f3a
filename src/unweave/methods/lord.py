"""LORD: content and class of images whose classes are given; the one method of the package that trains with labels.

Gabbay, Hoshen, "Demystifying Inter-Class Disentanglement", ICLR 2020, arXiv:1906.11796: a code for every image and one
for every class as parameters, then encoders for new pictures. It is here as the row with supervision beside C-S DisMo,
which stands on it, and every table says that it sees labels.

Deviations: squared error of pixels instead of VGG features, and smaller sizes; encoders learn from the
beginning, on codes that they do not change, where the paper's are a second stage.
"""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Loss, MethodDefinition, Player
from unweave.methods._content_style import RATE, ContentStyle, check_bytes, noisy
from unweave.methods.csdismo import PRESETS as CSDISMO_PRESETS
from unweave.methods.csdismo import TRAINING
from unweave.models import vae
from unweave.models.foundation import Foundation
from unweave.models.row_shards import lookup
from unweave.models.style_generator import StyleGenerator

CITATION = """@inproceedings{gabbay2020demystifying,
  title     = {Demystifying Inter-Class Disentanglement},
  author    = {Gabbay, Aviv and Hoshen, Yedid},
  booktitle = {International Conference on Learning Representations},
  year      = {2020},
  note      = {arXiv:1906.11796}
}"""


class LORDSettings(NamedSettings):
    """Defaults are those of the preset `laptop`, ours; the release has 128 and 256 numbers and noise of 1."""

    name: Literal["lord"] = "lord"
    labels: tuple[str, ...] = Field((), description="factors whose combinations are the classes; all, if none is named")
    content: int = Field(64, ge=1, description="numbers of the content of an image")
    style: int = Field(16, ge=1, description="numbers of the code of a class")
    width: int = Field(32, ge=4, description="channels of the generator")
    noise: float = Field(1.0, ge=0, description="deviation of the noise on content in training")
    decay: float = Field(0.001, ge=0, description="weight of the mean square of contents")
    encoding: float = Field(1.0, ge=0, description="weight of the encoders' error on the codes")
    encoders_after: int = Field(
        300_000, ge=0, description="images before the encoders' codes take the place of the table's in the generator"
    )


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {**CSDISMO_PRESETS["paper"], "method": {"width": 256, "encoders_after": 1_600_000}},
    "laptop": {"data": {"size": 32}, "training": {**TRAINING, "images": 400_000}},
}


class LORD(ContentStyle):
    """Loss: mean squared error of G(c + noise, s_y) + w mean c² + w_E L_E; c is of the image, s_y of its class y.

    The style of a new picture comes from its encoder, not its class.
    """

    def __init__(self, settings: LORDSettings, rows: int, classes: int, networks: tuple[nn.Module, ...]) -> None:
        """`networks` are the generator, and the encoders of content and style."""
        super().__init__(settings.content, settings.style, *networks)
        self.settings = settings
        self.contents = nn.Parameter(torch.empty(rows, settings.content).uniform_(-0.05, 0.05))
        self.styles = nn.Parameter(torch.empty(classes, settings.style).uniform_(-0.05, 0.05))
        self.tables = {"contents": rows}
        self.class_of_row: Tensor
        self.register_buffer("class_of_row", torch.zeros(rows, dtype=torch.int32))

    def players(self) -> list[Player]:
        return [Player("lord", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s, images = self.settings, batch.images
        content = RATE * lookup(self.contents, self.tables["contents"], batch.index)
        style = RATE * self.styles[self.class_of_row[batch.index].long()]
        found_content, found_style = self.encoded(images)
        latent = batch.seen < s.encoders_after
        used = (content, style) if latent else (found_content, found_style)
        made = self.generator(noisy(used[0], s.noise if latent else 0.0, rng), used[1]).float()
        terms = {
            "image": (made - images).square().mean(),
            "content": content.square().mean(),
            "encoding": (found_content - content.detach()).square().mean()
            + (found_style - style.detach()).square().mean(),
        }
        total = terms["image"] + s.decay * float(latent) * terms["content"] + s.encoding * terms["encoding"]
        return Loss(total + 0.0 * style.sum(), terms)  # that every parameter has a gradient, if of 0


def build(settings: LORDSettings, foundation: Foundation) -> LORD:
    """Raises SettingsError where no classes are known, or only one."""
    check_bytes(settings.content, settings.style)
    if foundation.class_count < 2:
        raise SettingsError(
            f"lord trains with the classes of images, and found {foundation.class_count}: name factors of the data set "
            "in method.labels, give data.labels, or put the images of each class into a folder of its own."
        )
    networks = (
        StyleGenerator(foundation.shape, settings.content, settings.style, settings.width, "multiple"),
        vae.encoder(foundation.shape, settings.content),
        vae.encoder(foundation.shape, settings.style),
    )
    lord = LORD(settings, foundation.rows, foundation.class_count, networks)
    if foundation.classes is not None:
        lord.class_of_row.copy_(foundation.classes)
    return lord


METHOD = MethodDefinition(
    settings=LORDSettings,
    build=build,
    presets=PRESETS,
    citation=CITATION,
    labels=lambda settings: settings.labels,
)
