"""What varies in a pile of images: one page about every unit of a run, from images alone.

`report` writes report.html, which opens from disk, and report.json, its numbers. What is measured is in unit_facts.
"""

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unweave import registry
from unweave.data import open as data_open
from unweave.evaluation import scores
from unweave.evaluation.evaluate import fitting
from unweave.evaluation.report import page
from unweave.evaluation.report.unit_facts import SAMPLING, Tick, look, nothing
from unweave.figures import save
from unweave.method import Sampling
from unweave.progress import Progress
from unweave.runs import builtin
from unweave.runs.plan import default_place, plan
from unweave.runs.run import Run
from unweave.training import train


class Report(NamedTuple):
    """The page, the same as JSON, and its content."""

    page: Path
    json: Path
    facts: dict[str, Any]


def report(
    what: Run | str | Path,
    *tables: Mapping[str, Any],
    method: str | None = None,
    data: str | None = None,
    sampling: Sampling = SAMPLING,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    tick: Tick = nothing,
) -> Report:
    """Which units a run has, what each does to the pictures, and which are worth a look; no labels are needed.

    `what` is a run, or a data set or path to images, on which a run of `method` (EncDiff) is trained first (its
    `laptop` preset, which the tables change: {"training": {"images": 20_000}}); the same call again goes on with that
    run, and images that have changed get a new one. `data` are other images for a run to be looked at with than its
    own. What is measured, and when a unit counts as dead or as a copy, is said by `unit_facts.look`.

    The page goes to the run's report.html (of other data: report-NAME.html) unless `output` names another .html; the
    JSON lies beside it. A report that is there already is kept as report-1.html, ...; another file only goes with
    `overwrite`. `tick(what, done, total)` is called while it is made. Raises what `train` raises, TypeError for a
    foundation, which has no units, ValueError for settings of a run and for `data` beside images.
    """
    _check_output(output, overwrite)
    run = given(what, method, tables, progress, data)
    began = time.monotonic()
    dataset = fitting(run, data)
    facts, pictures = look(run, dataset, sampling, seed, tick)
    facts["seconds"] = round(time.monotonic() - began, 1)
    name = "report" if data is None else "report-" + re.sub(r"[^\w.-]+", "-", dataset.name)
    target = output or run.path / f"{name}.html"
    text = page.page(facts, pictures)
    if output is None:
        _set_aside(target)
    scores.write(facts, target.with_suffix(".json"))
    save.write(text.encode(), target, overwrite=True)
    return Report(target, target.with_suffix(".json"), facts)


def given(
    what: Run | str | Path,
    method: str | None,
    tables: Sequence[Mapping[str, Any]],
    progress: Progress | None,
    data: str | None = None,
) -> Run:
    """The run, or one that is trained on these images. Raises LookupError for a folder of runs."""
    place = what.path if isinstance(what, Run) else builtin.place(what)
    if isinstance(what, Run) or (place / "settings.toml").is_file():
        if tables or method is not None:
            raise ValueError(
                f"{place} is a run, which is trained already: settings and a method go with images, not with a run."
            )
        return what if isinstance(what, Run) else Run(what)
    if place.is_dir() and any((place / inside).exists() for inside in ("checkpoints", "units.safetensors")):
        raise LookupError(f"{place} looks like a run, but has no settings.toml.")
    if place.is_dir() and (runs := sorted(path.parent for path in place.glob("*/settings.toml"))):
        raise LookupError(f"{place} is a folder of runs: name one, such as {runs[0]}.")
    method = method or "encdiff"
    if method not in registry.names("methods"):
        raise LookupError(f"there is no method {method!r}; there is: {', '.join(registry.names('methods'))}.")
    changes = [{"data": str(what)}, *tables]
    settings = plan(method, *changes)
    if data is not None:
        raise ValueError(f"{what} are images: train on them first, then `unweave report RUN --data {data}`.")
    if (count := len(data_open.build(settings.data))) < 2:
        raise ValueError(f"{what} has {count} image: there is nothing that varies.")
    target = default_place(settings, resume=True)
    if target.exists():
        trained_on = Run(target).record().get("data", {}).get("digest")
        if trained_on not in (None, data_open.build(settings.data).digest()):
            target = default_place(settings)  # images came or went since
    return train.train(method, *changes, run=target, resume=True, progress=progress)


def next_steps(made: Report) -> list[str]:
    """What to do with a report, as lines for the person who made it."""
    live = [unit for unit in made.facts["units"] if unit["state"] == "live"]
    run = shlex.quote(made.facts["run"])
    if not live:
        return ["no unit moves the pictures: train longer (training.images=...)"]
    words = [f"unweave name {run} {live[0]['word']} 'wall colour'", f"unweave app {run}"]
    return [
        f"live units, strongest first: {', '.join(unit['name'] for unit in live[:12])}",
        f"next: open the page; {'   or: '.join(words)}",
    ]


def _check_output(output: Path | None, overwrite: bool) -> None:
    """Before minutes of work."""
    if output is None:
        return
    if output.suffix.lower() != ".html":
        raise ValueError(f"{output.name!r} must end in .html, got {output.suffix!r}.")
    for path in (output, output.with_suffix(".json")):
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already: choose another --output, or give --overwrite.")


def _set_aside(target: Path) -> None:
    """An earlier report there, page or JSON, keeps its content under the next free number."""
    both = [target, target.with_suffix(".json")]
    if not any(path.exists() for path in both):
        return
    number = 1
    while any(path.with_stem(f"{target.stem}-{number}").exists() for path in both):
        number += 1
    for path in both:
        if path.exists():
            path.rename(path.with_stem(f"{target.stem}-{number}"))
