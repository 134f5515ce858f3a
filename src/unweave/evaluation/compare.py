"""Runs side by side: what can be said of them without labels, beside their scores where factors are known."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from unweave import progress
from unweave.config import SettingsError
from unweave.evaluation.centrality import model_centrality
from unweave.evaluation.evaluate import agreement, list_runs, settings_without_seed
from unweave.evaluation.find_factors import SAMPLING
from unweave.evaluation.jacobian import JacobianScores, evaluate_jacobian
from unweave.evaluation.report.report import report
from unweave.method import Generative
from unweave.runs.report_facts import ReportFacts
from unweave.runs.run import Run

SCORES = {
    "dci@1": "disentanglement",
    "factorvae@1": "eval_accuracy",
    "mig@1": "mig",
    "med@1": "top1_disentanglement",
    "med-null@1": "top1_disentanglement",
}
"""The scores with factors that stand beside the label-free ones, where `unweave evaluate` has measured them."""

UDR_ROWS = 10_000
MIN_CENTRAL = 3  # runs on one data set that read each other's pictures
MIN_RANKED = 4  # scored runs that a rank correlation is given of


@dataclass(frozen=True)
class ComparedRun:
    """What is known of a run; numbers that nobody can measure, or has measured, are None."""

    run: str
    method: str
    data: str
    digest: str  # of the data
    seed: int
    images: int  # that training saw
    swap_consistency: float | None
    live_units: int
    copies: int
    dead_units: int
    not_looked_at: int
    psnr_units_alone: float | None
    psnr_inverted: float | None
    orthogonality: float | None  # of the decoder's Jacobian
    orthogonality_turned: float | None  # its null
    centrality: float | None
    udr: float | None
    scores: dict[str, float | None]  # by protocol (see `SCORES`)

    def label_free(self) -> dict[str, float | None]:
        """The numbers that need no labels, by name; for all but dead units and copies, higher is better."""
        return {
            "swap consistency": self.swap_consistency, "live units": self.live_units, "copies": self.copies,
            "dead units": self.dead_units, "psnr units alone": self.psnr_units_alone,
            "psnr inverted": self.psnr_inverted, "orthogonality": self.orthogonality,
            "centrality": self.centrality, "udr": self.udr,
        }  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run, "method": self.method, "data": self.data, "digest": self.digest, "seed": self.seed,
            "images": self.images, "swap consistency": self.swap_consistency, "live units": self.live_units,
            "copies": self.copies, "dead units": self.dead_units, "not looked at": self.not_looked_at,
            "psnr units alone": self.psnr_units_alone, "psnr inverted": self.psnr_inverted, "udr": self.udr,
            "orthogonality": self.orthogonality, "orthogonality turned": self.orthogonality_turned,
            "centrality": self.centrality, **self.scores,
        }  # fmt: skip


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side, and how each label-free number ranks them compared with DCI disentanglement."""

    runs: list[ComparedRun]
    agreement: dict[str, float]  # Spearman's correlation; empty where it cannot be measured

    def to_json(self) -> dict[str, Any]:
        return {"runs": [run.to_json() for run in self.runs], "agreement": self.agreement}


def compare(runs: Sequence[Run | str | Path]) -> RunComparison:
    """Label-free facts and factor scores of every run, and how well the first rank runs as the second do.

    The facts are those of `report` at its defaults, which is made where a run has none of its present weights (about a
    minute each). `orthogonality` is that of the decoder's Jacobian (`evaluation.jacobian`), and `centrality`
    ModelCentrality (`evaluation.centrality`), where three or more runs of one data set can draw. `udr` is UDR-lasso on
    10,000 rows among runs that differ in their seed alone, where there are three or more of them. `agreement` is
    Spearman's rank correlation of each label-free number with DCI disentanglement over these runs, where four or more
    have both; runs of one data set only. Foundations, which have no units, and runs that have no checkpoint are left
    out, and said. Raises ValueError for fewer than two others.
    """
    loaded = [run if isinstance(run, Run) else Run(run) for run in list_runs(runs)]
    with_units = [run for run in loaded if _has_units(run)]
    if len(with_units) < 2:
        raise ValueError("compare at least two runs.")
    compared = [_describe(run, _report_facts(run), _jacobian(run)) for run in with_units]
    for position, value in _centrality(with_units, compared).items():
        compared[position] = replace(compared[position], centrality=value)
    for position, value in _udr(with_units).items():
        compared[position] = replace(compared[position], udr=value)
    return RunComparison(compared, _rank_agreement(compared))


