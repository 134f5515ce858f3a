"""What varies in a pile of images: one page about every unit of a run, from images alone.

`report` writes report.html, which opens from disk, and report.json, its numbers. `measure_units` says what is measured.
"""

import re
import shlex
import time
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import NamedTuple

from unweave.evaluation.report.measure import SAMPLING, measure_units
from unweave.evaluation.report.page import render_page
from unweave.files import check_writable, write_atomically, write_json
from unweave.method import Sampling
from unweave.runs.data import dataset_for
from unweave.runs.lock import one_writer
from unweave.runs.report_facts import ReportFacts
from unweave.runs.run import Run


class RunReport(NamedTuple):
    """The page, the same as JSON, and its content."""

    page: Path
    json: Path
    facts: ReportFacts

    def _repr_html_(self) -> str:
        """The page itself, in a frame of a notebook."""
        page = escape(self.page.read_text("utf-8"), quote=True)
        return f'<p>{escape(str(self.page))}</p><iframe srcdoc="{page}" width="100%" height="640"></iframe>'


def report(
    run: Run | str | Path,
    *,
    data: str | None = None,
    sampling: Sampling = SAMPLING,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
) -> RunReport:
    """Which units a run has, what each does to the pictures, and which are worth a look; no labels are needed.

    `data` are other images to look at the run with than its own. What is measured, and when a unit counts as dead or as
    a copy, is said by `measure_units`. For images without a run, `unweave.train` comes first (`unweave report IMAGES`
    does both).

    The page goes to the run's report.html (of other data: report-NAME.html) unless `output` names another .html; the
    JSON lies beside it. A report that is there already is kept as report-1.html, ...; another file only goes with
    `overwrite`. Raises LookupError for what is no run, TypeError for a foundation, which has no units, and
    UnwritableError for a run that is read-only, without `output`.
    """
    check_output(output, overwrite)
    run = run if isinstance(run, Run) else Run(run)
    run.record()  # a damaged one is said before minutes of work
    check_writable(output or run.path / "report.html")
    start = time.monotonic()
    dataset = dataset_for(run, data)
    facts, pictures = measure_units(run, dataset, sampling, seed)
    facts = replace(facts, seconds=round(time.monotonic() - start, 1))
    name = "report" if data is None else "report-" + re.sub(r"[^\w.-]+", "-", dataset.name)
    page_path = output or run.path / f"{name}.html"
    page = render_page(facts, pictures)
    with one_writer(run.path):
        if output is None:
            _set_aside(page_path)
        json_path = write_json(page_path.with_suffix(".json"), facts.to_json())
        write_atomically(page_path, page)
    return RunReport(page_path, json_path, facts)


def next_steps(report: RunReport) -> list[str]:
    """What to do with a report, as lines for the person who asked for it."""
    live = report.facts.in_state("live")
    run = shlex.quote(report.facts.run)
    if not live:
        return ["no unit moves the pictures: train longer (training.images=...)"]
    commands = [f"unweave name {run} {live[0].word} 'wall colour'"]
    commands += [f"unweave app {run}"] if report.facts.no_edits is None else [f"unweave evaluate {run}"]
    ranked = "live units" if live[0].swap is None else "live units, strongest first"
    return [
        f"{ranked}: {', '.join(unit.name for unit in live[:12])}",
        f"next: open the page; {'   or: '.join(commands)}",
    ]


def check_output(output: Path | None, overwrite: bool) -> None:
    """Raises ValueError or FileExistsError where the page cannot go there: asked before minutes of work."""
    if output is None:
        return
    if output.suffix.lower() != ".html":
        raise ValueError(f"{output.name!r} must end in .html, got {output.suffix!r}.")
    for path in (output, output.with_suffix(".json")):
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already: choose another --output, or give --overwrite.")


def _set_aside(page_path: Path) -> None:
    """An earlier report there, page or JSON, keeps its content under the next free number."""
    both = [page_path, page_path.with_suffix(".json")]
    if not any(path.exists() for path in both):
        return
    number = 1
    while any(path.with_stem(f"{page_path.stem}-{number}").exists() for path in both):
        number += 1
    for path in both:
        if path.exists():
            path.rename(path.with_stem(f"{page_path.stem}-{number}"))
