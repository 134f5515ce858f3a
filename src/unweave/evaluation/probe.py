"""The verb that probes: how well does a linear model read factors, attributes or numbers from a run's codes?"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from unweave import progress
from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.data.reading import table_columns
from unweave.data.reading.labels import match_rows
from unweave.data.reading.text_tables import is_text_table, read_text_table
from unweave.data.sets import lfw
from unweave.evaluation.metrics import linear_probe
from unweave.evaluation.metrics.linear_probe import ProbeScores, ProbeSplit, ProbeTable
from unweave.files import read_json, write_json
from unweave.runs.codes import encode_rows
from unweave.runs.data import dataset_for, view_settings
from unweave.runs.lock import one_writer
from unweave.runs.run import Run
from unweave.types import Rows, Weights

logger = logging.getLogger("unweave")

ROWS = 50_000
"""Rows of each part that are encoded at most, unless the protocol is the published one, which takes them all."""

PARTS = ("train", "valid", "test")


class ProbeTargets(NamedTuple):
    """What is to be read from codes, for every row of a data set."""

    names: list[str]
    values: np.ndarray  # [rows, targets]; NaN rows have none


@dataclass(frozen=True)
class ProbeResult:
    """What linear models read from the codes of a run, and how that was measured."""

    protocol: str
    data: dict[str, Any]  # name and digest; settings, where they were given
    targets_of: str  # "factors", or the file of the targets
    rows: dict[str, int]  # of train, valid and test
    splits: str  # who made them
    test_rows_in_training: int | None  # of the run's own, unlabelled training set; None for other data
    seed: int
    weights: str
    scored_weights: Weights
    targets: dict[str, dict[str, float | None]]  # target -> score -> value; None where it cannot be measured
    mean: dict[str, float | None]  # over the targets that have the score

    def to_json(self) -> dict[str, Any]:
        """As probes.json keeps it."""
        return asdict(self)


def probe(
    run: Run | str | Path,
    *,
    data: str | Mapping[str, Any] | None = None,
    targets: str | Path | None = None,
    labels: int | None = None,
    published: bool = False,
    rows: int | None = None,
    seed: int = 0,
    weights: Weights | None = None,
) -> ProbeResult:
    """What linear models read from the codes of a run, target by target; written to the run's probes.json.

    Targets are the factors of the data set (its own, or of `data`: a name, a path, or a table of settings): attributes
    of yes and no are ranked (`average_precision`, and `accuracy`), other factors classified (`accuracy`). With
    `targets`, a file of real-valued numbers with a row for each image (.npy, .csv, .tsv, .txt, an array of an .npz as
    FILE.npz:NAME, or lfw_attributes.txt), they are regressed (`r`, `mse`). Training, validation and test rows are the
    publishers' splits, else random 80, 10 and 10 %; a set with no validation split gives a tenth of its training rows.
    At most `rows` of each part are encoded (50,000 if None), by the weights that the method's authors scored. With
    `labels`, that many training rows of each class.

    `published` uses DiTi's own protocol (`linear_probe.probe_with_adam`), on all rows if `rows` is None, which for
    numbers keeps the epoch that is best on the *test* rows. Raises ValueError where there is nothing to read, and where
    rows and targets differ in number.
    """
    run = run if isinstance(run, Run) else Run(run)
    weights = weights or run.scored_weights()
    # without the view of the training set: splits are of the full set
    dataset = dataset_for(run, data, "all")
    view = view_settings(run)
    if labels is not None and (targets is not None or published):
        raise ValueError("labels=N takes N rows of each class: it needs classes, and the probe of this library.")
    target_table = number_targets(dataset, targets) if targets is not None else _factor_targets(dataset)
    if rows is None:
        rows = len(dataset) if published else ROWS
    split_rows = rows_of_splits(
        dataset, target_table, rows, seed, view.split_seed, hold_out=not (published and targets is not None)
    )
    numbers = list(range(len(target_table.names))) if targets is not None else []
    kinds: dict[linear_probe.TargetKind, list[int]] = {"numbers": numbers} if numbers else _kinds(dataset, published)
    method = run.method(weights)
    codes = {name: encode_rows(method, dataset, part).reshape(len(part), -1) for name, part in split_rows.items()}
    tables = ProbeSplit(*(ProbeTable(codes[name], target_table.values[part]) for name, part in split_rows.items()))
    scores: list[dict[str, float | None]] = [{} for _ in target_table.names]
    for kind, columns in kinds.items():
        of_kind = ProbeSplit(*(ProbeTable(part.units, part.targets[:, columns]) for part in tables))
        probed = _fit_probe(of_kind, kind, labels, published, seed)
        for position, j in enumerate(columns):
            scores[j] |= {score: _finite_or_none(values[position]) for score, values in probed.scores.items()}
            for score, values in probed.chance.items():  # a target that cannot be measured has none either
                scores[j][f"chance of {score}"] = (
                    None if scores[j][score] is None else _finite_or_none(values[position])
                )
            scores[j]["epoch" if published else f"penalty of {kind}"] = _finite_or_none(probed.chosen[position])
    names = dict.fromkeys(score for target in scores for score in target)
    averaged = [score for score in names if not score.startswith(("epoch", "penalty"))]
    whole = views.base_dataset(dataset)
    trained = views.apply_view(whole, view) if data is None else None
    settings = {"settings": {key: str(value) for key, value in data.items()}} if isinstance(data, Mapping) else {}
    result = ProbeResult(
        protocol=_protocol_id(list(kinds), labels, published),
        data={"name": dataset.name, "digest": dataset.digest(), **settings},
        targets_of=str(targets) if targets is not None else "factors",
        rows={name: len(part) for name, part in split_rows.items()},
        splits="the publishers'" if dataset.splits else f"random, seed {view.split_seed}",
        test_rows_in_training=None
        if trained is None
        else int(np.isin(split_rows["test"], views.base_rows(trained, np.arange(len(trained)))).sum()),
        seed=seed,
        weights=run.digest(),
        scored_weights=weights,
        targets=dict(zip(target_table.names, scores)),
        mean={score: _mean([target[score] for target in scores if score in target]) for score in averaged},
    )
    try:
        with one_writer(run.path):
            _store(run, result)
    except OSError as error:
        logger.warning("the result is not kept: %s", error)
    return result


def _fit_probe(
    tables: ProbeSplit, kind: linear_probe.TargetKind, labels: int | None, published: bool, seed: int
) -> ProbeScores:
    if published and kind != "classes":
        return linear_probe.probe_with_adam(tables, kind, seed=seed)
    if kind == "numbers":
        return linear_probe.probe_numbers(tables)
    fit = linear_probe.probe_attributes if kind == "attributes" else linear_probe.probe_classes
    return fit(tables, labels=labels, seed=seed)


def _kinds(dataset: Dataset, published: bool) -> dict[linear_probe.TargetKind, list[int]]:
    """The factors to rank (yes or no), and the others, to classify, which have no published probe."""
    binary = [j for j, size in enumerate(dataset.factor_sizes) if size == 2]
    others = [j for j, size in enumerate(dataset.factor_sizes) if size != 2]
    if published and not binary:
        raise ValueError(
            f"the published probes are of attributes (yes or no) and of numbers; the factors of {dataset.name} are "
            "classes: leave published out."
        )
    kinds: dict[linear_probe.TargetKind, list[int]] = {"attributes": binary} if binary else {}
    return kinds if published or not others else {**kinds, "classes": others}


def _protocol_id(kinds: Sequence[linear_probe.TargetKind], labels: int | None, published: bool) -> str:
    words = {"classes": "accuracy", "attributes": "ap", "numbers": "regression"}
    measured = "+".join(words[kind] for kind in kinds)
    return f"probe-{measured}{'-adam' if published else ''}{'' if labels is None else f'-{labels}'}@2"


def rows_of_splits(
    dataset: Dataset, targets: ProbeTargets, rows: int, seed: int, split_seed: int = 0, hold_out: bool = True
) -> dict[str, Rows]:
    """The rows of training, validation and test that have targets, at most `rows` of each.

    Where the publishers have no validation split, it is a tenth of the training rows; without `hold_out` these stay in
    training as well, for a protocol that looks at no validation.
    """
    finite = np.isfinite(targets.values.astype(np.float64))
    complete = np.asarray(finite.all(1))
    if not complete.any():
        empty = [name for name, has_values in zip(targets.names, np.asarray(finite.any(0)).tolist()) if not has_values]
        raise ValueError(f"no row has all targets as finite numbers{': ' if empty else ''}{', '.join(empty)}.")
    if not dataset.splits and len(dataset) < 10:
        raise ValueError(f"{dataset.name} has {len(dataset)} images: too few to split; a probe needs ten or more.")
    random = np.random.default_rng(seed)
    if dataset.splits and not {"train", "test"} <= set(dataset.splits):
        raise ValueError(f"{dataset.name} has the splits {', '.join(dataset.splits)}: a probe needs train and test.")
    names = dataset.splits or PARTS
    splits = {name: views.split_rows(dataset, name, split_seed) for name in PARTS if name in names}
    if "valid" not in splits:
        train = random.permutation(splits["train"])
        splits["valid"] = train[: max(1, len(train) // 10)]
        splits["train"] = train[len(splits["valid"]) :] if hold_out else train
    result = {}
    for name in PARTS:
        part = splits[name][complete[splits[name]]]
        result[name] = np.sort(random.permutation(part)[:rows])
        if not len(part):
            raise ValueError(f"the split {name!r} of {dataset.name} has no rows with targets.")
    return result


def _factor_targets(dataset: Dataset) -> ProbeTargets:
    values = dataset.factors(np.arange(len(dataset)))
    if values is None:
        raise ValueError(f"{dataset.name} has no known factors: give numbers to predict, with targets=FILE.")
    return ProbeTargets(list(dataset.factor_names), values)


def number_targets(dataset: Dataset, source: str | Path) -> ProbeTargets:
    """Real-valued targets of every row of the data set."""
    path, _, key = str(source).partition(".npz:")
    file = Path(f"{path}.npz" if key else path)
    if not file.is_file():
        raise ValueError(f"there is no file {str(file)!r} with targets.")
    if file.name == lfw.TABLE:
        scores = lfw.read_scores(file)
        line_of = {name: i for i, name in enumerate(scores.files)}
        lines = [line_of.get(name, -1) for name in dataset.files]
        if not lines or max(lines) < 0:
            raise ValueError(f"{file} has scores of other pictures than those of {dataset.name}.")
        table = scores.values[lines]
        table[np.array(lines) < 0] = np.nan
        return ProbeTargets(list(scores.names), table)
    names: list[str] = []
    try:
        if is_text_table(file):
            names, table = _text_targets(file, dataset)
        else:
            loaded = np.load(file, allow_pickle=False)
            table = np.asarray(loaded[key] if key else loaded, np.float64)
    except (KeyError, ValueError, OSError, TypeError, IndexError, EOFError, BadZipFile) as error:
        reason = str(error).splitlines()[0].removeprefix(f"{file}:").removeprefix(str(file)).strip().rstrip(".")
        raise ValueError(
            f"{source} cannot be read as numbers: {reason}. Give a .npy or .csv (.tsv, .txt) with "
            "a row for each image, or an array of an .npz as FILE.npz:NAME."
        ) from None
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != len(dataset) or not table.shape[1]:
        raise ValueError(
            f"{source} has an array of shape {list(table.shape)}; {dataset.name} needs one row for each of its "
            f"{len(dataset):,} images."
        )
    if names and (len(names) != table.shape[1] or len(set(names)) < len(names) or "" in names):
        raise ValueError(
            f"{source} has {table.shape[1]} columns of numbers under the names {', '.join(names)}: give each its own."
        )
    return ProbeTargets(names or [f"target {j}" for j in range(table.shape[1])], table.astype(np.float64))


def _text_targets(file: Path, dataset: Dataset) -> tuple[list[str], np.ndarray]:
    """The names ([] for none) and numbers of a text table, NaN where one is missing; says what was taken.

    Rows are in the order of the file, or in the order of the images where a column names their files. Columns that only
    say which row it is are left out.
    """
    table = read_text_table(file, rows=len(dataset))
    taken, left_out, order = [], [], np.arange(table.rows)
    for position, column in enumerate(table.columns):
        nameless = position == 0 and table.has_header and not column.name
        reason = table_columns.why_no_values(column, nameless, classes=False)
        if reason is None:
            taken.append(column)
            continue
        if reason == table_columns.NAMES_FILES and dataset.files:
            order = np.array(match_rows(column.cells, dataset.files, str(file)), np.int64)
            reason += ", by which rows were matched with images"
        left_out.append(f"column {position + 1}{f' ({column.name})' if column.name else ''}, as {reason}")
    if not taken:
        raise ValueError(f"no column is left: {'; '.join(left_out)}")
    values = np.stack([table_columns.to_numbers(column, "it") for column in taken], axis=1)[order]
    empty = int((~np.isfinite(values)).any(1).sum())
    said = [f"{file}: {table.dialect()}; {len(taken)} target{'s' * (len(taken) > 1)}"]
    said += [f"{empty:,} rows have a target missing and are not used"] if empty else []
    said += [f"left out: {'; '.join(left_out)}"] if left_out else []
    progress.message("; ".join(said) + ".")
    return [column.name for column in taken] if table.has_header else [], values


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _store(run: Run, result: ProbeResult) -> None:
    """probes.json: by what was probed and how, so that another probe does not overwrite this one."""
    path = run.path / "probes.json"
    try:
        earlier = read_json(path) if path.exists() else {}
    except ValueError as error:
        kept = path.with_suffix(".damaged.json")
        logger.warning("%s It is kept as %s.", error, kept.name)
        path.rename(kept)
        earlier = {}
    rows = ", ".join(map(str, result.rows.values()))
    key = (
        f"{result.protocol}: {result.targets_of} of {result.data['name']} ({result.data['digest']}), "
        f"rows {rows}, seed {result.seed}, {result.scored_weights} weights {result.weights}"
    )
    write_json(path, {**earlier, key: result.to_json()})
