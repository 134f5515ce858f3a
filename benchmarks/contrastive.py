"""The self-supervised learners: what they forget, what keeps them from collapsing, and what MED says of their codes.

    python benchmarks/contrastive.py invariance --images 34000 --seeds 0 1 2
    python benchmarks/contrastive.py collapse --images 20000
    python benchmarks/contrastive.py search --images 40000
    python benchmarks/contrastive.py study --data sprites --images 60000 --seeds 0
    python benchmarks/contrastive.py study --data celeba --set path=FOLDER size=64 --images 60000
    python benchmarks/contrastive.py show

Records go to OUT/NAME.jsonl, one line a run, and a run whose line is there is not made again; the table of all of them
goes to stdout. One thread a run.

invariance: BYOL on `rooms` with views that change colours, with views that do not, and with random weights; accuracy of
    a linear classifier for each factor, from standardised and from raw codes.
collapse: each learner as published and with what keeps it from collapsing switched off, on `rooms`; the deviation of
    the unit-length projections, as a part of that of codes spread evenly over the sphere, and their effective rank
    (e to the entropy of the eigenvalues of the covariance).
search: learning rates and batches of the preset `laptop`, one seed, on `sprites` alone.
study: MED of the code and of its random rotations, and the same classifier, with and without colour views.
show: trains nothing; of the study's records a table by set, means over seeds, and OUT/study.png.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from running import commit
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import unweave
from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.evaluation.metrics.med import information_share, med_and_top
from unweave.figures.matrix import plot_matrix
from unweave.figures.save import save_picture
from unweave.method import Method, evaluating
from unweave.methods._contrastive import Contrastive
from unweave.runs.codes import encode_rows
from unweave.tensors import to_images

LEARNERS = ("byol", "simsiam", "barlowtwins", "wmse", "dino", "moco", "simclr")
NO_COLOUR = {"jitter": 0.0, "grey": 0.0}
COLOUR = {"grey": 0.5}
CONTROLS: dict[str, dict[str, Any]] = {
    "byol": {"predictor": 0, "decay": 0.0, "decay_end": 0.0},
    "simsiam": {"stop_gradient": False},
    "barlowtwins": {"redundancy": 0.0},
    "wmse": {"whitening": False},
    "dino": {"centring": False},
    "moco": {"negatives": False},
    "simclr": {"negatives": False},
}
TRIALS = [
    ("byol", 1e-3, 128), ("byol", 3e-3, 128), ("byol", 1e-3, 64), ("byol", 3e-4, 128),
    ("barlowtwins", 1e-3, 128), ("barlowtwins", 3e-3, 128), ("barlowtwins", 1e-3, 64), ("barlowtwins", 3e-4, 128),
    ("simclr", 1e-3, 128), ("simclr", 3e-3, 128), ("simsiam", 1e-3, 128), ("simsiam", 3e-3, 128),
]  # fmt: skip
ROWS = 10_000
ROTATIONS = 5


class Work(NamedTuple):
    """One run: the key of its record, and what gives the rest of it."""

    key: dict[str, Any]
    measure: Callable[[], dict[str, Any]]


def train(
    name: str,
    data: Mapping[str, Any],
    method: Mapping[str, Any],
    training: Mapping[str, Any],
    run: str | Path | None = None,
) -> Method:
    """The trained method; its run is kept, and goes on, where it is given a place."""
    training = {"preview": 10**9, "threads": 1, **training}
    if run is not None:
        return unweave.train(name, data=data, method=method, training=training, run=run, resume=True).method("raw")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return unweave.train(name, data=data, method=method, training=training, run=f"{folder}/run").method("raw")


def untrained(name: str, data: Mapping[str, Any], seed: int) -> Method:
    """The network of the preset `laptop` before its first step."""
    from unweave.method import find_method
    from unweave.models.foundation import Foundation

    method, dataset = find_method(name), unweave.open_data(data)
    torch.manual_seed(seed)
    settings = method.settings(**method.presets["laptop"]["method"])
    return method.build(settings, Foundation(dataset.shape, len(dataset)))


def shuffled_rows(dataset: Dataset, seed: int) -> np.ndarray:
    """Rows in no order, so that the halves of a part of them are alike."""
    return np.random.default_rng(seed).permutation(sample_rows(len(dataset), ROWS, seed=seed))


# measures


def accuracies(codes: np.ndarray, dataset: Dataset, rows: np.ndarray, scaler: Any = None) -> dict[str, float]:
    """Accuracy of a linear classifier for each factor, on the second half of the rows.

    Codes are standardised, or what `scaler` does. Standardising makes loud what is faint in the code.
    """
    factors, half, found = dataset.factors(rows), len(rows) // 2, {}
    assert factors is not None
    for name, classes in zip(dataset.factor_names, factors.T):
        if len(np.unique(classes[:half])) < 2:
            continue
        classifier = make_pipeline(scaler or StandardScaler(), LogisticRegression(max_iter=200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(codes[:half], classes[:half])
        found[name] = round(float(classifier.score(codes[half:], classes[half:])), 4)
    return found


def med_with_null(codes: np.ndarray, factors: np.ndarray, seed: int) -> dict[str, Any]:
    """MED, top-1 and top-2 of the standardised code, and of the same code turned by random rotations."""
    z = StandardScaler().fit_transform(codes.astype(np.float64))
    rng = np.random.default_rng(seed)
    turned = [z @ np.linalg.qr(rng.normal(size=(z.shape[1],) * 2))[0] for _ in range(ROTATIONS)]
    own, nulls = best_units(z, factors), [best_units(x, factors) for x in turned]
    null = {key: round(float(np.mean([n[key] for n in nulls])), 4) for key in own}
    spread = {key: round(float(np.std([n[key] for n in nulls])), 4) for key in own}
    return {"med": own, "null": null, "null_spread": spread}


def best_units(codes: np.ndarray, factors: np.ndarray) -> dict[str, float]:
    scores = med_and_top(information_share(codes, factors))
    names = {"med": "disentanglement", "top1": "top1_disentanglement", "top2": "top2_disentanglement"}
    return {key: round(scores[name], 4) for key, name in names.items()}


def spread(codes: np.ndarray) -> dict[str, float]:
    """How much of the sphere codes of unit length take up; 1 and the width where they are spread evenly."""
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True).clip(1e-12)
    values = np.linalg.eigvalsh(np.cov(unit.T)).clip(0)
    parts = values[values > 0] / values.sum()
    rank = float(np.exp(-(parts * np.log(parts)).sum())) if values.sum() > 1e-12 else 0.0
    return {"deviation": float(unit.std(0).mean() * unit.shape[1] ** 0.5), "rank": rank}


def score(codes: np.ndarray, dataset: Dataset, rows: np.ndarray, seed: int) -> dict[str, Any]:
    factors = dataset.factors(rows)
    assert factors is not None
    return {**med_with_null(codes, factors, seed), "accuracy": accuracies(codes[:6_000], dataset, rows[:6_000])}


# parts


def invariance(options: argparse.Namespace) -> Iterator[Work]:
    data = {"name": "rooms", "size": 32}
    dataset = unweave.open_data(data)

    def measure(views: str, seed: int) -> dict[str, Any]:
        began = time.perf_counter()
        if views == "random weights":
            method = untrained("byol", data, seed)
        else:
            own = {"views": COLOUR if views == "colours" else NO_COLOUR}
            method = train("byol", data, own, {"images": options.images, "seed": seed})
        seconds = time.perf_counter() - began
        rows = shuffled_rows(dataset, seed)
        codes = encode_rows(method, dataset, rows)[..., 0]
        codes, rows = codes[:6_000], rows[:6_000]
        raw = accuracies(codes, dataset, rows, FunctionTransformer())
        return {"accuracy": accuracies(codes, dataset, rows), "of raw codes": raw, "seconds": round(seconds, 1)}

    for seed in options.seeds:
        for views in ("colours", "none", "random weights"):
            yield Work({"views": views, "images": options.images, "seed": seed}, lambda v=views, s=seed: measure(v, s))


def collapse(options: argparse.Namespace) -> Iterator[Work]:
    data = {"name": "rooms", "size": 32}
    dataset = unweave.open_data(data)

    def measure(name: str, control: bool, seed: int) -> dict[str, Any]:
        method = train(name, data, CONTROLS[name] if control else {}, {"images": options.images, "seed": seed})
        assert isinstance(method, Contrastive)
        images = to_images(dataset.images(sample_rows(len(dataset), 2_000, seed=seed)))
        with evaluating(method):
            return spread(method.project(images).double().numpy())

    for seed in options.seeds:
        for name in LEARNERS:
            for control in (False, True):
                key = {"learner": name, "control": control, "images": options.images, "seed": seed}
                yield Work(key, lambda n=name, c=control, s=seed: measure(n, c, s))


def search(options: argparse.Namespace) -> Iterator[Work]:
    data = {"name": "sprites", "size": 32}
    dataset = unweave.open_data(data)

    def measure(name: str, rate: float, batch: int) -> dict[str, Any]:
        method = train(name, data, {}, {"images": options.images, "rate": rate, "batch": batch, "seed": 0})
        rows = shuffled_rows(dataset, 0)
        found = accuracies(encode_rows(method, dataset, rows)[..., 0], dataset, rows)
        return {"accuracy": found, "mean": round(float(np.mean(list(found.values()))), 4)}

    for name, rate, batch in TRIALS:
        key = {"learner": name, "rate": rate, "batch": batch, "images": options.images}
        yield Work(key, lambda n=name, r=rate, b=batch: measure(n, r, b))


def study(options: argparse.Namespace) -> Iterator[Work]:
    own = dict(word.split("=", 1) for word in options.set)
    data = {"name": options.data, **{key: int(value) if value.isdigit() else value for key, value in own.items()}}
    dataset = unweave.open_data(data)

    def measure(row: str, views: str, seed: int) -> dict[str, Any]:
        began, rows = time.perf_counter(), shuffled_rows(dataset, seed)
        if row == "pca":
            pixels = dataset.images(rows).reshape(len(rows), -1).astype(np.float32)
            codes = PCA(min(64, *pixels.shape), random_state=seed, svd_solver="randomized").fit_transform(pixels)
        elif row == "noise":
            codes = np.random.default_rng(seed).normal(size=(len(rows), 64))
        elif row == "random weights":
            codes = encode_rows(untrained("byol", data, seed), dataset, rows)[..., 0]
        else:
            settings = {} if row not in LEARNERS else {"views": NO_COLOUR if views == "none" else COLOUR}
            place = options.out / "-".join([Path(own.get("path", options.data)).stem, row, views, str(seed)])
            method = train(row, data, settings, {"images": options.images, "seed": seed}, place)
            codes = encode_rows(method, dataset, rows)[..., 0]
        return {**score(codes, dataset, rows, seed), "seconds": round(time.perf_counter() - began, 1)}

    wanted = options.rows or [*LEARNERS, "pca", "noise", "random weights", "betavae", "factorvae", "encdiff"]
    for seed in options.seeds:
        for row in wanted:
            for views in ("colours", "none") if row in ("byol", "barlowtwins") else ("colours",):
                key = {
                    "data": Path(own.get("path", options.data)).stem,
                    "row": row,
                    "images": options.images,
                    "seed": seed,
                }
                key |= {"views": views} if row in LEARNERS else {}
                yield Work(key, lambda r=row, v=views, s=seed: measure(r, v, s))


def show(options: argparse.Namespace) -> None:
    records = read(options.out / "study.jsonl")
    sets = list(dict.fromkeys(record["data"] for record in records))
    codes = list(dict.fromkeys(title(record) for record in records))
    above = np.zeros((len(sets), len(codes)))
    for i, name in enumerate(sets):
        print(f"\n| {name} | seeds | MED over its null | top-1 | over its null | top-2 over its null | accuracy |")
        print("|---|--:|--:|--:|--:|--:|---|")
        for j, code in enumerate(codes):
            of = [record for record in records if record["data"] == name and title(record) == code]
            if not of:
                continue
            excess = {key: [r["med"][key] - r["null"][key] for r in of] for key in ("med", "top1", "top2")}
            above[i, j] = max(0.0, float(np.mean(excess["top1"])))
            accuracy = {key: np.mean([r["accuracy"][key] for r in of]) for key in of[0]["accuracy"]}
            print(
                f"| {code} | {len(of)} | {spell(excess['med'])} | {np.mean([r['med']['top1'] for r in of]):.3f} "
                f"| {spell(excess['top1'])} | {spell(excess['top2'])} "
                f"| {', '.join(f'{key} {value:.2f}' for key, value in accuracy.items())} |"
            )
    picture = plot_matrix(above, codes, units=sets, title="Top-1 disentanglement above that of random rotations")
    save_picture(picture, options.out / "study.png", overwrite=True)


def title(record: Mapping[str, Any]) -> str:
    return f"{record['row']}{', no colour views' if record.get('views') == 'none' else ''}"


def spell(values: Sequence[float]) -> str:
    """The mean, and between which values the seeds lie."""
    return f"{np.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"


PARTS = {"invariance": invariance, "collapse": collapse, "search": search, "study": study}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "show"])
    parser.add_argument("--images", type=int, default=34_000, help="images that each run sees")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", default="sprites", help="of the study")
    parser.add_argument(
        "--set", nargs="*", default=["size=32"], help="settings of the data set, as path=FOLDER size=32"
    )
    parser.add_argument("--rows", nargs="*", help="rows of the study's table; all if not given")
    parser.add_argument("--out", type=Path, default=Path("runs/contrastive"))
    options = parser.parse_args()
    if options.part == "show":
        show(options)
        return
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.part}.jsonl"
    with progress.use(progress.Progress()):
        for work in PARTS[options.part](options):
            if not any(work.key.items() <= record.items() for record in read(path)):
                record = {**work.key, **work.measure(), "commit": commit()}
                with path.open("a") as file:
                    file.write(json.dumps(record) + "\n")
    print_records(read(path))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def print_records(records: Sequence[Mapping[str, Any]]) -> None:
    for record in records:
        print(json.dumps({key: value for key, value in record.items() if key != "commit"}))


if __name__ == "__main__":
    main()
