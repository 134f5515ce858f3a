"""How long people wait: from a folder of images to the report's page, and for an edit in the explorer.

    python benchmarks/explorer.py --images lpc_sprites.npz --count 2000 --out runs/explorer

Writes the first COUNT images as PNG files, runs `unweave report FOLDER` in another process, then `unweave app` on the
run that it made and on builtin:rooms: seconds to the first page, and to the picture of an edit from the move of a
slider on (asked of the server as the page asks it, one after the other); after each the same edit by the bare model in
this process. With `--run RUN` no report is made and that run alone is visited. Prints JSON; needs the extra `app`.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from visitors import Visitor

import unweave
from unweave.app.explorer import Explorer, PickedImage
from unweave.editing.adjust import adjust_units
from unweave.editing.inputs import SAMPLING
from unweave.editing.placing import combine


def time_report(folder: Path, words: list[str], out: Path) -> dict[str, Any]:
    """Seconds of the whole command and after training, size of the page."""
    began = time.monotonic()
    command = [sys.executable, "-m", "unweave", "report", str(folder), *words]
    result = subprocess.run(command, check=True, cwd=out, stdout=subprocess.PIPE, text=True)
    seconds = time.monotonic() - began
    page = out / result.stdout.strip()
    facts = json.loads(page.with_suffix(".json").read_text())
    record = json.loads((page.parent / "run.json").read_text())
    return {
        "device": record["device"],
        "seconds": round(seconds, 1), "training_seconds": record["seconds"], "images_seen": facts["images seen"],
        "after_training_seconds": facts["seconds"], "page_bytes": page.stat().st_size,
        "live_units": sum(unit["state"] == "live" for unit in facts["units"]),
        "units": len(facts["units"]), "swap_consistency": facts["swap_consistency"],
        "run": str(Path(result.stdout.strip()).parent),
    }  # fmt: skip


def time_explorer(run: str, out: Path, edits: int) -> dict[str, Any]:
    """Seconds to the page, to a picked image and to an edit, and what `edits` of them add to the server's memory."""
    with tempfile.TemporaryDirectory() as folder:
        began, log = time.monotonic(), Path(folder) / "stderr.txt"
        environment = os.environ | {"TMPDIR": folder}
        with log.open("w") as file:
            command = [sys.executable, "-m", "unweave", "app", run]
            server = subprocess.Popen(command, cwd=out, stderr=file, env=environment)
        try:
            while not (address := re.search(r"^open (\S+)", log.read_text(), re.MULTILINE)):
                if server.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.05)
            start = time.monotonic() - began
            waits, bare, memory_growth = visit(address[1], server.pid, edits, Path(folder), out / run)
        finally:
            server.terminate()
            server.wait()
    beyond = [wait - alone for wait, alone in zip(waits[1:], bare)]
    return {
        "run": Path(run).name, "start_seconds": round(start, 2), "pick_seconds": round(waits[0], 2),
        "edit_seconds_median": round(statistics.median(waits[1:]), 3), "edit_seconds_most": round(max(waits[1:]), 3),
        "bare_seconds_median": round(statistics.median(bare), 3),
        "beyond_bare_seconds_median": round(statistics.median(beyond), 3),
        "beyond_bare_seconds_most": round(max(beyond), 3),
        "edits": edits, "memory_grown_bytes": memory_growth,
    }  # fmt: skip


def bare_edit(explorer: Explorer, picked: PickedImage, place: float) -> float:
    """Seconds in which the model draws the edit that moves every slider to a place."""
    began = time.monotonic()
    moved = explorer.moved(picked, [place] * len(explorer.units))
    units, code = combine([(explorer.units[index], explorer.ranges[index].code_at(place)) for index in moved])
    explorer.threads.choose()
    adjust_units(explorer.method, picked.image, [units], [code], sampling=SAMPLING, start=picked.start)
    return time.monotonic() - began


def visit(address: str, server: int, edits: int, folder: Path, run: Path) -> tuple[list[float], list[float], int]:
    """Seconds of the pick and of every edit, of each by the bare model; bytes between the tenth edit and the last."""
    visitor, began = Visitor(address), time.monotonic()
    key = visitor.pick(200)
    waits, bare, sizes = [time.monotonic() - began], [], []
    Image.new("RGB", (64, 64), (200, 90, 55)).save(folder / "mine.png")
    explorer = Explorer(run if run.is_dir() else run.name)
    picked = explorer.pick(folder / "mine.png", None)
    for number in range(edits):
        began = time.monotonic()
        visitor.edit(key, number % 101)
        waits.append(time.monotonic() - began)
        sizes.append(psutil.Process(server).memory_info().rss)
        bare.append(bare_edit(explorer, picked, number % 101 / 100))
    return waits, bare, sizes[-1] - sizes[min(9, edits - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="sprites", help="a data set, or a path to one")
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/explorer"))
    parser.add_argument("words", nargs="*", help="settings of the training, such as training.images=1000")
    parser.add_argument("--run", default="", help="a run that is there, or builtin:NAME")
    options = parser.parse_args()
    if options.run:
        options.out.mkdir(parents=True, exist_ok=True)
        print(json.dumps(time_explorer(options.run, options.out, options.edits), indent=2))
        return
    data = unweave.open_data(options.images)
    folder = options.out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for row, image in enumerate(data.images(np.arange(min(options.count, len(data))))):
        Image.fromarray(image.squeeze()).save(folder / f"{row:05d}.png")
    report = time_report(Path(folder.name), options.words, options.out)
    explorer = [time_explorer(run, options.out, options.edits) for run in (report["run"], "builtin:rooms")]
    results = {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "cores": os.cpu_count(),
        "report": report,
        "explorer": explorer,
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
