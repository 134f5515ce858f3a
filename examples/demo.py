"""From images to edits in seven minutes, on a machine that trains 150 images a second: what `make demo` runs.

    python examples/demo.py runs/demo

First pictures of the model in the package; then EncDiff is trained on the built-in rooms, with as many images as this
machine has time for, and is scored and edited with; last comes the page of `unweave report`, which finds and names
factors without labels. A slower machine takes longer, for fewer than 40,000 images show little; it is said before. The
same verbs work on a folder of your own images, and every step has a command, said on the way.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import unweave
from unweave import progress, threads
from unweave.figures.curve import plot_curves
from unweave.figures.save import save_picture

SECONDS = 390
"""Of the seven minutes, so that some are left where the machine gets busier on the way."""
FEWEST, MOST = 40_000, 120_000
"""Images: with fewer the units are not apart yet, and more than the second is the preset's own budget."""
EXPECTED = {40_000: 0.48, 100_000: 0.75}
"""DCI disentanglement that was had: with 40,000 images once (benchmarks/records/speed.md), with 100,000 the median of
three seeds (benchmarks/records/fast_recipe.md)."""
AFTERWARDS, USUAL = 105.0, 200.0
"""Seconds for scores, edits and report on a machine that trains as many images a second; a slower one takes longer."""
TRIAL = 3_200
PROTOCOLS = ["dci@1", "mig@1", "factorvae@1", "betavae@1"]
IMAGES = int(os.environ.get("UNWEAVE_EXAMPLE_IMAGES", "0"))  # a budget for a test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=Path("runs/demo"), help="run directory; it goes on")
    place: Path = parser.parse_args().run
    began = time.monotonic()
    unweave.sleep_at_barriers()  # before torch is there
    packaged = place.with_name(f"{place.name}-packaged")
    with progress.use(progress.shown()):
        print("1. The model in the package, trained on rooms for an hour: unweave edit swap builtin:rooms")
        with threads.chosen():
            for verb in (unweave.swap, unweave.traverse):
                print("  ", verb("builtin:rooms").save(packaged / f"{verb.__name__}.png", overwrite=True))
        if (place / "settings.toml").is_file():
            images = unweave.load(str(place)).settings.training.images
        else:
            images = budget(SECONDS - (time.monotonic() - began))
        print(f"2. Training: unweave train encdiff data=rooms training.images={images} --run {place} --resume")
        config = Path(__file__).parents[1] / "configs" / "encdiff_rooms_laptop.toml"
        run = unweave.train(config, training={"images": images}, run=place, resume=True)
        with threads.chosen():
            score_and_edit(run)
        print(f"5. Factors: unweave report {run.path}")
        with threads.chosen():
            page = unweave.report(run).page
    losses = [{key: value for key, value in record.items() if key != "seconds"} for record in run.history()]
    save_picture(plot_curves(losses, title=f"Loss of {place}"), run.pictures / "loss.png", overwrite=True)
    print(f"\nThe run is in {place}, its pictures in {run.pictures}: {time.monotonic() - began:.0f} seconds in all.")
    print("  swap.png         one unit at a time from a partner image")
    print("  traverse.png     every unit from low to high")
    print("  heatmap.png      which unit moves which pixels")
    print("  reconstruct.png  what the units hold alone")
    print("  loss.png         the training loss")
    print(f"Open {page}: what varies in these pictures, found and named without labels.")
    print(f"{packaged} has the same of the model in the package, builtin:rooms.")
    print(f"Next: unweave edit swap {place} 12 --partners 400000 --units 0")
    print("  or: unweave train encdiff data=YOUR_FOLDER")


def score_and_edit(run: unweave.Run) -> None:
    """Print the scores of the run, and draw its pictures."""
    print(f"3. Scores: unweave evaluate {run.path}")
    scores = unweave.evaluate(run, rows=20_000, protocols=PROTOCOLS, repeats=1)["protocols"]
    for protocol in PROTOCOLS:
        print("  ", protocol, "  ".join(f"{name} {of['value']:.3f}" for name, of in scores[protocol].items()))
    print(f"4. Edits: unweave edit swap {run.path}")
    for verb in (unweave.swap, unweave.traverse, unweave.reconstruct, unweave.heatmap):
        print("  ", verb(run).save(run.pictures / f"{verb.__name__}.png", overwrite=True))


def budget(seconds: float) -> int:
    """Images that can be trained on in so many seconds, with what comes after them; said, with the score to expect."""
    if IMAGES:
        return IMAGES
    began = time.monotonic()
    rate = trial_rate()
    left = seconds - (time.monotonic() - began) - AFTERWARDS * USUAL / min(rate, USUAL)
    images = int(min(MOST, max(FEWEST, 1_000 * (left * rate // 1_000))))
    print(f"   {rate:.0f} images a second here: {images:,} of them take {images / rate / 60:.1f} minutes.")
    print(f"   DCI disentanglement to expect: {expected(images):.2f} (from run to run 0.1 more or less).")
    return images


def trial_rate() -> float:
    """Images a second of a short training, which is thrown away."""
    print(f"   How fast is this machine? {TRIAL:,} images will tell.")
    with tempfile.TemporaryDirectory() as folder, progress.use(progress.Progress()):
        training = {"images": TRIAL, "preview": 10 * TRIAL}
        run = unweave.train("encdiff", data={"name": "rooms", "size": 32}, training=training, run=Path(folder) / "run")
        first, *_, last = run.history()
    return (last["seen"] - first["seen"]) / (last["seconds"] - first["seconds"])


def expected(images: int) -> float:
    """The score to expect, on a line between the two budgets that were measured, and no higher."""
    (few, low), (many, high) = EXPECTED.items()
    return low + (high - low) * (min(images, many) - few) / (many - few)


if __name__ == "__main__":
    main()
