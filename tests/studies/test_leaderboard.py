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


def test_copies_of_a_seed_count_once() -> None:
    rows = [row("a", seed, seed / 10, run=f"runs/{copy}-{seed}") for copy in range(3) for seed in range(3)]
    (board,), (once,) = leaderboard(rows).boards, leaderboard(rows[-3:]).boards
    assert board.standings[0].cells == once.standings[0].cells
    assert len(board.standings[0].cells["mig@1", "mig"].rows) == 3


def test_scores_of_other_numbers_of_rows_stand_apart() -> None:
    rows = [row("a", seed, 0.1, scored_rows=2_000 * (1 + seed % 2)) for seed in range(4)]
    rows.append(row("a", 0, 0.5, protocol=REPORT, score="live units"))
    (board,) = leaderboard(rows).boards
    cells = {standing.label: standing.cells for standing in board.standings}
    assert set(cells) == {"a, 2,000 rows scored", "a, 4,000 rows scored"}
    assert (REPORT, "live units") in cells["a, 4,000 rows scored"]


def test_the_first_score_that_most_methods_have_ranks_them() -> None:
    rows = [row(label, 0, value) for label, value in (("a", 0.1), ("b", 0.2), ("c", 0.3))]
    (board,) = leaderboard([*rows, row("a", 0, 0.9, protocol="dci@1", score="disentanglement")]).boards
    assert board.keys[0] == ("dci@1", "disentanglement")
    assert board.ranked_by == ("mig@1", "mig")
    assert [standing.label for standing in board.standings] == ["c", "b", "a"]


def test_mean_ranks_go_by_one_score_of_all_data_sets() -> None:
    rows = [row(label, 0, value, data=data) for label, value in (("a", 0.1), ("b", 0.2)) for data in ("x", "y")]
    rows += [row(label, 0, value, data="x", protocol="dci@1", score="disentanglement")
             for label, value in (("a", 0.9), ("b", 0.1))]  # fmt: skip
    board = leaderboard(rows)
    assert [of.ranked_by[0] for of in board.boards] == ["dci@1", "mig@1"]
    assert board.overall_by == ("mig@1", "mig")
    assert (board.overall["b"].mean, board.overall["a"].mean) == (1, 2)


def test_scores_without_a_head_come_last_and_nulls_not_at_all() -> None:
    keys = [("modularity@1", "modularity"), ("med-null@1", "disentanglement"), ("mig@1", "mig")]
    (board,) = leaderboard([row("a", 0, 0.5, protocol=protocol, score=score) for protocol, score in keys]).boards
    assert board.keys == (("mig@1", "mig"), ("modularity@1", "modularity"))


def test_scores_of_training_rows_have_no_column() -> None:
    rows = [row("a", 0, 0.5)]
    rows += [row("a", 0, 0.5, protocol="dci@1", score=name) for name in ("informativeness", "informativeness_train")]
    rows += [row("a", 0, 0.5, protocol="factorvae@1", score="train_accuracy")]
    (board,) = leaderboard(rows).boards
    assert board.keys == (("dci@1", "informativeness"), ("mig@1", "mig"))


def test_an_unknown_budget_is_called_so() -> None:
    (board,) = leaderboard([row("a", 0, 0.1, images=None), row("a", 1, 0.2)]).boards
    assert [standing.label for standing in board.standings] == ["a, 64 images", "a, budget unknown"]
