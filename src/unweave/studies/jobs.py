"""What a process of a study does: make a foundation, or train a run, score it and keep its rows."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from unweave.config import Table
from unweave.evaluation.evaluate import evaluate
from unweave.evaluation.protocols import NULLS
from unweave.evaluation.report.report import report
from unweave.runs.report_facts import ReportFacts
from unweave.runs.run import Run
from unweave.studies.rows import REPORT, ResultRow
from unweave.studies.stored import Scoring, write_rows
from unweave.training.train import train

METRIC_SEED = 0
"""What names the rows that a study scores, and the draws of its metrics."""


class Job(NamedTuple):
    """A piece of a study that one process does; it can be told as JSON."""

    name: str
    kind: Literal["foundation", "run"]
    what: str  # a method, or the settings file of a foundation
    table: Table
    run_dir: str
    needs: tuple[str, ...]  # names of jobs that come before
    out: str  # the directory of the study
    label: str = ""
    command: str = ""  # that trains the run alone
    scoring: Mapping[str, Any] | None = None  # of a run

    def log(self) -> Path:
        """Where is said how far it is."""
        return Path(self.out) / "logs" / f"{Path(self.name).name}.log"


def perform(job: Job) -> None:
    """Do a job, or what of it is not done yet. Raises what training and scoring raise."""
    run = train(job.what, job.table, run=job.run_dir, resume=True)
    if job.kind == "run" and job.scoring is not None:
        scoring = Scoring(**{**job.scoring, "protocols": tuple(job.scoring["protocols"])})
        rows, notes = measure(run, {"label": job.label, "train_command": job.command}, scoring)
        write_rows(Path(job.out), job.name, scoring, rows, notes)


def measure(run: Run, said: Mapping[str, str], scoring: Scoring) -> tuple[list[ResultRow], dict[str, str]]:
    """The rows of a trained run, and why protocols have none; what its scores.json has is not measured again."""
    rows, notes = [], dict[str, str]()
    about = {**_about(run), **said}
    if scoring.protocols:
        stored = run.own_scores()
        if left := _left(stored, scoring):
            evaluate(run, rows=scoring.rows, protocols=left, repeats=scoring.repeats, seed=METRIC_SEED)
            stored = run.own_scores()
        assert stored is not None
        rows += _scored(stored, scoring, about)
        notes = {name: why for name, why in stored.get("not_measured", {}).items() if name in scoring.protocols}
    if scoring.report:
        facts = run.own_report() or report(run).facts
        about |= {"command": shlex.join(["unweave", "report", str(run.path)])}
        rows += [ResultRow(**about, protocol=REPORT, score=name, value=value) for name, value in _told(facts).items()]
    return rows, notes


def _left(stored: Mapping[str, Any] | None, scoring: Scoring) -> list[str]:
    """The protocols that these scores lack."""
    if stored is None or not _same_rows(stored, scoring):
        return list(scoring.protocols)
    known = set(stored["protocols"]) | set(stored.get("not_measured", {}))
    return [name for name in scoring.protocols if name not in known]


def _same_rows(stored: Mapping[str, Any], scoring: Scoring) -> bool:
    """Whether scores are of as many rows and repeats as the study asks for, and of the metric seed that it has."""
    wanted = min(scoring.rows, int(stored["data"]["images"]))
    same = stored["rows"] == wanted and stored["seed"] == METRIC_SEED
    return same and f"over {scoring.repeats} repeats" in stored["interval"]


def _about(run: Run) -> dict[str, Any]:
    record, dataset = run.record(), run.dataset()
    return {
        "run": str(run.path),
        "method": run.method_title(),
        "data": dataset.name,
        "data_digest": dataset.digest(),
        "data_images": len(dataset),
        "data_shape": "x".join(map(str, dataset.shape)),
        "factor_sizes": " ".join(map(str, dataset.factor_sizes)),
        "images": record["images"],
        "seed": run.settings.training.seed,
        "seconds": record["seconds"],
        "digest": run.digest(),
        "version": record["versions"]["unweave"],
    }


def _scored(stored: Mapping[str, Any], scoring: Scoring, about: Mapping[str, Any]) -> list[ResultRow]:
    words = [
        *("unweave", "evaluate", str(about["run"]), "--rows", str(scoring.rows)),
        "--repeats",
        str(scoring.repeats),
    ]
    measured, rows = stored["protocols"], []
    for protocol in scoring.protocols:
        null = measured.get(NULLS.get(protocol, ""), {})
        for score, interval in measured.get(protocol, {}).items():
            rows.append(
                ResultRow(
                    **about, protocol=protocol, score=score, value=interval["value"],
                    low=interval["low"], high=interval["high"],
                    null=null.get(score, {}).get("value"), null_spread=null.get(f"{score}_spread", {}).get("value"),
                    scored_rows=stored["rows"], weights=stored["scored_weights"],
                    command=shlex.join([*words, "--protocol", protocol]),
                )
            )  # fmt: skip
    return rows


def _told(facts: ReportFacts) -> dict[str, float]:
    """The numbers of a report that need no labels."""
    rebuilt, verdicts = facts.reconstruction, [each.factor.verdict for each in facts.factors]
    numbers = {
        "swap consistency": facts.swap_consistency,
        "live units": len(facts.in_state("live")),
        "copies": len(facts.in_state("copy")),
        "dead units": len(facts.in_state("dead")),
        "clear factors": verdicts.count("one thing"),
        "mixed factors": verdicts.count("several things mixed"),
        "psnr units alone": None if rebuilt is None else rebuilt.units_alone.psnr,
    }
    return {name: float(value) for name, value in numbers.items() if value is not None}
