"""Top-1 disentanglement of each run of the contrastive study, above that of its code turned at random, as a picture.

python benchmarks/study_picture.py docs/pictures/study.png
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt

RECORD = Path(__file__).parent / "results" / "contrastive_study.json"
ROWS = {
    "byol": "BYOL", "byol, no colour views": "BYOL, no colour views",
    "barlowtwins": "Barlow Twins", "barlowtwins, no colour views": "Barlow Twins, no colour views",
    "simsiam": "SimSiam", "wmse": "W-MSE", "dino": "DINO", "moco": "MoCo v2", "simclr": "SimCLR",
    "noise": "noise", "random weights": "random weights", "pca": "PCA-64 of the pixels",
    "betavae": "beta-VAE", "factorvae": "FactorVAE", "encdiff": "EncDiff",
}  # fmt: skip
SETS = {"sprites": "sprites", "rooms": "rooms", "lpc_sprites": "LPC sprites", "dsprites_grid46k": "dsprites_grid46k"}
SCORE = "top1_disentanglement"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    runs = json.loads(RECORD.read_text())["runs"]
    figure, axes = plt.subplots(figsize=(7, 5.4), layout="constrained")
    axes.axvline(0, color="0.6", linewidth=1)
    for number, (data, title) in enumerate(SETS.items()):
        points = [
            (run[f"med@1 {SCORE}"] - run[f"med-null@1 {SCORE}"], place + 0.18 * (number - 1.5))
            for run in runs
            for place, row in enumerate(ROWS)
            if (run["row"], run["data"]) == (row, data)
        ]
        axes.scatter(*zip(*points, strict=True), s=18, label=title)
    axes.set_yticks(range(len(ROWS)), list(ROWS.values()))
    axes.invert_yaxis()
    axes.set_xlabel("top-1 disentanglement, less that of the code turned at random")
    axes.legend(loc="upper right")
    figure.savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
