"""mpi3d: MPI3D (Gondal et al., 2019): a robot arm that holds an object; rendered (toy, realistic) or photographed.

Two releases lie about under the same names, and are told apart by their length: 1,036,800 images (6 colours and 6
shapes of objects) and the 460,800 images of the NeurIPS 2019 challenge (4 and 4).

64 x 64 RGB, a complete grid in the published order; `factor_sizes` say which release it is.

`build` raises SettingsError where the file is not found or is mpi3d_real_complex, ValueError where it is damaged or has
another length.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.factors import FactorGrid
from unweave.data.reading import published_arrays
from unweave.data.reading.image_source import ImageBlock, ImageSource, resize_source
from unweave.data.settings import PublishedSettings

NAMES = (
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
)
FINAL = FactorGrid(NAMES, (6, 6, 2, 3, 3, 40, 40))
CHALLENGE = FactorGrid(NAMES, (4, 4, 2, 3, 3, 40, 40))
GRIDS = (FINAL, CHALLENGE)
PAGE = "https://github.com/rr-learning/disentanglement_dataset"
FOLDERS = (
    "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/",
    "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data/",
)
KINDS: tuple[Literal["toy", "realistic", "real"], ...] = ("toy", "realistic", "real")

DOWNLOADS = tuple(
    RemoteFile(
        file=f"mpi3d_{kind}.npz", urls=tuple(f"{folder}mpi3d_{kind}.npz" for folder in FOLDERS), page=PAGE, kind=kind
    )
    for kind in KINDS
)
"""The first address is that of the publishers' page, the second from their answer in its issue 4 (2024)."""

CARD = Card(
    title="MPI3D",
    source=PAGE,
    licence="CC BY 4.0",
    citation=(
        "Gondal et al., On the Transfer of Inductive Bias from Simulation to the Real World: a New Disentanglement "
        "Dataset, NeurIPS 2019, arXiv:1906.03292"
    ),
    notes=(
        "A complete grid. Compare results on one kind and one release only: published tables mix up toy, real and "
        "mpi3d_real_complex, which is another set (460,800 photographs of a cup, a ball, a croissant ...; as many as "
        "the challenge's release) and which unweave does not read under this name. The axes are the two joints of the "
        "arm; the files hold no labels, so that the order of the rows cannot be checked."
    ),
)


class MPI3DSettings(PublishedSettings):
    name: Literal["mpi3d"] = "mpi3d"
    kind: Literal["toy", "realistic", "real"] = Field(
        default="toy", description="simple rendering, realistic rendering, or photographs"
    )


def files(settings: MPI3DSettings) -> list[Path]:
    kind = settings.kind
    names = [f"mpi3d_{kind}.npz"]
    if kind != "real":
        names.append(f"sim_{kind}_64x_ordered_without_heldout_factors.npz")
    path = find_file(settings.path, "mpi3d", names, (f"mpi3d_{kind}", f"mpi_{kind}"))
    if "complex" in path.name:
        raise SettingsError(
            f"data.path: {path} is mpi3d_real_complex, another set than mpi3d_{kind}: read it with data.name=npz."
        )
    return [path]


def source(settings: MPI3DSettings) -> ImageSource:
    path = files(settings)[0]
    arrays = published_arrays.naming_damaged_file(path, published_arrays.open_npz_arrays)(path, ("images",))
    grid = release_grid(arrays["images"].shape[:1] if "images" in arrays else (), path)
    images = published_arrays.grid_images(arrays, "images", (64, 64, 3), grid, path)
    return resize_source(
        ImageSource(
            name=f"mpi3d_{settings.kind}",
            card=CARD,
            shape=(3, 64, 64),
            count=len(grid),
            read=lambda start, stop: ImageBlock(images.read(start, stop)),
            labels=grid,
            in_order=True,
        ),
        settings.size,
    )


def release_grid(length: tuple[int, ...], path: Path) -> FactorGrid:
    """The grid of the release that has so many images. Raises ValueError for any other number."""
    for grid in GRIDS:
        if length == (len(grid),):
            return grid
    releases = " or ".join(f"{len(grid):,} (sizes {', '.join(map(str, grid.sizes))})" for grid in GRIDS)
    got = f"{length[0]:,} images" if length else "no `images`"
    raise ValueError(f"{path} has {got}; the releases of MPI3D have {releases}. Get it again, or use data.name=npz.")


DATASET = DatasetDefinition(
    settings=MPI3DSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
)
