"""What `unweave contrast` finds where nothing differs: random splits of one set, image by image and by replicate.

    python benchmarks/contrast_null.py builtin:rooms --out benchmarks/results/contrast_null.json

600 images are encoded once, and split in two at random 200 times. Of each split: which units have p below 0.05, and
whether any has an adjusted p below 0.05. By replicate, images of one class of a factor (one wall colour, say) stay
together, and are split as such: once as if images were independent, once with `--replicate`.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from unweave.data.sampling import sample_rows
from unweave.evaluation.metrics import two_groups
from unweave.evaluation.metrics.two_groups import differences
from unweave.evaluation.report.measure import select_units
from unweave.files import write_json
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run
from unweave.runs.unit_ranges import measure_values
from unweave.runs.units import unit_names

ROWS, SPLITS = 600, 200
PERMUTATIONS = 999  # of each split; the command takes 9,999


def shares(found: list[list[two_groups.GroupDifference]]) -> dict[str, float]:
    """Of all units and splits: p below 0.05; of the splits: any adjusted p below 0.05."""
    return {
        "units with p below 0.05": round(float(np.mean([[unit.p < 0.05 for unit in split] for split in found])), 4),
        "splits with a finding": round(float(np.mean([any(u.adjusted < 0.05 for u in split) for split in found])), 4),
    }


def measure(path: str, factor: str) -> dict[str, object]:
    """The shares of the three kinds of splits."""
    run, rng = Run(path), np.random.default_rng(0)
    dataset, method = run.dataset(), run.method()
    rows = sample_rows(len(dataset), ROWS, 0)
    codes = encode_rows(method, dataset, rows)
    units, _ = select_units(method, codes, unit_names(run))
    values = measure_values(codes, units).values.astype(np.float64)
    factors = dataset.factors(rows)
    assert factors is not None
    each = np.unique(factors[:, dataset.factor_names.index(factor)], return_inverse=True)[1]
    replicates = each.max() + 1
    two_groups.PERMUTATIONS = PERMUTATIONS
    alone, pseudo, together = [], [], []
    for _ in range(SPLITS):
        alone.append(differences(values, rng.permutation(np.arange(ROWS) % 2 == 1)))
        in_b = rng.permutation(np.arange(replicates) % 2 == 1)[each]
        pseudo.append(differences(values, in_b))
        together.append(differences(values, in_b, each))
    return {
        "run": path,
        "images": ROWS,
        "splits": SPLITS,
        "units": len(units),
        "replicates": f"{replicates} classes of {factor}",
        "images at random": shares(alone),
        "replicates at random, images taken to be independent": shares(pseudo),
        "replicates at random, with --replicate": shares(together),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--factor", default="wall_hue")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    record = measure(arguments.run, arguments.factor)
    print(json.dumps(record, indent=2))
    if arguments.out is not None:
        write_json(arguments.out, record)
