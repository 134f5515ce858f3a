"""The page of results of every study in studies/ that recorded runs are imported into: nothing is trained."""

from pathlib import Path

import pages as md

from unweave.studies.leaderboard import leaderboard
from unweave.studies.page import to_markdown
from unweave.studies.study import read_study
from unweave.studies.sweep import load_study, results

STUDIES = Path(__file__).resolve().parents[2] / "studies"


def write(out: Path, studies: Path = STUDIES) -> None:
    """index.md, and a page for each study, named like its file."""
    titles = {path.stem: read_study(path).title for path in sorted(studies.glob("*.toml")) if read_study(path).imports}
    for name, title in titles.items():
        rows = results(load_study(studies / f"{name}.toml"))
        md.write_page(out / f"{name}.md", to_markdown(leaderboard(rows, title=title)))
    lines = [f"- [{title}]({name}.md): `unweave sweep studies/{name}.toml`" for name, title in titles.items()]
    about = (
        "The pages that these studies make of what was recorded: means over seeds with intervals, ranks, differences."
    )
    md.write_page(out / "index.md", "\n\n".join(["# Recorded studies", about, "\n".join(lines), md.contents(titles)]))
