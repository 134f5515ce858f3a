"""Edit precision: does swapping one unit change one factor, and to the value asked for? Ours, from no paper."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from unweave.data.factors import FactorGrid
from unweave.evaluation.metrics.image_probe import Classes, Probe
from unweave.types import FactorTable, Pixels, Rows

Render = Callable[[Rows, Rows, int], Pixels]
"""First rows, second rows, factor -> true images of the first rows with that factor's value from the second."""


class Editor(NamedTuple):
    """Images that a model makes from rows of a data set; the only view of the model."""

    units: int
    edit: Callable[[Rows, Rows, int], Pixels]  # the first rows with this unit taken from the second
    reconstruct: Callable[[Rows], Pixels]  # the rows with no unit changed; from the same x_T as `edit`, if any


class Shares(NamedTuple):
    """Per measured factor, in [0, 1]."""

    precision: list[float]
    reach: list[float]


class EditPrecision(NamedTuple):
    """The two means, what they are made of, and what to hold beside them. Lists run over the measured `factors`."""

    precision: float
    reach: float
    factors: list[int]  # columns of the factor table that vary
    pairs: list[int]  # measured pairs that differ in each
    unit: list[int]  # i*, the unit assigned to each
    assigned: Shares
    changes: list[list[float]]  # L[unit][factor] on the measured pairs
    probe_accuracy: list[float]
    ceiling: Shares | None  # true re-renders in the place of edits; None without a renderer
    random_unit: Shares  # the mean over all units: what a random one would get
    unedited_changes: list[float]  # reconstructions whose predicted label is not the row's own class
    unedited_reach: list[float]  # reconstructions whose predicted label is the partner's class


def edit_precision(
    editor: Editor,
    probe: Probe,
    rows: Rows,
    factors: Classes,
    *,
    render: Render | None = None,
    pairs: tuple[int, int] = (256, 1_024),
    seed: int = 0,
) -> EditPrecision:
    """How purely and how truly swapped units change factors; both means in [0, 1], higher is better.

    Our own metric. Pairs of rows are random; unit i of the second goes into the first, and the probe labels the result.
    L[i, j] is the share, among pairs that differ in factor j, where the predicted label j of the edit is not that of
    the unedited reconstruction of the first row. i*(j) is the unit of the largest L[., j] on `pairs[0]` pairs of one
    half of the rows; a tie goes to the unit with the larger share L[i, j] / sum_j' L[i, j'], then to the lower number.
    On `pairs[1]` pairs of the other half, precision_j = L[i*, j] / sum_j' L[i*, j'] and reach_j is the share, among
    pairs that differ in factor j, where the predicted label j of the edit by i* is the partner's class.

    `factors` are the classes of `rows`; a factor that is constant there is left out. Beside the scores stand the
    probe's accuracy, the ceiling (the same with `render` for edits, and factors for units), and the floors: a random
    unit, and the unedited reconstruction. A unit that changes no label has precision 0. Chance is about 1 / factors.

    Known defects: the scores are no better than the probe, whose errors on blurred or odd images count as changes; a
    change of a factor that both rows share goes unseen; several factors may be assigned the same unit, so one unit that
    changes all K gives each 1 / K; a model that shows other images than its rows, but consistently, loses reach only.
    `edit` is called once per unit and half with all its pairs, so it has to work in batches of its own.

    Raises ValueError for tables that do not fit together, fewer than 4 rows, only constant factors, a factor in which
    no drawn pair differs, and images or labels of the wrong number.
    """
    measured = _varying(editor, probe, rows, factors)
    random = np.random.default_rng(seed)
    order = random.permutation(len(rows))
    assigning, measuring = (
        _pairs(half, count, factors[:, measured], random) for half, count in zip(np.array_split(order, 2), pairs)
    )

    def outcome(pair: _Pairs) -> _Outcome:
        first, second = rows[pair.first], rows[pair.second]
        shape = len(first), factors.shape[1]
        before = _labels(probe, editor.reconstruct(first), "reconstruct", shape)[:, measured]
        edits = (editor.edit(first, second, unit) for unit in range(editor.units))
        after = [_labels(probe, images, "edit", shape)[:, measured] for images in edits]
        return _Outcome(before, np.stack(after))

    assigning_outcome, measuring_outcome = outcome(assigning), outcome(measuring)
    unit = _assign(_changed(assigning, assigning_outcome))
    changes, reach = _changed(measuring, measuring_outcome), _reached(measuring, measuring_outcome)
    columns = np.arange(len(measured))
    assigned = _shares(_pure(changes)[unit, columns], reach[unit, columns])
    differ = measuring.own != measuring.theirs
    return EditPrecision(
        precision=float(np.mean(assigned.precision)),
        reach=float(np.mean(assigned.reach)),
        factors=measured,
        pairs=differ.sum(0).tolist(),
        unit=unit.tolist(),
        assigned=assigned,
        changes=changes.tolist(),
        probe_accuracy=[probe.accuracy[j] for j in measured],
        ceiling=None if render is None else _ceiling(render, probe, rows, factors, measured, measuring),
        random_unit=_shares(_pure(changes).mean(0), reach.mean(0)),
        unedited_changes=_rate(measuring_outcome.before != measuring.own, differ).tolist(),
        unedited_reach=_rate(measuring_outcome.before == measuring.theirs, differ).tolist(),
    )


