"""How long PDAE and DiTi take to encode images: the published encoder with random weights, images of an .npz.

    python benchmarks/encode_speed.py --images 10000 --size 64 --threads 2

Prints the seconds from the stored images to their codes, as `unweave probe` and `unweave evaluate` encode them, of
every repeat (the first one warms up), as JSON.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from unweave.data.open import dataset_table, open_data
from unweave.models.encoder import attention_encoder
from unweave.runs.codes import encode_rows
from unweave.training import malloc
from unweave.training.record import processor_name


class EncoderOnly(nn.Module):
    """As much of a method as `encode_rows` needs."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.encoder = attention_encoder((3, size, size), 512, None)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return self.encoder(images).unsqueeze(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=64, choices=(64, 128))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    malloc.keep()
    shape = (options.images, options.size, options.size, 3)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNWEAVE_CACHE"] = folder  # the converted copy goes with it
        path = Path(folder) / "images.npz"
        np.savez(path, images=np.random.default_rng(0).integers(0, 256, shape, np.uint8))
        dataset = open_data({**dataset_table(str(path)), "size": options.size})
        method, seconds = EncoderOnly(options.size), []
        for _ in range(options.repeats):
            started = time.perf_counter()
            codes = encode_rows(method, dataset, np.arange(options.images))
            seconds.append(round(time.perf_counter() - started, 2))
    report = {"images": len(codes), "size": options.size, "threads": options.threads, "seconds": seconds}
    print(json.dumps({**report, "device": processor_name()}))


if __name__ == "__main__":
    main()
