from tests.studies.test_leaderboard import row

from unweave.studies.grouping import by_data_set, by_method


def test_rows_of_an_unknown_digest_are_with_those_of_their_name() -> None:
    groups = by_data_set([row("a", 0, 0.1, data_digest=""), row("a", 1, 0.2), row("a", 2, 0.3, data_digest="d2")])
    assert {data: len(rows) for data, rows in groups.items()} == {"sprites": 2, "sprites (d2)": 1}


def test_the_last_row_of_a_seed_counts() -> None:
    groups = by_method([row("a", 0, 0.1), row("a", 0, 0.2), row("a", 1, 0.3)])
    assert [of.value for of in groups["a"]] == [0.2, 0.3]
    imported = row("a", 0, 0.9, source="record.json")
    for rows in ([imported, row("a", 0, 0.1)], [row("a", 0, 0.1), imported]):
        assert [of.value for of in by_method(rows)["a"]] == [0.1]


def test_scores_of_unknown_rows_are_with_the_most() -> None:
    rows = [row("a", seed, 0.1, scored_rows=scored) for seed, scored in enumerate((100, 200, None))]
    groups = by_method(rows)
    assert {label: [of.seed for of in of_label] for label, of_label in groups.items()} == {
        "a, 100 rows scored": [0], "a, 200 rows scored": [1, 2],
    }  # fmt: skip
