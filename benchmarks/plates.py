"""Pictures as of several plates or lights, to judge `data.aside` on: benchmarks/records/aside.md.

    python benchmarks/plates.py sprites plates_sprites.npz
    python benchmarks/plates.py discs plates_discs.npz

`sprites`: 12,000 pictures of the set of that name at 32 px, each as of one of five plates: channels times 1 to .65,
plus 0 to 24 of 255, with noise of deviation 2. `discs`: 1,500 pictures of 16 x 16 of a disc at four places across and
four down, in the light of one of four plates (90, 140, 190, 240 of 255) on black, with noise of 0 to 7.
"""

import argparse
from pathlib import Path

import numpy as np

import unweave


def sprites(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pictures, factors with the plate as the last, and their names."""
    data = unweave.open_data({"name": "sprites", "size": 32})
    rows = np.sort(rng.permutation(len(data))[:12_000])
    images, factors = data.images(rows).astype(float), data.factors(rows)
    assert factors is not None
    plate = rng.integers(0, 5, len(rows))
    gain, offset = (np.linspace(*ends, 5)[plate][:, None, None, None] for ends in ((1, 0.65), (0, 24)))
    seen = images * gain + offset + rng.normal(0, 2, images.shape)
    return seen, np.c_[factors, plate], [*data.factor_names, "plate"]


def discs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
    across, down, plate = rng.integers(0, 4, (3, 1_500))
    y, x = np.mgrid[:16, :16]
    places = [(2.5 + 3.6 * place)[:, None, None] for place in (across, down)]
    disc = (x - places[0]) ** 2 + (y - places[1]) ** 2 <= 5
    seen = disc * np.array([90, 140, 190, 240])[plate][:, None, None] + rng.integers(0, 8, disc.shape)
    return seen[..., None], np.stack([across, down, plate], 1), ["across", "down", "plate"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("sprites", "discs"))
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    images, factors, names = {"sprites": sprites, "discs": discs}[options.kind](np.random.default_rng(0))
    pixels = images.round().clip(0, 255).astype(np.uint8)
    np.savez(options.path, images=pixels, factors=factors, factor_names=np.array(names))
    print(options.path)


if __name__ == "__main__":
    main()
