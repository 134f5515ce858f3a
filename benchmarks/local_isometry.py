"""Local isometry on the manifolds where theory says it must win, and on those where it must lose.

    python benchmarks/local_isometry.py 1 2 3 4 5 6 7 9    each part is one claim; results/local_isometry.json
    python benchmarks/local_isometry.py 8                  time and memory; wants an idle machine

1 wide bump; 2 small bumps and autoencoders; 3 three factors; 4 Isomap faces (--faces FILE.npz); 5 Gaussian factors and
factors that are not isometric; 6 manifolds through builtin:rooms; 7 the paper's rivals: IRMAE and its VAE; 8 cost;
9 the VAE and the decoder form on the small bumps of 2, one seed.
MCC is fitted and scored on the same rows, against the factors as real numbers.
"""

import argparse
import json
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

import unweave
from unweave import manifold, progress
from unweave.data.sets.manifolds import Manifold, ManifoldsSettings
from unweave.demos.hlle_ica import linear_r2
from unweave.evaluation.metrics.local_isometry import li_cond, li_corr
from unweave.evaluation.metrics.mcc import mcc, mcc_rotated
from unweave.figures.grid import tiles
from unweave.figures.save import save_picture

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(float)


def embedded(x: np.ndarray, units: int, **options: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return manifold.LocalIsometry(units, random_state=0, **options).fit(x).embedding_


def pca_ica(x: np.ndarray, units: int) -> np.ndarray:
    white = manifold.whiten(PCA(units, random_state=0).fit_transform(x))
    return white @ manifold.independent_components(white, 10, np.random.RandomState(0)).components.T


def keep(name: str, result: Row) -> None:
    """Write what there is of a part, beside the others."""
    path = RESULTS / "local_isometry.json"
    stored = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**stored, name: result}, indent=2) + "\n")


def score(codes: np.ndarray, z: np.ndarray) -> float:
    return round(mcc(codes.astype(float), z)["mcc"], 4)


def both(x: np.ndarray, z: np.ndarray, **options: Any) -> Row:
    units = z.shape[1]
    codes = embedded(x, units, **options)
    off = embedded(x, units, ica=False, **options)
    return {
        "hlle_ica": score(codes, z), "hlle": score(off, z), "pca_ica": score(pca_ica(x, units), z),
        "r2": round(linear_r2(codes, z), 4), "excess": round(mcc_rotated(codes, z)["excess"], 3),
        "li_corr": round(li_corr(x, codes)["li_corr"], 3), "li_cond": round(li_cond(x, codes)["li_cond"], 3),
    }  # fmt: skip


def of_set(seed: int, **settings: Any) -> Row:
    dataset = Manifold(ManifoldsSettings(seed=seed, **settings))
    return {"seed": seed, **both(flat(dataset.images(np.arange(len(dataset)))), dataset.values)}


def trained(method: str, preset: str, data: Row, seed: int, changes: Row | None = None, **training: Any) -> Row:
    with tempfile.TemporaryDirectory() as folder, progress.use(progress.Progress()):
        quiet = {"seed": seed, "preview": 10**9, "save": 10**9, **training}
        run = unweave.train(method, preset=preset, data=data, method=changes or {}, training=quiet, run=f"{folder}/run")
        dataset, codes = run.dataset(), unweave.encode(run)["codes"][:, :, 0].astype(float)
        last = run.history()
    assert isinstance(dataset, Manifold)
    x = flat(dataset.images(np.arange(len(dataset))))
    terms = next(row for row in reversed(last) if any("reconstruction" in key for key in row))
    return {
        "seed": seed, "mcc": score(codes, dataset.values), "li_corr": round(li_corr(x, codes)["li_corr"], 3),
        "li_cond": round(li_cond(x, codes)["li_cond"], 3),
        **{key.split("/")[-1]: round(value, 4) for key, value in terms.items() if "/" in key},
    }  # fmt: skip


def wide_bump(_: argparse.Namespace) -> Row:
    return {"rows": [of_set(seed, variant="wide_bump") for seed in range(5)]}


def small_bumps(_: argparse.Namespace) -> Row:
    result: Row = {"hlle_ica": [of_set(seed, variant="small_bump", rows=800, size=20) for seed in range(5)]}
    for preset in ("laptop", "plain", "decoder"):
        result[f"liae {preset}"] = []
        for seed in range(5):
            data = {"name": "manifolds", "variant": "small_bump", "rows": 800, "size": 20, "seed": seed}
            result[f"liae {preset}"].append(trained("liae", preset, data, seed))
            print(preset, result[f"liae {preset}"][-1], flush=True)
            keep("small_bumps", result)
    return result


def three_factors(_: argparse.Namespace) -> Row:
    return {"rows": [of_set(seed, variant="two_bumps", rows=2_000) for seed in range(5)]}


