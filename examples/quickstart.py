"""From images to edits in a few lines: what `make demo` does, from Python.

    python examples/quickstart.py            a few minutes on two cores

data= takes the name of a built-in set, an .npz file with `images`, or a folder of your own images.
"""

import os

import unweave

IMAGES = int(os.environ.get("UNWEAVE_EXAMPLE_IMAGES", "50000"))  # seen in training; more is better


def main() -> None:
    run = unweave.train("encdiff", data="rooms", training={"images": IMAGES}, run="runs/quickstart")
    scores = unweave.evaluate(run, rows=5_000, protocols=["mig@1", "factorvae@1"])
    print(scores["protocols"]["factorvae@1"]["eval_accuracy"])
    edit = unweave.swap(run, images=[0, 1], partners=[300_000, 450_000])
    print(edit.images.shape, edit.save("runs/quickstart/pictures/swap.png", overwrite=True))


if __name__ == "__main__":
    main()
