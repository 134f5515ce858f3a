"""Whether two versions of the source compute the same: digests of four short trainings, printed for comparison.

    python benchmarks/same_program.py            # here, and once more where the other version is checked out
    python benchmarks/same_program.py > digests.txt

EncDiff (`laptop`) on `rooms`, beta-VAE on `sprites`, DisDiff and DiTi on tiny foundations of their own: 640 images
each, one thread, float32. A line is what was trained, the sha256 of its weights, of its averaged weights, and of the
codes of 100 rows (first 16 digits each). They depend on the machine and on the version of torch: run both versions on
the same one, one after the other. It asks for nothing but the public API, so that it runs with versions of another
layout.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import unweave

TRAINING = {"images": 640, "threads": 1, "precision": "float32", "preview": 1_000_000, "warmup": 0}
SPRITES = {"name": "sprites", "size": 16}
SMALL = {"channels": [16, 16], "attention": [False, True], "layers": 1, "heads": 2, "groups": 4}
DISDIFF = {"units": 4, "dim": 3, "encoder_width": 16, "encoder_halvings": 2}
DITI = {"dim": 24, "blocks": 8, "edges": [250, 500, 1000], "widths": [4, 12, 8], "encoder_widths": [32, 32]}


def on_a_tiny_denoiser(name: str, preset: str, method: dict[str, Any], folder: Path) -> unweave.Run:
    """A method that stands on a denoiser, which is trained first."""
    training = {**TRAINING, "batch": 32}
    denoiser = {"method": {"name": "denoiser", **SMALL}, "preset": "laptop", "data": SPRITES, "training": training}
    foundation = {"denoiser": {"from": str(folder / f"{name}-denoiser"), "recipe": denoiser}}
    tables = {"foundation": foundation, "data": SPRITES, "method": method, "training": training}
    return unweave.train(name, tables, preset=preset, run=folder / name)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def digests(run: unweave.Run) -> list[str]:
    """Of the weights, the averaged weights ("-" where there are none) and the codes of 100 rows."""
    checkpoint = sorted((run.path / "checkpoints").iterdir())[-1]
    files = [checkpoint / "weights.safetensors", checkpoint / "average.safetensors"]
    codes = unweave.encode(run, list(range(0, 10_000, 100)))["codes"]
    return [sha256(f.read_bytes()) if f.is_file() else "-" for f in files] + [sha256(np.ascontiguousarray(codes))]


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trained = {
            "encdiff": unweave.train("encdiff", data="rooms", training=TRAINING, run=folder / "encdiff"),
            "betavae": unweave.train("betavae", data="sprites", training=TRAINING, run=folder / "betavae"),
            "disdiff": on_a_tiny_denoiser("disdiff", "laptop-pixels", DISDIFF, folder),
            "diti": on_a_tiny_denoiser("diti", "laptop", DITI, folder),
        }
        for name, run in trained.items():
            print(name, *digests(run))


if __name__ == "__main__":
    main()