def faces(arguments: argparse.Namespace) -> Row:
    stored = np.load(arguments.faces)
    x, z = flat(stored["images"]), stored["values"]
    result: Row = {"pca_ica": score(pca_ica(x, 3), z), "hlle_ica": [], "isomap_ica": []}
    for neighbours in range(11, 21):
        codes = embedded(x, 3, n_neighbors=neighbours)
        scores = mcc_rotated(codes, z)
        each = np.abs(np.corrcoef(codes.T, z.T)[:3, 3:]).max(0).round(3).tolist()
        row = {"neighbours": neighbours, **{key: round(value, 4) for key, value in scores.items()}, "by factor": each}
        result["hlle_ica"].append(row)
    for neighbours in (6, 8, 10):
        codes = embedded(x, 3, n_neighbors=neighbours, embedding="isomap")
        result["isomap_ica"].append({"neighbours": neighbours, "mcc": score(codes, z)})
    result["mean over 11 to 20"] = round(float(np.mean([row["mcc"] for row in result["hlle_ica"]])), 4)
    result["mean of rotations"] = round(float(np.mean([row["rotated"] for row in result["hlle_ica"]])), 4)
    return result


def few_scores(seed: int, **settings: Any) -> Row:
    dataset = Manifold(ManifoldsSettings(seed=seed, **settings))
    x, z = flat(dataset.images(np.arange(len(dataset)))), dataset.values
    codes = embedded(x, 2)
    linear = score(pca_ica(x, 2), z)
    return {"seed": seed, "hlle_ica": score(codes, z), "r2": round(linear_r2(codes, z), 3), "pca_ica": linear}


def must_lose(_: argparse.Namespace) -> Row:
    result: Row = {}
    for factors, seeds in (("gaussian", 10), ("uniform", 10), ("two_peaked", 5), ("laplacian", 5)):
        rows = [few_scores(seed, variant="wide_bump", factors=factors) for seed in range(seeds)]
        result[factors] = {"spread": round(float(np.ptp([row["hlle_ica"] for row in rows])), 4), "rows": rows}
    for variant in ("shaded_bump", "hue_and_size"):
        result[variant] = [few_scores(seed, variant=variant) for seed in range(5)]
    return result


def through_rooms(_: argparse.Namespace) -> Row:
    from unweave.editing.box import draw_box
    from unweave.method import Sampling

    result: Row = {}
    statistics = unweave.load("builtin:rooms").statistics()
    spread = statistics.quantiles[95] - statistics.quantiles[5]
    first = np.argsort(-spread)[:4].tolist()
    for units in (first[:2], first[2:], first[:3]):
        box = draw_box("builtin:rooms", units, rows=2_000, image=[0], sampling=Sampling("dpmsolver++", 5))
        name = "-".join(map(str, units))
        shown = tiles(box.images[:24], [""] * 24, columns=8, title=f"units {name} of builtin:rooms vary")
        save_picture(shown, RESULTS / f"local_isometry_rooms_{name}.png", overwrite=True)
        try:
            result[name] = both(flat(box.images), box.values)
        except ValueError as error:
            result[name] = {"refused": str(error), "pca_ica": score(pca_ica(flat(box.images), len(units)), box.values)}
        print(name, result[name], flush=True)
        keep("through_rooms", result)
    return result


def rivals(_: argparse.Namespace) -> Row:
    result: Row = {}
    for method, preset, changes in (
        ("liae", "laptop", {}), ("liae", "plain", {}), ("liae", "irmae", {}),
        ("betavae", "laptop", {"units": 2, "beta": 1.0}), ("betavae", "laptop", {"units": 2, "beta": 1229.0}),
    ):  # fmt: skip
        name = f"{method} {preset} {changes}"
        data = {"name": "manifolds", "variant": "wide_bump", "rows": 1_000}
        result[name] = [trained(method, preset, {**data, "seed": seed}, seed, changes) for seed in range(2)]
        print(name, result[name], flush=True)
        keep("rivals", result)
    return result


def small_rivals(_: argparse.Namespace) -> Row:
    """The networks of `betavae` want sides that are multiples of 16, so its pictures have 32; its budget is short."""
    data = {"name": "manifolds", "variant": "small_bump", "rows": 800, "seed": 0}
    result: Row = {"liae decoder": trained("liae", "decoder", {**data, "size": 20}, 0)}
    for beta in (1.0, 1229.0):
        changes = {"units": 2, "beta": beta}
        result[f"betavae {beta:g}"] = trained("betavae", "laptop", {**data, "size": 32}, 0, changes, images=20_000)
    return result


def cost(_: argparse.Namespace) -> Row:
    result: Row = {}
    for count in (1_000, 10_000, 50_000):
        dataset = Manifold(ManifoldsSettings(variant="wide_bump", rows=count))
        x = dataset.images(np.arange(count)).reshape(count, -1).astype(np.float32)
        began = time.perf_counter()
        codes = manifold.LocalIsometry(2, random_state=0).fit(x).transform(x)
        result[f"{count} rows"] = {
            "seconds": round(time.perf_counter() - began, 1), "mcc": score(codes, dataset.values),
            "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "estimate_gib": round(manifold.needed_memory(min(count, 10_000), x.shape[1], 12, "hessian") / 2**30, 2),
        }  # fmt: skip
        print(count, result[f"{count} rows"], flush=True)
    return result


PARTS: dict[str, Callable[[argparse.Namespace], Row]] = {
    "1": wide_bump, "2": small_bumps, "3": three_factors, "4": faces, "5": must_lose, "6": through_rooms, "7": rivals,
    "8": cost, "9": small_rivals,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--faces", type=Path, default=Path("isomap_faces.npz"))
    arguments = parser.parse_args()
    for part in arguments.parts:
        result = PARTS[part](arguments)
        print(part, json.dumps(result), flush=True)
        keep(PARTS[part].__name__, result)


if __name__ == "__main__":
    main()
