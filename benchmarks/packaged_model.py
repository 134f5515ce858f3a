"""Make the model in the package: EncDiff on 64 px `rooms`, in float16, with its scores.

    python benchmarks/packaged_model.py --run runs/packaged                    trains, or goes on, then packs
    python benchmarks/packaged_model.py --run runs/packaged --pack elsewhere   into another new folder

The run is the preset `laptop-64` with seed 0, its last checkpoint, whatever it scores. What is packed is scored as it
is packed, in half precision. Prints the record that is kept in benchmarks/results/packaged_model.json.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from running import commit, unweave

from unweave.runs.builtin import MODELS
from unweave.runs.run import Run

MAX_BYTES = 8_000_000
"""Bytes that the folder may have; parameters may be 3.5 million."""
PROTOCOLS = ("dci@1", "factorvae@1", "betavae@1", "mig@1", "med@1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/packaged"))
    parser.add_argument("--pack", type=Path, default=MODELS / "rooms")
    parser.add_argument("words", nargs="*", help="settings to change, such as training.images=1000 for a trial")
    options = parser.parse_args()
    if options.pack.exists():
        raise SystemExit(f"{options.pack} is there already: move it away first.")
    commit_at_start = commit()
    settings = ["preset=laptop-64", "data=rooms", "training.seed=0", *options.words]
    unweave("train", "encdiff", *settings, "--run", str(options.run), "--resume")
    protocol_arguments = [word for name in PROTOCOLS for word in ("--protocol", name)]
    with tempfile.TemporaryDirectory() as temporary:
        half = Run(options.run).save_pretrained(Path(temporary) / "half", half=True)
        packed = Run(half)
        size = sum(path.stat().st_size for path in half.rglob("*") if path.is_file())
        parameters = sum(p.numel() for p in packed.method(device="cpu").parameters())
        if size > MAX_BYTES or parameters > 3_500_000:
            raise SystemExit(f"{size:,} bytes and {parameters:,} parameters are too many.")
        scores = json.loads(unweave("evaluate", str(half), "--repeats", "1", *protocol_arguments, "--json"))
        packed.save_pretrained(options.pack, half=True)  # once more, now with its scores on its card
    packed = Run(options.pack)
    record: dict[str, Any] = packed.record()
    state = packed.state()
    print(json.dumps({
        "command": "python benchmarks/packaged_model.py " + " ".join(options.words),
        "images": state["seen"],
        "seconds": round(state["seconds"], 1),
        "made": {key: record.get(key) for key in ("device", "threads", "precision", "versions")},
        "commit": commit_at_start,
        "parameters": parameters,
        "bytes": size,
        "weights": packed.digest(),
        "scores": scores["protocols"],
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
