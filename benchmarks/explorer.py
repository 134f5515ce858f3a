"""How long people wait: from a folder of images to the report's page, and for an edit in the explorer.

    python benchmarks/explorer.py --images lpc_sprites.npz --count 2000 --out runs/explorer

Writes the first COUNT images as PNG files, runs `unweave report FOLDER` in another process, then `unweave app` on the
run that it made and on builtin:rooms: seconds to the first page, and to the picture of an edit from the move of a
slider on (asked of the server as the page asks it, one after the other). Prints JSON; needs the extra `app`.
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
from gradio_client import Client, handle_file
from PIL import Image

import unweave


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
            waits, memory_growth = visit(address[1], server.pid, edits, Path(folder))
        finally:
            server.terminate()
            server.wait()
    return {
        "run": Path(run).name, "start_seconds": round(start, 2), "pick_seconds": round(waits[0], 2),
        "edit_seconds_median": round(statistics.median(waits[1:]), 3), "edit_seconds_most": round(max(waits[1:]), 3),
        "edits": edits, "memory_grown_bytes": memory_growth,
    }  # fmt: skip


def visit(address: str, server: int, edits: int, folder: Path) -> tuple[list[float], int]:
    """Seconds of the pick and of every edit; bytes between the tenth edit and the last."""
    client = Client(address, verbose=False)
    functions = client.config["dependencies"]

    def events(function: dict[str, Any]) -> list[str]:
        return [event for _, event in function["targets"]]

    upload, *_ = (function["id"] for function in functions if events(function) == ["upload"])
    _, slider, *others = (function["id"] for function in functions if events(function) == ["input"])
    Image.new("RGB", (64, 64), (200, 60, 40)).save(folder / "mine.png")
    began = time.monotonic()
    key = client.predict(handle_file(folder / "mine.png"), "the image's own noise", "mine.png", fn_index=upload)[0]
    waits, sizes = [time.monotonic() - began], []
    for number in range(edits):
        began = time.monotonic()
        client.predict(key, *[number % 101] * (1 + len(others)), fn_index=slider)
        waits.append(time.monotonic() - began)
        sizes.append(psutil.Process(server).memory_info().rss)
    return waits, sizes[-1] - sizes[min(9, edits - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="sprites", help="a data set, or a path to one")
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/explorer"))
    parser.add_argument("words", nargs="*", help="settings of the training, such as training.images=1000")
    options = parser.parse_args()
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
