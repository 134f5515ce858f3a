"""Runs side by side: what can be said of them without labels, beside their scores where factors are known."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from scipy.stats import spearmanr

from unweave import reporting, scoring
from unweave.run import Run
from unweave.settings import SettingsError
from unweave.unit_facts import Tick, nothing

LABEL_FREE = ("swap consistency", "live units", "copies", "dead units", "psnr units alone", "psnr inverted", "udr")
SCORED = {
    "dci@1": "disentanglement",
    "factorvae@1": "eval_accuracy",
    "mig@1": "mig",
}
"""The scores with factors that stand beside the label-free ones, where `unweave evaluate` has measured them."""


def compare(
    runs: Sequence[Run | str | Path], *, tick: Tick = nothing, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Label-free facts and factor scores of every run, and how well the first rank runs as the second do.

    The facts are those of `report`, which is made where a run has none of its present weights (about a minute each).
    `udr` is UDR-lasso among runs that differ in their seed alone, where there are three or more of them. `agreement` is
    Spearman's rank correlation of each label-free number with DCI disentanglement over these runs, where four or more
    have both; runs of one data set only. Raises ValueError for fewer than two runs.
    """
    opened = [run if isinstance(run, Run) else Run(run) for run in runs]
    if len(opened) < 2:
        raise ValueError("compare at least two runs.")
    rows = []
    for run in opened:
        facts = _facts(run, tick, say)
        units = [unit["state"] for unit in facts["units"]]
        rebuilt = facts.get("reconstruction", {})
        rows.append({
            "run": str(run.path), "method": run.method_name, "data": facts["data"]["name"],
            "seed": run.settings.training.seed, "images": facts["images seen"],
            "swap consistency": facts.get("swap_consistency"),
            "live units": units.count("live"), "copies": units.count("copy"), "dead units": units.count("dead"),
            "psnr units alone": rebuilt.get("units alone", {}).get("psnr"),
            "psnr inverted": rebuilt.get("units and inverted x_T", {}).get("psnr"),
            "udr": None, **_scored(run),
        })  # fmt: skip
    for place, value in _udr(opened, say).items():
        rows[place]["udr"] = value
    return {"runs": rows, "agreement": _agreement(rows)}


def table(found: Mapping[str, Any]) -> Table:
    """For people; what nobody has measured is left empty."""
    keys = [key for key in found["runs"][0] if any(row[key] is not None for row in found["runs"])]
    result = Table(*keys, caption=_said(found["agreement"]))
    for row in found["runs"]:
        result.add_row(*(_cell(row[key]) for key in keys))
    return result


def _facts(run: Run, tick: Tick, say: Callable[[str], None]) -> dict[str, Any]:
    known = run.own_report()
    if known is not None and known["data"]["trained on"]:
        return known
    say(f"a report of {run.path}")
    return reporting.report(run, tick=tick).facts


def _scored(run: Run) -> dict[str, float | None]:
    protocols = (run.own_scores() or {}).get("protocols", {})
    return {name: protocols.get(name, {}).get(kind, {}).get("value") for name, kind in SCORED.items()}


def _udr(runs: Sequence[Run], say: Callable[[str], None]) -> dict[int, float]:
    """UDR-lasso of the runs that have two or more others of their settings, by place."""
    groups: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault(json.dumps(scoring.but_for_seed(run), sort_keys=True, default=str), []).append(place)
    found: dict[int, float] = {}
    for places in groups.values():
        if len(places) < 3:
            continue
        try:
            ranking = scoring.agreement([runs[place] for place in places])["protocols"]["udr-lasso@1"]
        except (ValueError, LookupError, SettingsError) as error:
            say(f"no udr: {error}")
            continue
        found |= {place: ranking[str(runs[place].path)] for place in places}
    return found


def _agreement(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Spearman's correlation of label-free numbers with DCI disentanglement, over runs on one data set."""
    found: dict[str, float] = {}
    if len({row["data"] for row in rows}) > 1:
        return found
    for key in LABEL_FREE:
        pairs = [(row[key], row["dci@1"]) for row in rows if row[key] is not None and row["dci@1"] is not None]
        first, second = (np.array(side) for side in zip(*pairs)) if pairs else (np.empty(0), np.empty(0))
        if len(pairs) >= 4 and np.ptp(first) > 0 and np.ptp(second) > 0:
            found[key] = float(spearmanr(first, second).statistic)
    return found


def _said(agreement: Mapping[str, float]) -> str | None:
    if not agreement:
        return None
    told = ", ".join(f"{key} {value:+.2f}" for key, value in agreement.items())
    return f"rank correlation with DCI disentanglement over these runs: {told}"


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
