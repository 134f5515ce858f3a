"""A leaderboard as one HTML page that opens from disk (no script, no network), and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup, escape

from unweave.evaluation.published import PublishedScore
from unweave.evaluation.seeds import Interval
from unweave.figures.html import template, thumbnail
from unweave.figures.scatter import ScatterPoint, scatter_svg
from unweave.files import write_atomically
from unweave.studies.leaderboard import HEADS, Cell, DataBoard, Leaderboard, Standing
from unweave.studies.ranking import Difference, Rank
from unweave.studies.rows import ResultRow

EXPLAINED = (
    "Scores are means over training seeds with 95 % t-intervals, which three or more seeds allow; of fewer the values "
    "of the runs are given. "
    "In brackets is the null, where the protocol has one: the same score of codes whose axes mean nothing. Ranks go by "
    "one score, the first that most methods have; where every method has three seeds, the places stand beside that a "
    "method takes in 95 % of what the seeds leave open. Differences are paired by seed, or unpaired where no seed is "
    "shared. What was found the best of many by these numbers is likely "
    "to be a little less good than they say."
)


@dataclass(frozen=True)
class RunFacts:
    """A run behind the figures."""

    run: str
    anchor: str
    label: str
    seed: int
    images: int | None
    seconds: float | None
    version: str
    source: str
    train_command: str
    commands: tuple[str, ...]
    preview: str = ""  # the newest picture that its training drew, as an address that carries it


def write_pages(out: Path, board: Leaderboard) -> Path:
    """index.html and results.md in a folder; returns the page."""
    write_atomically(out / "results.md", to_markdown(board))
    return write_atomically(out / "index.html", to_html(board))


def to_html(board: Leaderboard) -> str:
    """The page, in UTF-8."""
    page = template(
        "unweave.studies", "page.html.j2", cell=cell_text, rank=rank_text, interval=interval_text,
        published=published_text, head=head, lines=in_lines, difference=difference_text,
    )  # fmt: skip
    runs = with_previews(runs_of(board.rows))
    anchors = {facts.run: facts.anchor for facts in runs}
    return page.render(board=board, runs=runs, anchors=anchors, explained=EXPLAINED, pictures=_pictures(board))


def to_markdown(board: Leaderboard) -> str:
    """The tables and the commands as Markdown."""
    parts = [f"# {board.title}", EXPLAINED]
    for of_data in board.boards:
        by = f"Ranked by {head(of_data.ranked_by)}."
        parts += [f"## {of_data.data}", of_data.about, by, _standings(of_data), *_notes(of_data)]
    if board.overall and board.overall_by:
        by = head(board.overall_by)
        parts += [f"## Mean rank over data sets, by {by}", _lines(("method", "mean rank"), _ranked(board.overall))]
    if board.failed:
        parts += ["## Failed", _lines(("run", "log"), list(board.failed.items()))]
    commands = dict.fromkeys(
        f"# {facts.label}, seed {facts.seed}\n{facts.train_command}" if not facts.source else facts.train_command
        for facts in runs_of(board.rows)
        if facts.train_command
    )
    parts += ["## Commands", "```sh\n" + "\n".join(commands) + "\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def runs_of(rows: Sequence[ResultRow]) -> list[RunFacts]:
    """Every run behind the rows, in their order."""
    groups: dict[str, list[ResultRow]] = {}
    for row in rows:
        groups.setdefault(row.run, []).append(row)
    return [
        RunFacts(
            run=run, anchor=f"run-{number}", label=of_run[0].label, seed=of_run[0].seed, images=of_run[0].images,
            seconds=of_run[0].seconds, version=of_run[0].version, source=of_run[0].source,
            train_command=of_run[0].train_command or of_run[0].command,
            commands=tuple(dict.fromkeys(row.command for row in of_run if row.command)),
        )
        for number, (run, of_run) in enumerate(groups.items())
    ]  # fmt: skip


def with_previews(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """The runs, the first of every label with its newest preview, where its folder is there."""
    labels: set[str] = set()
    shown = []
    for facts in runs:
        pictures = sorted((Path(facts.run) / "pictures").glob("preview-*.png"))
        address = thumbnail(pictures[-1], 720) if pictures and facts.label not in labels else ""
        labels |= {facts.label} if address else set()
        shown.append(replace(facts, preview=address))
    return shown


def head(key: tuple[str, str]) -> str:
    return HEADS.get(key, " ".join(key))


def cell_text(cell: Cell | None) -> str:
    """As in "0.412 [0.380, 0.444] (0.05 ± 0.01)"."""
    if cell is None:
        return ""
    values = [row.value for row in cell.rows]
    text = interval_text(cell.interval) if len(values) > 2 else ", ".join(number_text(value) for value in values)
    if cell.null is None:
        return text
    spread = "" if cell.null_spread is None else f" ± {number_text(cell.null_spread)}"
    return f"{text} ({number_text(cell.null)}{spread})"


def in_lines(text: str) -> Markup:
    """The text of a cell with its interval, and its null, each on a line of its own."""
    parts = text.replace(" (", "\n(").replace(" [", "\n[").split("\n")
    return Markup("<br>").join([escape(parts[0]), *(Markup("<small>{}</small>").format(part) for part in parts[1:])])


def interval_text(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return number_text(interval.mean)
    return f"{number_text(interval.mean)} [{number_text(interval.low)}, {number_text(interval.high)}]"


def difference_text(difference: Difference) -> str:
    return interval_text(difference.interval) + ("" if difference.paired else " (unpaired)")


def number_text(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def rank_text(rank: Rank | None) -> str:
    if rank is None:
        return ""
    return str(rank.place) if rank.low is None else f"{rank.place} [{rank.low}, {rank.high}]"


def published_text(record: PublishedScore) -> str:
    spread = "" if record.spread is None else f" ± {number_text(record.spread)} ({record.spread_of})"
    budget = f", {record.budget}" if record.budget else ""
    return f"{record.method} {number_text(record.mean)}{spread}{budget}: {record.source} ({record.status})"


def _standings(board: DataBoard) -> str:
    heads = ("method", "rank", *map(head, board.keys), "the first is above it by", "images", "seeds", "seconds")
    return _lines(heads, [_standing(standing, board) for standing in board.standings])


def _standing(standing: Standing, board: DataBoard) -> tuple[str, ...]:
    return (
        standing.label,
        rank_text(standing.rank),
        *(cell_text(standing.cells.get(key)) for key in board.keys),
        "" if standing.behind is None else difference_text(standing.behind),
        "" if standing.images is None else f"{standing.images:,}",
        str(standing.seeds),
        "" if standing.seconds is None else f"{standing.seconds:.0f}",
    )


def _notes(board: DataBoard) -> list[str]:
    notes = []
    if shares := board.shares:
        notes.append(
            f"Of the variance of {head(board.ranked_by)} over {shares.runs} runs, {shares.methods:.0%} is between "
            f"methods, {shares.settings:.0%} between settings of one method and {shares.seeds:.0%} between seeds."
        )
    if board.verdicts:
        heads = ("without labels", *map(head, board.keys))
        rows = [
            (name, *(f"{found[key]:+.2f}" if key in found else "" for key in board.keys))
            for name, found in board.verdicts.items()
        ]
        notes += ["Rank correlation over runs of what needs no labels with scores:", _lines(heads, rows)]
    for key, records in board.published.items():
        notes.append(f"Published, {head(key)}, same protocol and data:")
        notes.append("\n".join(f"- {published_text(record)}" for record in records))
    return notes


def _ranked(overall: Mapping[str, Interval]) -> list[tuple[str, str]]:
    return [(name, interval_text(of)) for name, of in sorted(overall.items(), key=lambda item: item[1].mean)]


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _pictures(board: Leaderboard) -> dict[str, list[Markup]]:
    """For each data set, the score that ranks against seconds and against images of training, as SVG."""
    pictures: dict[str, list[Markup]] = {}
    for of_data in board.boards:
        for x in ("seconds", "images"):
            series = _series(of_data, x)
            if series:
                drawn = scatter_svg(series, f"{x} of training", head(of_data.ranked_by))
                pictures.setdefault(of_data.data, []).append(Markup(drawn))
    return pictures


def _series(board: DataBoard, x: str) -> dict[str, list[ScatterPoint]]:
    """The points of each method, one for each of its budgets."""
    series: dict[str, list[ScatterPoint]] = {}
    for standing in board.standings:
        cell, at = standing.cells.get(board.ranked_by), standing.seconds if x == "seconds" else standing.images
        if cell is not None and at is not None:
            mean, low, high, _ = cell.interval
            series.setdefault(cell.rows[0].label, []).append(ScatterPoint(float(at), mean, low, high))
    return series
