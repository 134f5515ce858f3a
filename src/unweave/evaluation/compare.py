"""Runs side by side: what can be said of them without labels, beside their scores where factors are known."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table
from scipy.stats import spearmanr

from unweave.config import SettingsError
from unweave.evaluation import evaluate
from unweave.evaluation.report import report
from unweave.evaluation.report.unit_facts import SAMPLING, Tick, nothing
from unweave.method import Sampling
from unweave.runs.run import Run

SHOWN = {
    "swap consistency": "swap", "live units": "live", "copies": "copies", "dead units": "dead",
    "not looked at": "not looked at", "psnr units alone": "PSNR units", "psnr inverted": "PSNR x_T", "udr": "UDR",
    "dci@1": "DCI D", "factorvae@1": "F-VAE", "mig@1": "MIG",
}  # fmt: skip
"""What the table calls the numbers."""

LABEL_FREE = ("swap consistency", "live units", "copies", "dead units", "psnr units alone", "psnr inverted", "udr")
SCORED = {
    "dci@1": "disentanglement",
    "factorvae@1": "eval_accuracy",
    "mig@1": "mig",
}
"""The scores with factors that stand beside the label-free ones, where `unweave evaluate` has measured them."""

UDR_ROWS = 10_000
FEWEST = 4  # scored runs that a rank correlation is given of


def compare(
    runs: Sequence[Run | str | Path], *, tick: Tick = nothing, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Label-free facts and factor scores of every run, and how well the first rank runs as the second do.

    The facts are those of `report` at its defaults, which is made where a run has none of its present weights (about a
    minute each). `udr` is UDR-lasso on 10,000 rows among runs that differ in their seed alone, where there are three or
    more of them. `agreement` is Spearman's rank correlation of each label-free number with DCI disentanglement over
    these runs, where four or more have both; runs of one data set only. Foundations, which have no units, and runs
    that have no checkpoint are left out, and said. Raises ValueError for fewer than two others.
    """
    opened = [run for run in (run if isinstance(run, Run) else Run(run) for run in runs) if _has_units(run, say)]
    if len(opened) < 2:
        raise ValueError("compare at least two runs.")
    rows = []
    for run in opened:
        facts = _facts(run, tick, say)
        units = [unit["state"] for unit in facts["units"]]
        rebuilt = facts.get("reconstruction", {})
        rows.append({
            "run": str(run.path), "method": run.method_name, "data": facts["data"]["name"],
            "digest": facts["data"]["digest"], "seed": run.settings.training.seed, "images": facts["images seen"],
            "swap consistency": facts.get("swap_consistency"),
            "live units": units.count("live"), "copies": units.count("copy"), "dead units": units.count("dead"),
            "not looked at": facts["not looked at"],
            "psnr units alone": rebuilt.get("units alone", {}).get("psnr"),
            "psnr inverted": rebuilt.get("units and inverted x_T", {}).get("psnr"),
            "udr": None, **_scored(run),
        })  # fmt: skip
    for place, value in _udr(opened, tick, say).items():
        rows[place]["udr"] = value
    return {"runs": rows, "agreement": _agreement(rows)}


def table(found: Mapping[str, Any]) -> Table:
    """For people: what all runs share is said once, and what nobody has measured is left out."""
    rows = found["runs"]
    given = ("method", "data", "seed", "images")
    shared = {key: rows[0][key] for key in given if len({row[key] for row in rows}) == 1}
    known = [key for key in SHOWN if any(row[key] not in (None, 0) or key == "live units" for row in rows)]
    names = {key: key for key in given if key not in shared} | {key: SHOWN[key] for key in known}
    title = ", ".join(f"{key} {_cell(value)}" for key, value in shared.items())
    result = Table(title=title or None, title_justify="left", caption=_said(found), caption_justify="left")
    result.box, result.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)
    result.add_column("run", overflow="fold")
    for key, name in names.items():
        result.add_column(name.replace(" ", "\n"), justify="left" if key in given[:2] else "right", no_wrap=True)
    for name, row in zip(_short([row["run"] for row in rows]), rows):
        result.add_row(name, *(_cell(row[key]) for key in names))
    return result


def _short(paths: Sequence[str]) -> list[str]:
    """Paths without the folder that they share."""
    common = Path(os.path.commonpath([Path(path).parent for path in paths])) if len(set(paths)) > 1 else Path()
    return [str(Path(path).relative_to(common)) for path in paths]


def _has_units(run: Run, say: Callable[[str], None]) -> bool:
    try:
        run.method()
    except (TypeError, LookupError) as error:
        say(f"left out: {error}")
        return False
    return True


def _facts(run: Run, tick: Tick, say: Callable[[str], None]) -> dict[str, Any]:
    known = run.own_report()
    if known is not None and known["data"]["trained on"]:
        settings = known["settings"]
        if settings["seed"] == 0 and Sampling(**settings["sampling"]) == SAMPLING:
            return known
    say(f"a report of {run.path}")
    return report.report(run, tick=tick).facts


def _scored(run: Run) -> dict[str, float | None]:
    protocols = (run.own_scores() or {}).get("protocols", {})
    return {name: protocols.get(name, {}).get(kind, {}).get("value") for name, kind in SCORED.items()}


def _udr(runs: Sequence[Run], tick: Tick, say: Callable[[str], None]) -> dict[int, float]:
    """UDR-lasso of the runs that have two or more others of their settings, by place."""
    groups: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault(json.dumps(evaluate.but_for_seed(run), sort_keys=True, default=str), []).append(place)
    found: dict[int, float] = {}
    several = [places for places in groups.values() if len(places) > 2]
    for done, places in enumerate(several):
        tick(f"udr of {runs[places[0]].path.name} and {len(places) - 1} more", done, len(several))
        try:
            measured = evaluate.agreement([runs[place] for place in places], rows=UDR_ROWS)
            ranking = measured["protocols"]["udr-lasso@1"]
        except (ValueError, LookupError, SettingsError) as error:
            say(f"no udr: {error}")
            continue
        found |= {place: ranking[str(runs[place].path)] for place in places}
    return found


def _agreement(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Spearman's correlation of label-free numbers with DCI disentanglement, over runs on one data set."""
    found: dict[str, float] = {}
    if len({row["digest"] for row in rows}) > 1:
        return found
    for key in LABEL_FREE:
        pairs = [(row[key], row["dci@1"]) for row in rows if row[key] is not None and row["dci@1"] is not None]
        first, second = (np.array(side) for side in zip(*pairs)) if pairs else (np.empty(0), np.empty(0))
        if len(pairs) >= FEWEST and np.ptp(first) > 0 and np.ptp(second) > 0:
            found[key] = float(spearmanr(first, second).statistic)
    return found


def _said(found: Mapping[str, Any]) -> str:
    """How to read the table."""
    text = "swap consistency, PSNR, UDR and scores: higher is better"
    scored = sum(row["dci@1"] is not None for row in found["runs"])
    if found["agreement"]:
        told = ", ".join(f"{SHOWN[key]} {value:+.2f}" for key, value in found["agreement"].items())
        text += f"; rank correlation with DCI D over these runs: {told}"
    elif 0 < scored < FEWEST:
        text += f"; how well they agree with DCI D is told from {FEWEST} scored runs on"
    elif not scored:
        text += "; `unweave evaluate RUN` adds the scores with factors, where there are any"
    return text


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
