"""Results of studies side by side: what is known of each method on each data set, and how surely."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from unweave.evaluation.protocols import NULLS
from unweave.evaluation.published import PublishedScore, published_like
from unweave.evaluation.seeds import Interval, t_interval
from unweave.studies.grouping import ScoreKey, by_data_set, by_method, score_key
from unweave.studies.ranking import (
    BySeed,
    Difference,
    Rank,
    VarianceShares,
    difference,
    mean_ranks,
    rank_correlation,
    ranks,
    variance_shares,
)
from unweave.studies.rows import REPORT, ResultRow, read_results

NOT_RESULTS = "not results"
"""What the title of a small form begins with."""

HEADS = {
    ("dci@1", "disentanglement"): "DCI D",
    ("dci@1", "completeness"): "DCI C",
    ("dci@1", "informativeness"): "DCI I",
    ("dci-2k@1", "disentanglement"): "DCI D (2k)",
    ("factorvae@1", "eval_accuracy"): "FactorVAE",
    ("betavae@1", "eval_accuracy"): "BetaVAE",
    ("mig@1", "mig"): "MIG",
    ("sap@1", "sap"): "SAP",
    ("med@1", "disentanglement"): "MED",
    ("med@1", "top1_disentanglement"): "MED top-1",
    ("med@1", "top2_disentanglement"): "MED top-2",
    ("med@1", "completeness"): "MED completeness",
    ("med@1", "informativeness"): "MED accuracy",
    ("med-unreduced@1", "disentanglement"): "MED, vectors",
    ("med-unreduced@1", "top2_disentanglement"): "MED top-2, vectors",
    ("mcc@1", "mcc"): "MCC",
    (REPORT, "swap consistency"): "swap consistency",
    (REPORT, "live units"): "live units",
}
"""The heads of columns, in their order; other scores come after them. The first that most methods have ranks them."""


class Cell(NamedTuple):
    """A score of a method on a data set."""

    interval: Interval
    null: float | None  # the mean over the runs
    null_spread: float | None
    rows: tuple[ResultRow, ...]  # the runs behind it


@dataclass(frozen=True)
class Standing:
    """A method on a data set."""

    label: str
    images: int | None
    seeds: int
    seconds: float | None  # mean of training
    cells: Mapping[ScoreKey, Cell]
    rank: Rank | None
    behind: Difference | None  # how far the first is above it, None for the first itself


@dataclass(frozen=True)
class DataBoard:
    """All methods on a data set, the best first."""

    data: str
    about: str
    keys: tuple[ScoreKey, ...]
    ranked_by: ScoreKey  # the first that most methods have
    standings: tuple[Standing, ...]
    published: Mapping[ScoreKey, Sequence[PublishedScore]]  # of this protocol and these very data
    shares: VarianceShares | None
    verdicts: Mapping[str, Mapping[ScoreKey, float]]  # rank correlation of what needs no labels with scores


@dataclass(frozen=True)
class Leaderboard:
    """A page of results."""

    title: str
    boards: tuple[DataBoard, ...]
    overall: Mapping[str, Interval]  # mean rank over data sets
    overall_by: ScoreKey | None  # the score of these ranks, None where no score is on all data sets
    rows: tuple[ResultRow, ...]
    failed: Mapping[str, str] = field(default_factory=dict)  # log of each run that was set aside


def load_results(paths: Iterable[Path | str]) -> list[ResultRow]:
    """The rows of several studies, tables or records. Raises LookupError and SettingsError for what is none."""
    rows = [row for path in paths for row in read_results(Path(path))]
    return list(dict.fromkeys(rows))


def leaderboard(rows: Sequence[ResultRow], *, title: str = "Results") -> Leaderboard:
    """Everything that these rows say, by data set.

    Two sets of one name and other content, one method at two budgets, and scores of other numbers of rows stand apart;
    of several runs with one seed the last counts. Intervals are 95 % t-intervals
    over training seeds, of three or more; a single run has none.
    """
    by_data = {data: by_method(of_data) for data, of_data in by_data_set(rows).items()}
    keys = {data: _keys(by_label) for data, by_label in by_data.items()}
    by_data = {data: by_label for data, by_label in by_data.items() if keys[data]}
    boards = tuple(_board(data, keys[data], by_label) for data, by_label in by_data.items())
    shared = [key for key in _in_order(key for board in boards for key in board.keys)
              if all(key in board.keys for board in boards)]  # fmt: skip
    key = _ranking_key(shared, [of_label for by_label in by_data.values() for of_label in by_label.values()])
    ranked = {data: _scores(by_label, key) for data, by_label in by_data.items()} if key else {}
    return Leaderboard(title, boards, mean_ranks(ranked), key, tuple(rows))


def by_seed(rows: Iterable[ResultRow], key: ScoreKey) -> dict[int, float]:
    """The score of every seed; of two runs with one seed, the last."""
    return {row.seed: row.value for row in rows if score_key(row) == key}


def _in_order(keys: Iterable[ScoreKey]) -> tuple[ScoreKey, ...]:
    """Each once, as HEADS has them, and then the others, without those of nulls and of training rows."""
    found = dict.fromkeys(key for key in keys if key[0] not in NULLS.values() and "train" not in key[1].split("_"))
    return (*(key for key in HEADS if key in found), *(key for key in found if key not in HEADS))


def _keys(by_label: Mapping[str, list[ResultRow]]) -> tuple[ScoreKey, ...]:
    return _in_order(score_key(row) for of_label in by_label.values() for row in of_label)


def _ranking_key(keys: Sequence[ScoreKey], methods: Sequence[Iterable[ResultRow]]) -> ScoreKey | None:
    """The first that more than half of the methods have; where there is none, the first that as many have as any."""
    counts = {key: sum(any(score_key(row) == key for row in rows) for rows in methods) for key in keys}
    enough = min(len(methods) // 2 + 1, max(counts.values(), default=0))
    return next((key for key in keys if counts[key] >= enough), None)


def _scores(by_label: Mapping[str, list[ResultRow]], key: ScoreKey) -> dict[str, BySeed]:
    """The score of every method that has it."""
    scores = {label: by_seed(of_label, key) for label, of_label in by_label.items()}
    return {label: values for label, values in scores.items() if values}


def _board(data: str, keys: tuple[ScoreKey, ...], by_label: Mapping[str, list[ResultRow]]) -> DataBoard:
    ranked_by = _ranking_key(keys, [*by_label.values()])
    assert ranked_by is not None
    scores = _scores(by_label, ranked_by)
    placed = ranks(scores)
    order = sorted(by_label, key=lambda label: placed[label].place if label in placed else len(by_label) + 1)
    standings = []
    for label in order:
        rows = by_label[label]
        seconds = {row.run: row.seconds for row in rows if row.seconds is not None}
        behind = difference(scores[order[0]], scores[label], order[0]) if label in scores else None
        standings.append(
            Standing(
                label=label,
                images=rows[0].images,
                seeds=len({row.seed for row in rows}),
                seconds=sum(seconds.values()) / len(seconds) if seconds else None,
                cells={key: cell for key in keys if (cell := _cell(rows, key)) is not None},
                rank=placed.get(label),
                behind=None if label == order[0] else behind,
            )
        )
    every = [row for of_label in by_label.values() for row in of_label]
    runs = [
        (row.method, label, row.value)
        for label, of_label in by_label.items()
        for row in of_label
        if score_key(row) == ranked_by
    ]
    first = next((row for row in every if not row.source), every[0])
    return DataBoard(
        data=data,
        about=_about(first),
        keys=keys,
        ranked_by=ranked_by,
        standings=tuple(standings),
        published={key: found for key in keys if (found := _published(first, key))},
        shares=variance_shares(runs),
        verdicts=_verdicts(every, keys),
    )


def _cell(rows: Sequence[ResultRow], key: ScoreKey) -> Cell | None:
    behind = tuple(row for row in rows if score_key(row) == key)
    if not behind:
        return None
    nulls = [row.null for row in behind if row.null is not None]
    spreads = [row.null_spread for row in behind if row.null_spread is not None]
    return Cell(t_interval([row.value for row in behind]), _mean(nulls), _mean(spreads), behind)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _about(row: ResultRow) -> str:
    said = [f"{row.data_images:,} images" if row.data_images else "", row.data_shape]
    said += [f"factors of {row.factor_sizes} values" if row.factor_sizes else ""]
    return ", ".join(text for text in said if text)


def _published(row: ResultRow, key: ScoreKey) -> list[PublishedScore]:
    """Published numbers of the same protocol on the same data; none where anything of the data is not known."""
    if not (row.data_images and row.data_shape and row.factor_sizes):
        return []
    sizes = [int(size) for size in row.factor_sizes.split()]
    shape = [int(side) for side in row.data_shape.split("x")]
    data = {"name": row.data, "images": row.data_images, "shape": shape, "factor_sizes": sizes}
    return published_like(data, *key)


def _verdicts(rows: Sequence[ResultRow], keys: Iterable[ScoreKey]) -> dict[str, dict[ScoreKey, float]]:
    told = {(row.run, row.score): row.value for row in rows if row.protocol == REPORT}
    found: dict[str, dict[ScoreKey, float]] = {}
    for name in dict.fromkeys(name for _, name in told):
        for key in keys:
            scored = [row for row in rows if score_key(row) == key and (row.run, name) in told]
            pairs = [(told[row.run, name], row.value) for row in scored]
            correlation = None if key[0] == REPORT else rank_correlation(pairs)
            if correlation is not None:
                found.setdefault(name, {})[key] = correlation
    return found
