"""What varies in a pile of images: one page about every factor and unit of a run, from images alone.

`report` writes report.html, which opens from disk, and report.json, its numbers. `measure_run` says what is measured.
"""

import re
import shlex
import time
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import NamedTuple

from unweave.evaluation.find_factors import SAMPLING
from unweave.evaluation.report.first_look import is_first_look
from unweave.evaluation.report.measure import measure_run, report_rows
from unweave.evaluation.report.page import render_page
from unweave.evaluation.run_factors import factors_of, judge_again
from unweave.files import check_writable, is_writable, write_atomically, write_json
from unweave.method import Sampling
from unweave.runs.data import dataset_for
from unweave.runs.factors import (
    FACTORS_FILE,
    change_factors,
    current_factors,
    factor_title,
    read_factors,
    with_measurements,
)
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
    """Which factors and units a run has, what each does to the pictures, and which are worth a look, without labels.

    `data` are other images to look at the run with than its own. Factors are found where those of its newest weights
    are not there yet, on its own images alone, and judged again where one has no verdict; what is measured of them
    there is kept in the run, and one that cannot be written has those that it has. What is measured, and when a unit
    counts as dead or as a copy, is said by `measure_run`. For images without a run, `unweave.train` comes first
    (`unweave report IMAGES` does both).

    The page goes to the run's report.html (of other data: report-NAME.html) unless `output` names another .html; the
    JSON lies beside it. A report that is there already is kept as report-1.html, ...; another file only goes with
    `overwrite`. Raises LookupError for what is no run, TypeError for a foundation, which has no units, and
    UnwritableError for a run that is read-only, without `output`.
    """
    check_output(output, overwrite)
    run = run if isinstance(run, Run) else Run(run)
    run.record()  # what is damaged is said before minutes of work
    read_factors(run)
    check_writable(output or run.path / "report.html")
    start = time.monotonic()
    dataset = dataset_for(run, data)
    looked_at = report_rows(run, dataset, sampling, seed)
    keeps = data is None and is_writable(run.path / FACTORS_FILE)
    if keeps and current_factors(run) is None:
        factors_of(run, again=True, sampling=sampling, seed=seed, swaps=looked_at.swaps)
    elif keeps:
        judge_again(run)
    found = current_factors(run)
    facts, pictures = measure_run(run, looked_at, () if found is None else found.factors)
    if keeps:
        change_factors(run, lambda stored: with_measurements(stored, [each.factor for each in facts.factors]))
    facts = replace(facts, seconds=round(time.monotonic() - start, 1))
    name = "report" if data is None else "report-" + re.sub(r"[^\w.-]+", "-", dataset.name)
    page_path = output or run.path / f"{name}.html"
    page = render_page(facts, pictures)
    with one_writer(run.path):
        if output is None:
            set_aside(page_path)
        json_path = write_json(page_path.with_suffix(".json"), facts.to_json())
        write_atomically(page_path, page)
    return RunReport(page_path, json_path, facts)


def next_steps(report: RunReport) -> list[str]:
    """What to do with a report, as lines for the person who asked for it."""
    facts = report.facts
    live, factors, run = facts.in_state("live"), [each for each in facts.factors if each.shown], shlex.quote(facts.run)
    if not live:
        return ["no unit moves the pictures: train longer (training.images=...)"]
    commands = [f"unweave name {run} {factors[0].word if factors else live[0].word} 'its name'"]
    commands += [f"unweave app {run}"] if facts.no_edits is None else [f"unweave evaluate {run}"]
    if factors:
        listed = f"factors: {', '.join(factor_title(each.word, each.factor) for each in factors[:12])}"
    else:
        ranked = "live units" if live[0].swap is None else "live units, strongest first"
        listed = f"{ranked}: {', '.join(unit.name for unit in live[:12])}"
    return [listed, f"next: open the page; {'   or: '.join(commands)}"]


def check_output(output: Path | None, overwrite: bool) -> None:
    """Raises ValueError or FileExistsError where the page cannot go there: asked before minutes of work."""
    if output is None:
        return
    if output.suffix.lower() != ".html":
        raise ValueError(f"{output.name!r} must end in .html, got {output.suffix!r}.")
    for path in (output, output.with_suffix(".json")):
        if path.exists() and not overwrite and not is_first_look(path):
            raise FileExistsError(f"{path} is there already: choose another --output, or give --overwrite.")


def set_aside(page_path: Path) -> None:
    """An earlier report there, page or JSON, keeps its content under the next free number; a first look does not."""
    both = [page_path, page_path.with_suffix(".json")]
    if is_first_look(page_path):
        page_path.unlink()
    if not any(path.exists() for path in both):
        return
    number = 1
    while any(path.with_stem(f"{page_path.stem}-{number}").exists() for path in both):
        number += 1
    for path in both:
        if path.exists():
            path.rename(path.with_stem(f"{page_path.stem}-{number}"))