def summary(measured: EditPrecision) -> dict[str, float]:
    """The means over the measured factors of everything a table of results should show, under a name each."""
    context = {
        "probe_accuracy": measured.probe_accuracy,
        "random_unit_precision": measured.random_unit.precision,
        "random_unit_reach": measured.random_unit.reach,
        "unedited_changes": measured.unedited_changes,
        "unedited_reach": measured.unedited_reach,
    }
    if measured.ceiling is not None:
        context |= {"ceiling_precision": measured.ceiling.precision, "ceiling_reach": measured.ceiling.reach}
    scores = {"edit_precision": measured.precision, "reach": measured.reach}
    return scores | {name: float(np.mean(values)) for name, values in context.items()}


def render_from_grid(grid: FactorGrid, images: Callable[[Rows], Pixels]) -> Render:
    """The renderer of a data set whose rows are a complete grid of factors: it looks up the row."""

    def render(first: Rows, second: Rows, factor: int) -> Pixels:
        classes = grid.factors(first)
        classes[:, factor] = grid.factors(second)[:, factor]
        return images(grid.index(classes))

    return render


class _Pairs(NamedTuple):
    first: Rows  # positions in the given rows
    second: Rows
    own: FactorTable  # classes of the first
    theirs: FactorTable  # classes of the second


class _Outcome(NamedTuple):
    before: FactorTable  # predicted labels of the unedited images
    after: Int[np.ndarray, "edits rows factors"]


def _varying(editor: Editor, probe: Probe, rows: Rows, factors: Classes) -> list[int]:
    """The factors that can be measured."""
    if len(rows) != len(factors) or len(probe.accuracy) != factors.shape[1] or editor.units < 1:
        raise ValueError(
            f"expected classes of every row, an accuracy of every factor and 1 unit or more, got {len(rows)} rows, "
            f"factors of shape {factors.shape}, {len(probe.accuracy)} accuracies and {editor.units} units."
        )
    if len(rows) < 4:
        raise ValueError(f"each half needs 2 rows for a pair, so 4 in all, got {len(rows)}.")
    varying = np.flatnonzero((factors != factors[0]).any(0)).tolist()
    if not varying:
        raise ValueError("every factor is constant in these rows, so there is nothing to change.")
    return varying


def _pairs(half: Rows, count: int, factors: Classes, random: np.random.Generator) -> _Pairs:
    """Random pairs of two different rows of this half."""
    if count < 1:
        raise ValueError(f"expected 1 pair or more in each half, got {count}.")
    first = random.integers(len(half), size=count)
    second = (first + random.integers(1, len(half), size=count)) % len(half)
    first, second = half[first], half[second]
    own, theirs = factors[first], factors[second]
    if not (own != theirs).any(0).all():
        raise ValueError(
            f"among {count} pairs of {len(half)} rows none differ in one of the factors; give more `pairs` or rows."
        )
    return _Pairs(first, second, own, theirs)


def _ceiling(
    render: Render, probe: Probe, rows: Rows, factors: FactorTable, measured: list[int], pair: _Pairs
) -> Shares:
    first, second = rows[pair.first], rows[pair.second]
    shape = len(first), factors.shape[1]
    before = _labels(probe, render(first, first, measured[0]), "render", shape)[:, measured]
    after = [_labels(probe, render(first, second, j), "render", shape)[:, measured] for j in measured]
    outcome = _Outcome(before, np.stack(after))
    return _shares(np.diag(_pure(_changed(pair, outcome))), np.diag(_reached(pair, outcome)))


def _labels(probe: Probe, images: Pixels, source: str, shape: tuple[int, int]) -> FactorTable:
    if len(images) != shape[0]:
        raise ValueError(f"{source} gave {len(images)} images for {shape[0]} pairs; it must give one for each.")
    labels = np.asarray(probe.label(images))
    if labels.shape != shape:
        raise ValueError(f"expected labels of shape {shape}, got {labels.shape}.")
    return labels


def _changed(pair: _Pairs, outcome: _Outcome) -> Float[np.ndarray, "edits factors"]:
    """L, of every edit and factor."""
    return _rate(outcome.after != outcome.before, pair.own != pair.theirs)


def _reached(pair: _Pairs, outcome: _Outcome) -> Float[np.ndarray, "edits factors"]:
    return _rate(outcome.after == pair.theirs, pair.own != pair.theirs)


def _rate(event: np.ndarray, among: np.ndarray) -> Float[np.ndarray, "*edits factors"]:
    """How often the event happens among the marked pairs, per factor."""
    return (event & among).sum(-2) / among.sum(0)


def _assign(changes: Float[np.ndarray, "units factors"]) -> Int[np.ndarray, "factors"]:
    pure = _pure(changes)
    return np.array([np.lexsort((-pure[:, j], -changes[:, j]))[0] for j in range(changes.shape[1])])


def _pure(changes: Float[np.ndarray, "edits factors"]) -> Float[np.ndarray, "edits factors"]:
    """The share of an edit's changes that each factor takes; 0 for an edit that changes nothing."""
    total = changes.sum(1, keepdims=True)
    return np.divide(changes, total, out=np.zeros_like(changes), where=total > 0)


def _shares(precision: Float[np.ndarray, "factors"], reach: Float[np.ndarray, "factors"]) -> Shares:
    return Shares(precision.tolist(), reach.tolist())
