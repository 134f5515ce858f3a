"""Rows of results by what they are of: a data set, and on it a method."""

from collections.abc import Iterable

from unweave.studies.rows import ResultRow

WITH_LABELS = " (with labels)"
"""How the name of a method ends that has seen labels in training (`Run.method_title`)."""

ScoreKey = tuple[str, str]
"""Protocol and score."""


def score_key(row: ResultRow) -> ScoreKey:
    return (row.protocol, row.score)


def by_data_set(rows: Iterable[ResultRow]) -> dict[str, list[ResultRow]]:
    """Rows by data set; of one whose digest is not known, with those that are called the same."""
    digests: dict[str, list[str]] = {}
    groups: dict[str, list[ResultRow]] = {}
    for row in sorted(rows, key=lambda row: not row.data_digest):
        known = digests.setdefault(row.data, [])
        if row.data_digest and row.data_digest not in known:
            known.append(row.data_digest)
        number = known.index(row.data_digest) if row.data_digest else 0
        groups.setdefault(row.data if number == 0 else f"{row.data} ({row.data_digest})", []).append(row)
    return groups


def by_method(rows: Iterable[ResultRow]) -> dict[str, list[ResultRow]]:
    """Rows by method, which says where it has seen labels, and by budget and scored rows where it has several.

    Of each score and seed the last row is there, an imported one only beside no other. Reports, and scores of unknown
    rows, are with the most rows.
    """
    rows = list(rows)
    budgets: dict[str, set[int | None]] = {}
    sizes: dict[tuple[str, int | None], dict[ScoreKey, set[int]]] = {}
    for row in rows:
        budgets.setdefault(row.label, set()).add(row.images)
        of_key = sizes.setdefault((row.label, row.images), {}).setdefault(score_key(row), set())
        of_key |= set() if row.scored_rows is None else {row.scored_rows}
    groups: dict[str, dict[tuple[ScoreKey, int], ResultRow]] = {}
    for row in rows:
        label = row.label + WITH_LABELS * row.method.endswith(WITH_LABELS)
        if len(budgets[row.label]) > 1:
            label += ", budget unknown" if row.images is None else f", {row.images:,} images"
        of_keys = sizes[row.label, row.images].values()
        if any(len(of_key) > 1 for of_key in of_keys):
            label += f", {row.scored_rows or max(set().union(*of_keys)):,} rows scored"
        of_label, key = groups.setdefault(label, {}), (score_key(row), row.seed)
        if not (row.source and key in of_label):
            of_label[key] = row
    return {label: [*of_label.values()] for label, of_label in groups.items()}
