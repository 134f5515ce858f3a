"""What an edit gives: the edited images and a labelled figure. Nothing is written unless somebody saves it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from unweave.figures.grid import ImageRow, grid
from unweave.figures.save import save_picture
from unweave.figures.traversal import TraversalFrames, save_gif


class FigureLabels(NamedTuple):
    """The names of the figure's rows and of its columns (or tiles); a figure of tiles has no rows."""

    rows: Sequence[str]
    columns: Sequence[str]


@dataclass(frozen=True, eq=False, repr=False)
class Edit:
    """Edited images in [-1, 1], or maps; every verb says of what shape. A notebook shows the figure."""

    images: Float[Tensor, "..."]
    labels: FigureLabels
    draw: Callable[[], Image.Image]  # the figure; holds tensors of images, and no model
    film: TraversalFrames | None = None  # what a GIF plays: frames for each row of the figure
    rebuilt: Float[Tensor, "..."] | None = None  # what each image is without its edits, where edits are of one each

    def __repr__(self) -> str:
        return f"Edit(images of shape {tuple(self.images.shape)}, labels={self.labels})"

    def figure(self) -> Image.Image:
        """The labelled figure, drawn when it is first asked for."""
        return self._figure

    @cached_property
    def _figure(self) -> Image.Image:
        return self.draw()

    def save(self, path: Path | str, overwrite: bool = False) -> Path:
        """Write the figure in the format of the path's ending; a traversal to .gif as an endless film.

        Raises FileExistsError unless `overwrite`, ValueError for an ending that is no format for pictures.
        """
        if self.film is not None and Path(path).suffix.lower() == ".gif":
            return save_gif(self.film, path, units=list(self.labels.rows), overwrite=overwrite)
        return save_picture(self.figure(), path, overwrite=overwrite)

    def _repr_png_(self) -> bytes:
        content = BytesIO()
        self.figure().save(content, "PNG")
        return content.getvalue()


def grid_edit(
    images: Float[Tensor, "..."], cells: Sequence[ImageRow], rows: Sequence[str], columns: Sequence[str], title: str
) -> Edit:
    """An edit whose figure is a grid: `cells` has the images of each row."""
    return Edit(images, FigureLabels(rows, columns), lambda: grid(cells, rows or None, columns, title=title))
