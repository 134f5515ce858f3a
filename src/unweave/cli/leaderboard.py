"""unweave leaderboard"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output


def command(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="directories of studies, .csv, .parquet, records (.json)")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="a folder for index.html and results.md")] = Path(
        "leaderboard"
    ),
    title: Annotated[str, typer.Option(help="of the page")] = "Results",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a page that is there")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="print it as Markdown, and write nothing")] = False,
    json: Annotated[bool, typer.Option("--json", help="print the rows behind it as JSON, and write nothing")] = False,
) -> None:
    """Results of studies as a page: scores with intervals by method and data, differences, ranks, what is published.

    \b
        unweave leaderboard runs/builtin runs/vae -o page
        unweave leaderboard runs/builtin benchmarks/results/rows_sprites.json --markdown

    Published numbers stand beside ours only where protocol and data agree. Every figure has its runs and commands.
    """
    from dataclasses import asdict

    from unweave.studies.leaderboard import leaderboard, load_results
    from unweave.studies.page import to_markdown, write_pages

    rows = load_results(results)
    if json:
        output.print_json([asdict(row) for row in rows])
        return
    if not markdown and not overwrite and (out / "index.html").exists():
        raise FileExistsError(f"{out / 'index.html'} is there already: choose another --out, or give --overwrite.")
    board = leaderboard(rows, title=title)
    print(to_markdown(board), end="") if markdown else print(write_pages(out, board))
