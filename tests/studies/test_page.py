from html.parser import HTMLParser
from pathlib import Path

from tests.studies.test_leaderboard import row

from unweave.studies.leaderboard import leaderboard
from unweave.studies.page import cell_text, to_html, to_markdown, write_pages

ROWS = [
    row("a <b>", seed, 0.5 + seed / 10, null=0.1, null_spread=0.01, train_command=f"unweave train a seed={seed}")
    for seed in range(3)
] + [row("other", seed, 0.25, images=32) for seed in range(3)]  # fmt: skip


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors, self.links, self.sources = set[str](), [], []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.anchors |= {values["id"]} if "id" in values else set()
        self.links += [values["href"]] if tag == "a" else []
        self.sources += [values["src"]] if "src" in values else []


def test_every_figure_leads_to_its_run_and_the_page_needs_nothing_else() -> None:
    page = to_html(leaderboard(ROWS, title="Results & more"))
    links = Links()
    links.feed(page)
    assert len(links.links) == 6
    assert {link.removeprefix("#") for link in links.links} <= links.anchors
    assert links.sources == []
    assert page.count("<svg") == 2
    assert "http" not in page
    assert "a &lt;b&gt;" in page
    assert "Results &amp; more" in page


def test_a_cell_has_its_interval_and_its_null() -> None:
    cell = leaderboard(ROWS).boards[0].standings[0].cells["mig@1", "mig"]
    assert cell_text(cell) == "0.600 [0.352, 0.848] (0.100 ± 0.010)"
    two = leaderboard(ROWS[:2]).boards[0].standings[0].cells["mig@1", "mig"]
    assert cell_text(two).startswith("0.500, 0.600")


def test_markdown_says_the_same_with_the_commands(tmp_path: Path) -> None:
    board = leaderboard(ROWS)
    text = to_markdown(board)
    assert "| a <b> | 1 [1, 1] | 0.600 [0.352, 0.848] (0.100 ± 0.010) |  | 64 | 3 | 2 |" in text
    assert "unweave train a seed=2" in text
    assert write_pages(tmp_path, board).read_text() == to_html(board)
    assert (tmp_path / "results.md").read_text() == text


def test_a_difference_without_shared_seeds_is_called_unpaired() -> None:
    rows = [row("a", 0, 0.5), row("b", 1, 0.25)]
    assert "| 0.250 (unpaired) |" in to_markdown(leaderboard(rows))
    assert "(unpaired)" in to_html(leaderboard(rows))
    assert "(unpaired)" not in to_html(leaderboard(ROWS))


def test_it_says_which_score_ranks() -> None:
    board = leaderboard([*ROWS, *(row(label, 0, 0.5, data="rooms") for label in ("a <b>", "other"))])
    for text in (to_html(board), to_markdown(board)):
        assert "Ranked by MIG." in text
        assert "Mean rank over data sets, by MIG" in text
