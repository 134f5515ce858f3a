"""Every table that is printed for people: results of the library as rich tables."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # a table of settings needs no torch
    from unweave.data.cache.entries import CacheEntry
    from unweave.data.doctor import DoctorReport
    from unweave.demos._demonstration import ShownDemonstration
    from unweave.evaluation.compare import ComparedRun, RunComparison
    from unweave.evaluation.edits import EditScores
    from unweave.evaluation.evaluate import IsometryScores, SeedAgreement
    from unweave.evaluation.jacobian import JacobianScores
    from unweave.evaluation.probe import ProbeResult
    from unweave.evaluation.published import PublishedComparison
    from unweave.evaluation.scores import ScoreOfRepeats, Scores
    from unweave.evaluation.seeds import Intervals
    from unweave.studies.estimate import StudyTime
    from unweave.studies.plan import StudyPlan
    from unweave.training.contract import LawResult

MAX_LISTED = 40  # numbers that a caption lists one by one


def scores_table(scores: "Scores") -> Table:
    """Scores with their intervals, and the range and direction of each."""
    from unweave.evaluation.protocols import NULLS, PROTOCOLS

    caption = [f"low and high: {scores['interval']}."]
    if deviations := scores["data"].get("deviations"):
        caption.append(f"standard deviations of the units: {_format_numbers(deviations, '.3g')}")
    if explained := scores["data"].get("explained"):
        caption.append(f"share of each unit's variance in its first component: {_format_numbers(explained, '.2f')}")
    measured = scores["protocols"]
    nulls = {name: measured[null] for name, null in NULLS.items() if name in measured and null in measured}
    if nulls:
        caption.append("turned: the same of the standardised code turned by 5 random rotations, mean and spread.")
    if prepared := scores["data"].get("preparation"):
        caption.append(f"codes were scored {prepared}.")
    caption += [f"not measured: {name}: {reason}" for name, reason in scores.get("not_measured", {}).items()]
    heads = ("protocol", "score", "value", "low", "high", *(("turned",) if nulls else ()), "meaning")
    table = Table(*heads, caption="\n".join(caption))
    for name, intervals in measured.items():
        if name in [NULLS[of] for of in nulls]:
            continue  # beside what they are the null of
        for i, (score, interval) in enumerate(intervals.items()):
            meaning = PROTOCOLS[name].means.get(score, "") if name in PROTOCOLS else ""
            numbers = [f"{interval[part]:.4g}" for part in ("value", "low", "high")]
            turned = [_null(nulls.get(name, {}), score)] if nulls else []
            table.add_row("" if i else name, score, *numbers, *turned, meaning)
        table.add_section()
    return table


def _null(intervals: "Mapping[str, ScoreOfRepeats]", score: str) -> str:
    """Mean and spread of a score over turned codes."""
    if score not in intervals:
        return ""
    return f"{intervals[score]['value']:.3f} ± {intervals[f'{score}_spread']['value']:.3f}"


def intervals_table(intervals: "Intervals") -> Table:
    """Intervals over training seeds."""
    runs = next((interval.runs for scores in intervals.values() for interval in scores.values()), 0)
    caption = (
        f"low and high: 95 % t-interval of the mean over training seeds, from {runs} runs; another run may be outside."
        if runs >= 3
        else f"means of {runs} runs; an interval needs three or more."
    )
    table = Table("protocol", "score", "mean", "low", "high", caption=caption)
    for protocol, scores in intervals.items():
        for i, (score, interval) in enumerate(scores.items()):
            numbers = ["" if value is None else f"{value:.4g}" for value in interval[:3]]
            table.add_row("" if i else protocol, score, *numbers)
        table.add_section()
    return table


def agreement_table(agreement: "SeedAgreement") -> Table:
    """How well runs of several seeds agree."""
    protocols = agreement.protocols
    table = Table("run", *protocols, caption="agreement between runs, label-free; 0 or more, higher is better")
    for run in next(iter(protocols.values())):
        table.add_row(run, *(f"{scores[run]:.4g}" for scores in protocols.values()))
    return table


def edits_table(scores: "EditScores", run: str) -> Table:
    """Edit scores of a run: the means, and a line for every factor."""
    consistency, precision = scores.swap_consistency, scores.edit_precision
    table = Table(
        "what",
        "value",
        "beside it",
        title=f"Edits of {run} ({scores.scored_weights} weights): one unit swapped in from another image",
        title_justify="left",
    )
    units = f"{len(consistency.live)} live units of {len(consistency.shares)}"
    table.add_row("swap consistency", f"{consistency.consistency:.3f}", units)
    if precision is not None:
        means, measured = precision.summary, precision.measured
        for name, score in (("precision", "edit_precision"), ("reach", "reach")):
            beside = [
                f"a random unit {means[f'random_unit_{name}']:.3f}",
                f"probe's accuracy {means['probe_accuracy']:.3f}",
            ]
            if f"ceiling_{name}" in means:
                beside.insert(0, f"true pictures {means[f'ceiling_{name}']:.3f}")
            table.add_row(f"edit {name}", f"{means[score]:.3f}", ", ".join(beside))
        table.add_section()
        for j, name in enumerate(precision.factor_names):
            table.add_row(
                name,
                f"{measured.assigned.precision[j]:.3f}",
                f"unit {measured.unit[j]}; reach {measured.assigned.reach[j]:.3f}; "
                f"probe's accuracy {measured.probe_accuracy[j]:.3f}",
            )
    return table


def isometry_table(scores: "IsometryScores", run: str) -> Table:
    """How well codes of a run keep the small distances of its images."""
    title = f"Local isometry of {run} ({scores.scored_weights} weights; {scores.rows:,} rows, {scores.neighbours} near)"
    table = Table("figure", "value", "meaning", title=title, title_justify="left")
    table.add_row("li_corr", f"{scores.li_corr:.3f}", "0 to 1: distances of codes follow those of images; chance is 0")
    table.add_row("li_corr_whitened", f"{scores.li_corr_whitened:.3f}", "the same of whitened codes")
    table.add_row("li_cond", f"{scores.li_cond:.3f}", "0 to 1: a step moves the image equally far; chance 0.5 to 0.8")
    table.caption = "figures of ours: not the LI score of Horan et al., whose formula is not known to us"
    return table


def jacobian_table(scores: "JacobianScores", run: str) -> Table:
    """How far the units of a run change the picture in directions of their own."""
    title = f"Jacobian of the decoder of {run} ({scores.scored_weights} weights; {scores.images} images)"
    table = Table("figure", "value", "meaning", title=title, title_justify="left")
    for name, value, meaning in (
        ("orthogonality", scores.orthogonality, "0 to 1, higher is better: 1 - mean |cosine| of what two units change"),
        ("turned", scores.turned, "the same of the code turned at random"),
    ):
        table.add_row(name, "-" if value is None else f"{value:.3f}", meaning)
    looked_at = f"{scores.units}" if scores.looked_at == scores.units else f"{scores.looked_at} of {scores.units}"
    table.add_row("live units", str(len(scores.live)), f"of {looked_at} that were moved")
    table.caption = "a figure of ours, without labels, and not tested enough to choose by it alone"
    return table


def probe_table(scores: "ProbeResult", run: str) -> Table:
    """What linear models read, target by target."""

    def cell(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    names = list(scores.mean)
    table = Table("target", *names, title=f"Linear probes of {run}: {scores.protocol}")
    for target, values in scores.targets.items():
        table.add_row(target, *(cell(values.get(name)) for name in names))
    table.add_section()
    table.add_row("mean", *(cell(scores.mean[name]) for name in names))
    sizes = ", ".join(f"{count:,} {name}" for name, count in scores.rows.items())
    trained = scores.test_rows_in_training
    table.caption = f"{scores.data['name']}: {sizes} rows ({scores.splits} splits); {scores.scored_weights} weights" + (
        f"; {trained:,} of the test rows were in the run's (unlabelled) training set" if trained else ""
    )
    return table


def published_table(comparison: "PublishedComparison") -> Table:
    """Scores beside what is published on their data set."""
    table = Table(title=comparison.title, box=SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    for column in ("method", "protocol", "mean", "spread", "seeds", "source", "status", "notes"):
        table.add_column(column, justify="right" if column == "mean" else "left", overflow="fold")
    styles = {"yours": "bold green", "published": "", "remembered": "yellow"}
    for section in comparison.sections:
        table.add_row(section.metric, section.score, style="bold")
        for row in section.rows:
            table.add_row(*map(Text, row[:-1]), style=styles[row.origin])
        table.add_section()
    table.caption = Text("\n".join(comparison.notes), style="not italic not dim")
    return table


COMPARED = {
    "swap consistency": "swap", "live units": "live", "copies": "copies", "dead units": "dead",
    "not looked at": "not looked at", "psnr units alone": "PSNR units", "psnr inverted": "PSNR x_T", "udr": "UDR",
    "orthogonality": "orthogonal", "orthogonality turned": "orth. turned", "centrality": "central",
    "dci@1": "DCI D", "factorvae@1": "F-VAE", "mig@1": "MIG", "med@1": "MED top-1",
    "med-null@1": "MED turned",
}  # fmt: skip
"""The numbers of a compared run, and the heads of their columns."""


def comparison_table(comparison: "RunComparison") -> Table:
    """Runs side by side: what all share is said once, and what nobody has measured is left out."""
    rows = [run.to_json() for run in comparison.runs]
    settings = ("method", "data", "seed", "images")
    shared = {key: rows[0][key] for key in settings if len({row[key] for row in rows}) == 1}
    measured = [key for key in COMPARED if any(row[key] not in (None, 0) or key == "live units" for row in rows)]
    heads = {key: key for key in settings if key not in shared} | {key: COMPARED[key] for key in measured}
    title = ", ".join(f"{key} {_cell(value)}" for key, value in shared.items())
    caption = _how_to_read(comparison)
    table = Table(title=title or None, title_justify="left", caption=caption, caption_justify="left")
    table.box, table.padding = SIMPLE_HEAD, (0, 1, 0, 0)
    table.add_column("run", overflow="fold")
    for key, head in heads.items():
        is_text = key in ("method", "data")
        table.add_column(head.replace(" ", "\n"), justify="left" if is_text else "right", no_wrap=True)
    for name, row in zip(_without_common_folder(comparison.runs), rows):
        table.add_row(name, *(_cell(row[key]) for key in heads))
    return table


def _without_common_folder(runs: "Sequence[ComparedRun]") -> list[str]:
    paths = [Path(run.run) for run in runs]
    common = Path(os.path.commonpath([path.parent for path in paths])) if len(set(paths)) > 1 else Path()
    return [str(path.relative_to(common)) for path in paths]


def _how_to_read(comparison: "RunComparison") -> str:
    from unweave.evaluation.compare import MIN_RANKED

    text = "swap consistency, PSNR, UDR, orthogonality, centrality and scores: higher is better"
    scored = sum(run.scores["dci@1"] is not None for run in comparison.runs)
    if comparison.agreement:
        correlations = ", ".join(f"{COMPARED[key]} {value:+.2f}" for key, value in comparison.agreement.items())
        text += f"; rank correlation with DCI D over these runs: {correlations}"
    elif 0 < scored < MIN_RANKED:
        text += f"; how well they agree with DCI D is told from {MIN_RANKED} scored runs on"
    elif not scored:
        text += "; `unweave evaluate RUN` adds the scores with factors, where there are any"
    return text


def laws_table(results: "Sequence[LawResult]") -> Table:
    """What became of every law of the contract."""
    table = Table("law", "", "", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.columns[2].overflow = "fold"
    for result in results:
        state = "BROKEN" if result.why else "not here" if result.note else "holds"
        table.add_row(result.law, state, Text(result.why or result.note), style="red" if result.why else None)
    return table


def plan_table(plan: "StudyPlan", states: Mapping[str, str], time: "StudyTime") -> Table:
    """The runs of a study, what has become of each, and how long those will take that are to do."""
    table = Table("run", "state", "seconds", title=Text(plan.study.title or str(plan.out)), title_justify="left")
    table.box, table.padding = SIMPLE_HEAD, (0, 1, 0, 0)
    table.columns[0].overflow = "fold"
    table.columns[2].justify = "right"
    for name, seconds in time.foundations.items():
        table.add_row(Text(name), "foundation", _seconds(seconds))
    for run in plan.runs:
        known = _seconds(time.runs[run.name]) if run.name in time.runs else ""
        table.add_row(Text(run.name), states[run.name], known)
    total = f"about {time.total / 60:,.1f} minutes with {time.processes} processes, by a short measurement"
    untimed = f"; {time.untimed} could not be timed" if time.untimed else ""
    made = f"; {len(time.foundations)} foundations are made first" if time.foundations else ""
    counts = Counter(", ".join(protocols) for protocols in plan.lacking().values())
    lacking = "".join(f"; {count} imported runs have no {protocols}" for protocols, count in counts.items())
    table.caption = f"{len(time.runs)} of {len(plan.runs)} runs are to do: {total}{untimed}{made}{lacking}"
    return table


def _seconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:,.0f}"


def demonstration_table(shown: "ShownDemonstration") -> Table:
    """What was measured, with the method, with the control, and with others beside them."""
    columns = {"method": shown.measured, "control": shown.control, **shown.beside}
    table = Table("", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in columns:
        table.add_column(head, justify="right")
    for key in shown.measured:
        table.add_row(key, *(_format_value(float(values[key])) if key in values else "" for values in columns.values()))
    return table


def facts_table(facts: Mapping[str, Any]) -> Table:
    """Names and values, one below the other; what is empty is left out."""
    table = Table(show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for key, value in facts.items():
        if key == "channels":
            table.add_row(key, "\n".join(f"{name}: {_format_channel(facts)}" for name, facts in value.items()))
        elif value not in ("", {}, []):
            table.add_row(key, " x ".join(map(str, value)) if key == "shape" else _format_value(value))
    return table


def _format_channel(facts: Mapping[str, Any]) -> str:
    """Black, white, histogram, and how much of the range is used."""
    tallest = max(facts["histogram"])
    bars = "".join(" ▁▂▃▄▅▆▇█"[math.ceil(8 * (share / tallest) ** 0.5)] for share in facts["histogram"])
    return f"{facts['black']:g} .. {facts['white']:g}  |{bars}|  {facts['used']:.0%} of it used"


def settings_table(section: str, settings: BaseModel, preset: str | None) -> Table:
    """Every setting of a method or of training, with its value under a preset."""
    table = Table(title=Text(f"[{section}] with preset={preset}"), title_justify="left")
    for column in ("setting", "value", "meaning"):
        table.add_column(column, overflow="fold")
    for name, field in type(settings).model_fields.items():
        if name != "name":
            setting = f"{section}.{field.alias or name}"
            table.add_row(setting, Text(repr(getattr(settings, name))), Text(field.description or ""))
    return table


def datasets_table(datasets: Mapping[str, Mapping[str, str]]) -> Table:
    """The data sets there are by name."""
    table = Table("name", "what", "here", "licence")
    for name, about in datasets.items():
        table.add_row(name, about["title"], about["here"], about["licence"])
    return table


def findings_table(report: "DoctorReport") -> Table:
    """What the doctor found, the worst first."""
    bad = sum(finding.severity != "note" for finding in report.findings)
    summary = f"{bad} of these should be looked at" if bad else "nothing is wrong"
    caption = Text(f"{report.name}: {report.images:,} images; {summary}")
    table = Table("", "found", "for example", "remedy", caption=caption)
    for finding in report.findings:
        examples = "\n".join(finding.examples)
        table.add_row(finding.severity, *map(Text, (finding.message, examples, finding.remedy)))
    return table


def cache_table(entries: "Sequence[CacheEntry]", root: Path) -> Table:
    """The converted data sets in the cache."""
    table = Table("name", "rows", "size", "MB", "made", "folder", caption=f"in {root}")
    for entry in entries:
        date = entry.date if entry.whole else f"{entry.date}, not whole"
        table.add_row(entry.name, f"{entry.images:,}", entry.size, f"{entry.bytes / 1e6:,.1f}", date, entry.folder.name)
    return table


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_format_value(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _format_numbers(values: Sequence[float], spec: str) -> str:
    """The numbers, or of more than a person reads the lowest, the median and the highest."""
    import numpy as np

    if len(values) > MAX_LISTED:
        low, middle, high = (format(float(np.quantile(values, share)), spec) for share in (0, 0.5, 1))
        return f"{low} to {high}, median {middle}, of {len(values)}"
    return ", ".join(format(value, spec) for value in values)
