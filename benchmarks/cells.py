"""500 pictures of cells as a microscope gives them, with the factors that they were drawn from.

    python benchmarks/cells.py cells/
    unweave report cells/images
    unweave train encdiff data=cells/images data.labels=cells/factors.csv      # labels for scores alone

Each is an OME-TIFF of two channels of 64 x 64 pixels, 12 bits in 16: the cell with its texture, and its nucleus. Five
factors are drawn independently: `size` (radius of the disc of the same area, in pixels), `elongation` (long axis by
short, from 1.3: a disc has no angle), `angle` (of the long axis, in degrees, with a period of 180), `brightness` (of
the nucleus, in grey levels) and `texture` (period of the grain, in pixels). Noise is that of photons and of the camera.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.random import Generator

FACTORS: dict[str, tuple[float, ...]] = {
    "size": (9, 10, 11, 12, 13, 14, 15),
    "elongation": (1.3, 1.5, 1.7, 1.9, 2.1, 2.3),
    "angle": tuple(range(0, 180, 15)),
    "brightness": (600, 1000, 1400, 1800, 2200, 2600),
    "texture": (3, 4.5, 6, 8, 11),
}
STEPS = {"elongation": 10, "texture": 10}  # factors.csv has whole numbers, so these in tenths
SIDE = 64  # pixels
DARK = 200  # grey levels of the camera without light
BODY = 1400  # grey levels of the cell above it
GRAIN = 0.35  # amplitude of the texture, in parts of BODY
PHOTON = 4.0  # grey levels of one photon
READ_NOISE = 6.0  # grey levels
WHITE = 4095  # the largest number of 12 bits
NUCLEUS = 0.5  # its axes in parts of the cell's


def draw_cells(count: int = 500, seed: int = 0) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Pictures of uint16 [row, channel, height, width], and the factors of each."""
    rng = np.random.default_rng(seed)
    factors = [{name: float(rng.choice(values)) for name, values in FACTORS.items()} for _ in range(count)]
    return np.stack([draw_cell(rng=rng, **cell) for cell in factors]), factors


def draw_cell(
    size: float, elongation: float, angle: float, brightness: float, texture: float, *, rng: Generator
) -> np.ndarray:
    """Both channels of one cell, in its middle."""
    body = ellipse(size, elongation, angle)
    light = np.stack(
        [BODY * body * (1 + GRAIN * grain(texture, rng)), brightness * ellipse(NUCLEUS * size, elongation, angle)]
    )
    photons = rng.poisson(np.maximum(light, 0) / PHOTON) * PHOTON
    camera = DARK + photons + READ_NOISE * rng.normal(size=light.shape)
    return camera.round().clip(0, WHITE).astype(np.uint16)


def ellipse(radius: float, elongation: float, angle: float) -> np.ndarray:
    """1 inside, 0 outside, with an edge about a pixel wide."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    turn = np.deg2rad(angle)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    distance = np.hypot(along / np.sqrt(elongation), across * np.sqrt(elongation))
    return np.clip(radius - distance + 0.5, 0, 1)


def grain(period: float, rng: Generator) -> np.ndarray:
    """Noise of one period in every direction, of mean 0 and deviation 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    band = np.exp(-0.5 * ((frequency * period - 1) / 0.2) ** 2)
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * band).real
    return (noise - noise.mean()) / noise.std()


def write_cells(folder: Path, count: int = 500, seed: int = 0) -> None:
    """images/0000.ome.tif, ... and factors.csv in a new folder."""
    import tifffile

    images, factors = draw_cells(count, seed)
    (folder / "images").mkdir(parents=True)
    names = [f"{row:04d}.ome.tif" for row in range(count)]
    for name, image in zip(names, images):
        tifffile.imwrite(folder / "images" / name, image, photometric="minisblack", metadata={"axes": "CYX"})
    with (folder / "factors.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", *FACTORS])
        for name, cell in zip(names, factors):
            table.writerow([name, *(round(STEPS.get(factor, 1) * value) for factor, value in cell.items())])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_cells(arguments.folder, arguments.count, arguments.seed)
