"""Memory and waiting with a set of 1,000,000 images of 64 x 64 x 3: converting it, and training on it, as JSON.

python benchmarks/data_memory.py --folder big [--images 1000000] [--format hdf5|npz] [--budget 20000]

The set is drawn by `rooms` (rows repeat past 480,000) and written to FOLDER, with a cache of its own: 13 GB each. Every
number is of whole process trees: the largest sum of RssAnon over a process and its children, sampled each 50 ms. The
same training on `rooms` itself, which needs no file, says what the model takes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.dataset import Dataset
from unweave.data.open import open_data

BLOCK = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("hdf5", "npz"), default="hdf5")
    parser.add_argument("--budget", type=int, default=20_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / ("many.h5" if options.format == "hdf5" else "many.npz")
    os.environ["UNWEAVE_CACHE"] = str(options.folder.resolve() / "cache")
    written = write_set(path, options.images, open_data({"name": "rooms"})) if not path.exists() else 0.0
    opening = [sys.executable, "-c", f"import unweave; unweave.open_data({str(path)!r})"]
    small = options.folder / "small.npz"
    np.savez(small, images=open_data({"name": "rooms"}).images(np.arange(100)))
    results: dict[str, Any] = {
        "images": options.images,
        "format": options.format,
        "writing_seconds": round(written, 1),
        "open_100_images": measure([sys.executable, "-c", f"import unweave; unweave.open_data({str(small)!r})"]),
        "convert": measure(opening),
        "open_again": measure(opening),
    }
    for name, data in (("train_on_rooms", "rooms"), ("train_on_the_set", str(path))):
        run_dir = options.folder / name
        settings = [f"data={data}", "data.size=64", f"training.images={options.budget}", "training.preview=10000000"]
        command = [sys.executable, "-m", "unweave", "train", "encdiff", *settings, "--run", str(run_dir), "--overwrite"]
        results[name] = measure([*command, "--quiet"])
        results[name]["waiting_for_data"] = json.loads((run_dir / "run.json").read_text())["waiting_for_data"]
    results["convert_mb_above_a_small_set"] = results["convert"]["mb"] - results["open_100_images"]["mb"]
    results["train_mb_above_rooms"] = results["train_on_the_set"]["mb"] - results["train_on_rooms"]["mb"]
    print(json.dumps(results, indent=2))


def write_set(path: Path, count: int, rooms: Dataset) -> float:
    """Write the set in blocks; the seconds that took."""
    start_time = time.perf_counter()
    blocks = ((start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))
    pictures = ((start, stop, rooms.images(np.arange(start, stop) % len(rooms))) for start, stop in blocks)
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            images = file.create_dataset("images", (count, 64, 64, 3), "u1", chunks=(64, 64, 64, 3))
            for start, stop, pixels in pictures:
                images[start:stop] = pixels
        return time.perf_counter() - start_time
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w", force_zip64=True) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, 64, 64, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        for _, _, pixels in pictures:
            file.write(pixels.tobytes())
    return time.perf_counter() - start_time


def measure(command: list[str]) -> dict[str, float]:
    """Seconds, and the most anonymous memory in MB, of a command and its children."""
    start_time, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(anonymous_bytes, process_tree(process.pid))))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {process.returncode}")
    return {"mb": round(peak / 1e6), "seconds": round(time.perf_counter() - start_time, 1)}


def process_tree(pid: int) -> list[int]:
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids += [descendant for child in task.read_text().split() for descendant in process_tree(int(child))]
        except OSError:
            continue
    return pids


def anonymous_bytes(pid: int) -> int:
    """RssAnon of a process in bytes, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
