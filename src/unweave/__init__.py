"""unweave finds the separate factors behind unlabelled images, represents each on its own, and changes one at a time.

    import unweave

    run = unweave.train("encdiff", data="rooms", training={"images": 50_000})
    scores = unweave.evaluate(run)
    edit = unweave.swap(run, images=[0, 1], partners=[300_000, 450_000])

Everything is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unweave.choosing import name
    from unweave.comparing import compare
    from unweave.edit_scores import evaluate_edits
    from unweave.edits import adjust, heatmap, interpolate, reconstruct, swap, traverse
    from unweave.evaluation.model import evaluate_model
    from unweave.evaluation.report import evaluate_tables, read_tables
    from unweave.experiment import train
    from unweave.extras import alone, attention, fields
    from unweave.looking import open_data
    from unweave.method import Sampling
    from unweave.planning import plan
    from unweave.reporting import report
    from unweave.run import Run
    from unweave.scoring import encode, evaluate

__version__ = "0.1.0"

_HOME = {
    "adjust": "edits",
    "alone": "extras",
    "attention": "extras",
    "compare": "comparing",
    "encode": "scoring",
    "evaluate": "scoring",
    "evaluate_edits": "edit_scores",
    "evaluate_model": "evaluation.model",
    "evaluate_tables": "evaluation.report",
    "fields": "extras",
    "heatmap": "edits",
    "interpolate": "edits",
    "name": "choosing",
    "open_data": "looking",
    "plan": "planning",
    "read_tables": "evaluation.report",
    "reconstruct": "edits",
    "report": "reporting",
    "Run": "run",
    "Sampling": "method",
    "swap": "edits",
    "train": "experiment",
    "traverse": "edits",
}

__all__ = [
    "Run",
    "Sampling",
    "adjust",
    "alone",
    "attention",
    "compare",
    "encode",
    "evaluate",
    "evaluate_edits",
    "evaluate_model",
    "evaluate_tables",
    "fields",
    "from_pretrained",
    "heatmap",
    "interpolate",
    "load",
    "name",
    "open_data",
    "plan",
    "read_tables",
    "reconstruct",
    "report",
    "swap",
    "train",
    "traverse",
]


def load(path: str) -> "Run":
    """Open a run directory. Raises LookupError where the path is none."""
    from unweave.run import Run

    return Run(path)


def from_pretrained(source: str, **options: Any) -> "Run":
    """Open a folder that `Run.save_pretrained` wrote, or owner/name[@revision] on the Hub, after checking its digests.

    Options are those of `huggingface_hub.snapshot_download`: revision, cache_dir, local_files_only, token. Raises
    LookupError where there is none, ValueError where it holds pickles or a file differs from what was shared.
    """
    from unweave import sharing
    from unweave.run import Run

    return Run(sharing.checked(sharing.fetch(str(source), **options)))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unweave' has no attribute {name!r}")
    return getattr(import_module(f"unweave.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
