"""A generator whose content is scaled and shifted by a style, before it or on each of its levels.

Gabbay & Hoshen (LORD), arXiv:1906.11796: content is spread over a 4 x 4 map, and after each doubling of the side the
style renews mean and deviation of every channel (AdaIN, Huang & Belongie, arXiv:1703.06868).
"""

from typing import Literal

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, cat, nn
from torch.nn import functional

from unweave.tensors import Images

StyleModule = Literal["single", "multiple", "concatenation"]


class StyleGenerator(nn.Module):
    """Images from content and style.

    'single': z = A(s) c + B(s) is all that the layers see; 'multiple': they see c, and s by AdaIN on every level;
    'concatenation': they see c and s side by side. Leaky ReLU throughout; the last layer is a tanh.
    """

    def __init__(self, shape: tuple[int, int, int], content: int, style: int, width: int, module: StyleModule) -> None:
        super().__init__()
        channels, height, width_of_image = shape
        levels = halvings(height, width_of_image)
        self.coarse = (height >> levels, width_of_image >> levels)
        self.module = module
        inputs = content + style if module == "concatenation" else content
        self.into = nn.Sequential(
            *(nn.Linear(inputs, 256), nn.LeakyReLU(0.2)),
            *(nn.Linear(256, width * self.coarse[0] * self.coarse[1]), nn.LeakyReLU(0.2)),
        )
        self.levels = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(levels))
        affine = {"single": [content], "multiple": [width] * levels, "concatenation": []}[module]
        self.affine = nn.ModuleList(nn.Linear(style, 2 * outputs) for outputs in affine)
        self.out = nn.Conv2d(width, channels, 5, 1, 2)

    def forward(self, content: Float[Tensor, "batch content"], style: Float[Tensor, "batch style"]) -> Images:
        if self.module == "single":
            scale, shift = self.affine[0](style).chunk(2, dim=1)
            content = (1 + scale) * content + shift
        inputs = cat([content, style], 1) if self.module == "concatenation" else content
        rows, columns = self.coarse
        x = rearrange(self.into(inputs), "b (c h w) -> b c h w", h=rows, w=columns)
        for i, convolution in enumerate(self.levels):
            x = functional.leaky_relu(convolution(functional.interpolate(x, scale_factor=2)), 0.2)
            if self.module == "multiple":
                x = adain(x, self.affine[i](style))
        return self.out(x).tanh()


def adain(x: Float[Tensor, "_ _ _ _"], style: Float[Tensor, "_ _"]) -> Float[Tensor, "_ _ _ _"]:
    """Each channel of each image with mean 0 and deviation 1, then scaled by 1 + the first half of `style` and shifted
    by the second."""
    scale, shift = style[:, :, None, None].chunk(2, dim=1)
    return functional.instance_norm(x) * (1 + scale) + shift


def halvings(height: int, width: int) -> int:
    """How often both sides halve until one is 4. Raises ValueError where that is never or not at all."""
    levels = 0
    while min(height, width) >> levels > 4 and not (height >> levels) % 2 and not (width >> levels) % 2:
        levels += 1
    if min(height, width) >> levels > 7 or levels == 0:
        raise ValueError(
            f"the generator begins at 4 to 7 pixels and doubles: sides must halve to that, got {height} x {width}; "
            "set data.size to a multiple of 16."
        )
    return levels
