from dataclasses import replace

from unweave.evaluation.published import published_like, register
from unweave.studies.leaderboard import leaderboard
from unweave.studies.rows import REPORT, ResultRow


def row(label: str, seed: int, value: float, **changes: object) -> ResultRow:
    blank = ResultRow(f"runs/{label}-{seed}", label, label.split()[0], "sprites", data_digest="d1", images=64,
                      seed=seed, seconds=2.0, protocol="mig@1", score="mig", value=float(value))  # fmt: skip
    return replace(blank, **changes)


def test_methods_are_ranked_by_the_first_score_with_what_the_first_is_above() -> None:
    rows = [row(label, seed, base + seed / 100) for label, base in (("b", 0.1), ("a", 0.5)) for seed in range(3)]
    (board,) = leaderboard(rows).boards
    assert [standing.label for standing in board.standings] == ["a", "b"]
    first, second = board.standings
    assert (first.rank.place, first.behind, second.rank.place) == (1, None, 2)
    assert round(second.behind.interval.mean, 6) == 0.4
    cell = first.cells["mig@1", "mig"]
    assert cell.interval.low < cell.interval.mean < cell.interval.high
    assert [run.run for run in cell.rows] == ["runs/a-0", "runs/a-1", "runs/a-2"]


def test_other_data_of_one_name_and_other_budgets_stand_apart() -> None:
    rows = [row("a", 0, 0.1), row("a", 1, 0.2, images=128), row("a", 0, 0.3, data_digest="d2", run="runs/c")]
    boards = leaderboard(rows).boards
    assert [board.data for board in boards] == ["sprites", "sprites (d2)"]
    assert [standing.label for standing in boards[0].standings] == ["a, 128 images", "a, 64 images"]


def test_a_method_that_has_seen_labels_says_so() -> None:
    (board,) = leaderboard([row("lord", 0, 0.5, method="lord (with labels)")]).boards
    assert [standing.label for standing in board.standings] == ["lord (with labels)"]


def test_a_null_stands_beside_its_score() -> None:
    rows = [row("a", seed, 0.5, null=0.1 + seed / 10, null_spread=0.01) for seed in range(2)]
    cell = leaderboard(rows).boards[0].standings[0].cells["mig@1", "mig"]
    assert round(cell.null, 6) == 0.15


def test_what_needs_no_labels_is_correlated_with_scores() -> None:
    rows = [row("a", seed, seed / 10) for seed in range(5)]
    rows += [row("a", seed, -seed, protocol=REPORT, score="swap consistency") for seed in range(5)]
    (board,) = leaderboard(rows).boards
    assert round(board.verdicts["swap consistency"]["mig@1", "mig"], 6) == -1


def test_published_numbers_are_of_these_very_data() -> None:
    variant = next(name for name, of in register().data.items() if of.factor_sizes and of.images and of.size)
    about = register().data[variant]
    data = {"name": variant, "images": about.images, "shape": [3, about.size, about.size],
            "factor_sizes": list(about.factor_sizes)}  # fmt: skip
    record = next(r for r in register().records if r.data == variant and r.role == "headline" and "@" in r.protocol)
    found = published_like(data, record.protocol, record.score)
    assert record in found
    assert published_like({**data, "shape": [3, 7, 7]}, record.protocol, record.score) == []
    assert published_like({**data, "name": "mine"}, record.protocol, record.score) == []
