"""How long does a checkpoint of the release's EncDiff take to write, and to read back?

    python benchmarks/checkpoint_speed.py

Prints JSON: megabytes, seconds of each of several saves (training stands still for them), and of one load.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from unweave.methods import encdiff
from unweave.models.foundation import Foundation
from unweave.runs.settings import TrainingSettings
from unweave.training import loop
from unweave.training import state as training_state
from unweave.training.ema import Average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder if not given")
    options = parser.parse_args()
    method = encdiff.build(encdiff.EncDiffSettings(), Foundation((3, 64, 64), 1))
    players, settings = method.players(), TrainingSettings()
    optimisers = loop.optimisers(players, settings)
    for parameter in method.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimisers["encdiff"].step()
    state = training_state.TrainingState(method, players, optimisers, Average(method, 0.999), torch.Generator())
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        seconds = []
        for i in range(options.repeats):
            started = time.perf_counter()
            checkpoint = training_state.save_state(Path(folder), state, i + 1, i + 1, {})
            seconds.append(round(time.perf_counter() - started, 3))
        size = sum(file.stat().st_size for file in checkpoint.iterdir())
        started = time.perf_counter()
        training_state.restore_state(checkpoint, state)
        load_seconds = time.perf_counter() - started
    print(json.dumps({"megabytes": round(size / 1e6), "save_seconds": seconds, "load_seconds": round(load_seconds, 3)}))


if __name__ == "__main__":
    main()