def _has_units(run: Run) -> bool:
    try:
        run.method()
    except (TypeError, LookupError) as error:
        progress.message(f"left out: {error}")
        return False
    return True


def _jacobian(run: Run) -> JacobianScores | None:
    return evaluate_jacobian(run) if isinstance(run.method(), Generative) else None


def _describe(run: Run, facts: ReportFacts, jacobian: JacobianScores | None) -> ComparedRun:
    rebuilt = facts.reconstruction
    return ComparedRun(
        run=str(run.path),
        method=run.method_title(),
        data=facts.data.name,
        digest=facts.data.digest,
        seed=run.settings.training.seed,
        images=facts.images_seen,
        swap_consistency=facts.swap_consistency,
        live_units=len(facts.in_state("live")),
        copies=len(facts.in_state("copy")),
        dead_units=len(facts.in_state("dead")),
        not_looked_at=facts.not_looked_at,
        psnr_units_alone=None if rebuilt is None else rebuilt.units_alone.psnr,
        psnr_inverted=None if rebuilt is None or rebuilt.inverted is None else rebuilt.inverted.psnr,
        orthogonality=None if jacobian is None else jacobian.orthogonality,
        orthogonality_turned=None if jacobian is None else jacobian.turned,
        centrality=None,
        udr=None,
        scores=_scores(run),
    )


def _report_facts(run: Run) -> ReportFacts:
    """Those of the run's report if it was made as `report` does by default, else of a new one."""
    stored = run.own_report()
    if (
        stored is not None
        and stored.data.trained_on
        and (stored.settings.seed, stored.settings.sampling) == (0, SAMPLING)
    ):
        return stored
    progress.message(f"a report of {run.path}")
    return report(run).facts


def _scores(run: Run) -> dict[str, float | None]:
    protocols = (run.own_scores() or {}).get("protocols", {})
    return {name: protocols.get(name, {}).get(score, {}).get("value") for name, score in SCORES.items()}


def _centrality(runs: Sequence[Run], compared: Sequence[ComparedRun]) -> dict[int, float]:
    """ModelCentrality of the runs that can draw and have two or more others of their data set, by position."""
    groups: dict[str, list[int]] = {}
    for position, run in enumerate(compared):
        if isinstance(runs[position].method(), Generative):
            groups.setdefault(run.digest, []).append(position)
    values: dict[int, float] = {}
    for positions in groups.values():
        if len(positions) >= MIN_CENTRAL:
            values |= dict(zip(positions, model_centrality([runs[position] for position in positions]).tolist()))
    return values


def _udr(runs: Sequence[Run]) -> dict[int, float]:
    """UDR-lasso of the runs that have two or more others of their settings, by position."""
    groups: dict[str, list[int]] = {}
    for position, run in enumerate(runs):
        key = json.dumps(settings_without_seed(run), sort_keys=True, default=str)
        groups.setdefault(key, []).append(position)
    udr: dict[int, float] = {}
    several = [positions for positions in groups.values() if len(positions) > 2]
    with progress.task("measuring udr", len(several), "sets of seeds") as task:
        for index, positions in enumerate(several):
            task.update(index, f"{runs[positions[0]].path.name} and {len(positions) - 1} more")
            try:
                measured = agreement([runs[position] for position in positions], rows=UDR_ROWS)
            except (ValueError, LookupError, SettingsError) as error:
                progress.message(f"no udr: {error}")
                continue
            scores = measured.protocols["udr-lasso@1"]
            udr |= {position: scores[str(runs[position].path)] for position in positions}
    return udr


def _rank_agreement(runs: Sequence[ComparedRun]) -> dict[str, float]:
    """Spearman's correlation of label-free numbers with DCI disentanglement, over runs on one data set."""
    correlations: dict[str, float] = {}
    if len({run.digest for run in runs}) > 1:
        return correlations
    for name in runs[0].label_free():
        both = [(run.label_free()[name], run.scores["dci@1"]) for run in runs]
        pairs = np.array([pair for pair in both if None not in pair], np.float64).reshape(-1, 2)
        if len(pairs) >= MIN_RANKED and (np.ptp(pairs, axis=0) > 0).all():
            correlations[name] = float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
    return correlations
