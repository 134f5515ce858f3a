"""The verb that probes: how well does a linear model read factors, attributes or numbers from a run's codes?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from unweave.data import lfw, views
from unweave.dataset import Dataset
from unweave.evaluation import report
from unweave.evaluation.represent import represent
from unweave.metrics import linear_probe
from unweave.metrics.linear_probe import Part, Parts, Probed
from unweave.run import Run, Weights
from unweave.scoring import fitting
from unweave.tables import Rows

ROWS = 50_000
"""Rows of each part that are encoded at most."""

PARTS = ("train", "valid", "test")


class Targets(NamedTuple):
    """What is to be read from codes, for every row of a data set."""

    names: list[str]
    values: np.ndarray  # [rows, targets]; NaN rows have none


def probe(
    run: Run | str | Path,
    *,
    data: str | None = None,
    targets: str | Path | None = None,
    labels: int | None = None,
    published: bool = False,
    rows: int = ROWS,
    seed: int = 0,
    weights: Weights | None = None,
) -> dict[str, Any]:
    """What linear models read from the codes of a run, target by target; written to the run's probes.json.

    Targets are the factors of the data set (its own, or of `data`): attributes of yes and no are ranked
    (`average_precision`), other factors classified (`accuracy`). With `targets`, a file of real-valued numbers with a
    row for each image (.npy, .csv, an array of an .npz as FILE.npz:NAME, or lfw_attributes.txt), they are regressed
    (`r`, `mse`). Training, validation and test rows are the publishers' splits, else random 80, 10 and 10 %; a set
    with no validation split gives a tenth of its training rows. At most `rows` of each part are encoded, by the weights
    that the method's authors scored. With `labels`, that many training rows of each class.

    `published` uses DiTi's own protocol (`linear_probe.adam`), which for numbers keeps the epoch that is best on the
    *test* rows. Raises ValueError where there is nothing to read, and where rows and targets differ in number.
    """
    opened = run if isinstance(run, Run) else Run(run)
    weights = weights or opened.scored()
    # without the view of the training set: splits are of the full set
    dataset = fitting(opened, data, "all")
    if labels is not None and (targets is not None or published):
        raise ValueError("labels=N takes N rows of each class: it needs classes, and the probe of this library.")
    aims = _numbers(dataset, targets) if targets is not None else _factors(dataset)
    named = parts_of(dataset, aims.values, rows, seed)
    method = opened.method(weights)
    codes = {name: represent(method, dataset, part).reshape(len(part), -1) for name, part in named.items()}
    kind = _kind(dataset, targets)
    tables = Parts(*(Part(codes[name], aims.values[part]) for name, part in named.items()))
    found = _probed(tables, kind, labels, published, seed)
    result: dict[str, Any] = {
        "protocol": _protocol(kind, labels, published),
        "data": {"name": dataset.name, "digest": dataset.digest()},
        "rows": {name: len(part) for name, part in named.items()},
        "seed": seed,
        "weights": opened.digest(),
        "scored_weights": weights,
        "targets": {
            name: {
                **{score: _or_none(values[j]) for score, values in found.scores.items()},
                "chance": found.chance[j],
                "chosen": _or_none(found.chosen[j]),
            }
            for j, name in enumerate(aims.names)
        },
        "mean": {score: _or_none(_mean(values)) for score, values in found.scores.items()},
    }
    _write(opened, result)
    return result


def _probed(tables: Parts, kind: linear_probe.Kind, labels: int | None, published: bool, seed: int) -> Probed:
    if published:
        if kind == "classes":
            raise ValueError("the published probes are of attributes (yes or no) and of numbers; these are classes.")
        return linear_probe.adam(tables, kind, seed=seed)
    if kind == "numbers":
        return linear_probe.numbers(tables)
    read = linear_probe.attributes if kind == "attributes" else linear_probe.classes
    return read(tables, labels=labels, seed=seed)


def _kind(dataset: Dataset, targets: object) -> linear_probe.Kind:
    if targets is not None:
        return "numbers"
    return "attributes" if max(dataset.factor_sizes) <= 2 else "classes"


def _protocol(kind: linear_probe.Kind, labels: int | None, published: bool) -> str:
    what = {"classes": "accuracy", "attributes": "ap", "numbers": "regression"}[kind]
    return f"probe-{what}{'-adam' if published else ''}{'' if labels is None else f'-{labels}'}@2"


def parts_of(dataset: Dataset, values: np.ndarray, rows: int, seed: int) -> dict[str, Rows]:
    """The rows of training, validation and test that have targets, at most `rows` of each."""
    known = np.asarray(np.isfinite(values.astype(np.float64)).all(1))
    random = np.random.default_rng(seed)
    if dataset.splits and not {"train", "test"} <= set(dataset.splits):
        raise ValueError(f"{dataset.name} has the splits {', '.join(dataset.splits)}: a probe needs train and test.")
    split = dict.fromkeys(PARTS) if not dataset.splits else dict.fromkeys(dataset.splits)
    found = {name: views.split_rows(dataset, name, seed) for name in PARTS if name in split}
    if "valid" not in found:
        train = random.permutation(found["train"])
        found["train"], found["valid"] = train[len(train) // 10 :], train[: len(train) // 10]
    result = {}
    for name in PARTS:
        part = found[name][known[found[name]]]
        result[name] = np.sort(random.permutation(part)[:rows])
        if not len(part):
            raise ValueError(f"the split {name!r} of {dataset.name} has no rows with targets.")
    return result


def _factors(dataset: Dataset) -> Targets:
    values = dataset.factors(np.arange(len(dataset)))
    if values is None:
        raise ValueError(f"{dataset.name} has no known factors: give numbers to predict, with targets=FILE.")
    return Targets(list(dataset.factor_names), values)


def _numbers(dataset: Dataset, given: str | Path) -> Targets:
    """Real-valued targets of every row of the data set."""
    path, _, key = str(given).partition(".npz:")
    file = Path(f"{path}.npz" if key else path)
    if not file.is_file():
        raise ValueError(f"there is no file {str(file)!r} with targets.")
    if file.name == lfw.TABLE:
        scores = lfw.values(file)
        at = {name: i for i, name in enumerate(scores.files)}
        lines = [at.get(name, -1) for name in dataset.files]
        if not lines or max(lines) < 0:
            raise ValueError(f"{file} has scores of other pictures than those of {dataset.name}.")
        table = scores.values[lines]
        table[np.array(lines) < 0] = np.nan
        return Targets(list(scores.names), table)
    names: list[str] = []
    try:
        if file.suffix == ".csv":
            head = file.read_text().splitlines()[0].split(",")
            header = not all(_is_number(word) for word in head)
            names = [word.strip() for word in head] if header else []
            table = np.loadtxt(file, delimiter=",", skiprows=int(header), ndmin=2)
        else:
            loaded = np.load(file, allow_pickle=False)
            table = np.asarray(loaded[key] if key else loaded, np.float64)
    except (KeyError, ValueError, OSError, TypeError, IndexError) as error:
        raise ValueError(
            f"{given} cannot be read as numbers: {str(error).splitlines()[0]}. Give a .npy or .csv with a row for each "
            "image, or an array of an .npz as FILE.npz:NAME."
        ) from None
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != len(dataset):
        raise ValueError(
            f"{given} has an array of shape {list(table.shape)}; {dataset.name} needs one row for each of its "
            f"{len(dataset):,} images."
        )
    if not np.isfinite(table).any(1).any():
        raise ValueError(f"{given} has no row of finite numbers.")
    return Targets(names or [f"target {j}" for j in range(table.shape[1])], table.astype(np.float64))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _write(run: Run, result: Mapping[str, Any]) -> None:
    """probes.json: by protocol and data set, so that another probe does not overwrite this one."""
    path = run.path / "probes.json"
    before = json.loads(path.read_text()) if path.is_file() else {}
    report.write({**before, f"{result['protocol']} {result['data']['name']}": dict(result)}, path)


def table(result: Mapping[str, Any], run: str) -> Table:
    """For people."""
    names = list(result["mean"])
    drawn = Table("target", *names, "chance", title=f"Linear probes of {run}: {result['protocol']}")
    for target, found in result["targets"].items():
        drawn.add_row(target, *(_said(found[name]) for name in names), _said(found["chance"]))
    drawn.add_section()
    drawn.add_row("mean", *(_said(result["mean"][name]) for name in names))
    sizes = ", ".join(f"{count:,} {name}" for name, count in result["rows"].items())
    drawn.caption = f"{result['data']['name']}: {sizes} rows; {result['scored_weights']} weights"
    return drawn


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
