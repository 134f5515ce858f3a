"""unweave finds the separate factors behind unlabelled images, represents each on its own, and changes one at a time.

    import unweave

    run = unweave.train("encdiff", data="rooms", training={"images": 50_000})
    scores = unweave.evaluate(run)
    edit = unweave.swap(run, images=[0, 1], partners=[300_000, 450_000])
    edit.save("swap.png")

Everything is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unweave.data.open import open_data
    from unweave.demos._demonstration import demonstrate
    from unweave.editing.full_size import full_size
    from unweave.editing.local_directions import local_directions
    from unweave.editing.method_specific import attention_maps, edit_alone, field_maps
    from unweave.editing.verbs import adjust, heatmap, interpolate, reconstruct, swap, traverse
    from unweave.evaluation.compare import compare
    from unweave.evaluation.contrast.contrast import contrast
    from unweave.evaluation.edits import evaluate_edits
    from unweave.evaluation.evaluate import evaluate
    from unweave.evaluation.external_model import evaluate_model
    from unweave.evaluation.report.report import report
    from unweave.evaluation.run_factors import factors_of, merge_factors, split_factor
    from unweave.evaluation.scores import evaluate_tables
    from unweave.evaluation.tables import read_tables
    from unweave.method import Sampling
    from unweave.runs.codes import encode
    from unweave.runs.factors import hide_factor
    from unweave.runs.naming import name_factor, name_unit
    from unweave.runs.plan import plan
    from unweave.runs.run import Run
    from unweave.studies.sweep import sweep
    from unweave.threads import sleep_at_barriers
    from unweave.training.train import train

__version__ = "0.1.0"

_HOME = {
    "adjust": "editing.verbs",
    "attention_maps": "editing.method_specific",
    "compare": "evaluation.compare",
    "demonstrate": "demos._demonstration",
    "edit_alone": "editing.method_specific",
    "encode": "runs.codes",
    "evaluate": "evaluation.evaluate",
    "evaluate_edits": "evaluation.edits",
    "evaluate_model": "evaluation.external_model",
    "evaluate_tables": "evaluation.scores",
    "factors_of": "evaluation.run_factors",
    "field_maps": "editing.method_specific",
    "full_size": "editing.full_size",
    "heatmap": "editing.verbs",
    "hide_factor": "runs.factors",
    "interpolate": "editing.verbs",
    "merge_factors": "evaluation.run_factors",
    "local_directions": "editing.local_directions",
    "name_factor": "runs.naming",
    "name_unit": "runs.naming",
    "open_data": "data.open",
    "plan": "runs.plan",
    "read_tables": "evaluation.tables",
    "reconstruct": "editing.verbs",
    "contrast": "evaluation.contrast.contrast",
    "report": "evaluation.report.report",
    "Run": "runs.run",
    "Sampling": "method",
    "sleep_at_barriers": "threads",
    "split_factor": "evaluation.run_factors",
    "swap": "editing.verbs",
    "sweep": "studies.sweep",
    "train": "training.train",
    "traverse": "editing.verbs",
}

__all__ = [
    "Run",
    "Sampling",
    "adjust",
    "attention_maps",
    "compare",
    "contrast",
    "demonstrate",
    "edit_alone",
    "encode",
    "evaluate",
    "evaluate_edits",
    "evaluate_model",
    "evaluate_tables",
    "factors_of",
    "field_maps",
    "from_pretrained",
    "full_size",
    "heatmap",
    "hide_factor",
    "interpolate",
    "load",
    "local_directions",
    "merge_factors",
    "name_factor",
    "name_unit",
    "open_data",
    "plan",
    "read_tables",
    "reconstruct",
    "report",
    "sleep_at_barriers",
    "split_factor",
    "swap",
    "sweep",
    "train",
    "traverse",
]


def load(path: str) -> "Run":
    """Open a run directory. Raises LookupError where the path is none."""
    from unweave.runs.run import Run

    return Run(path)


def from_pretrained(source: str, **options: Any) -> "Run":
    """Open a folder that `Run.save_pretrained` wrote, or owner/name[@revision] on the Hub, after checking its digests.

    Options are those of `huggingface_hub.snapshot_download`: revision, cache_dir, local_files_only, token. Raises
    LookupError where there is none, ValueError where it holds pickles or a file differs from what was shared.
    """
    from unweave.runs import hub
    from unweave.runs.run import Run

    return Run(hub.check_shared(hub.fetch(str(source), **options)))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unweave' has no attribute {name!r}")
    return getattr(import_module(f"unweave.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
