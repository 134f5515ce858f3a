"""The reference of the Python package, from its docstrings."""

import inspect
import pkgutil
from pathlib import Path

import pages as md

import unweave
from unweave.evaluation import metrics
from unweave.evaluation.metrics import image

PARTS = {
    "training": "Training",
    "editing": "Editing",
    "evaluation": "Scores and reports",
    "runs": "Runs",
    "data": "Data",
}
"""What stands in which part of the page, by the package where it lies."""


def write(out: Path) -> None:
    """api.md, metrics.md and estimators.md."""
    md.write_page(out / "api.md", api_page())
    md.write_page(out / "metric-functions.md", metrics_page())
    md.write_page(out / "estimators.md", estimators_page())


def api_page() -> str:
    """Every name of `unweave.__all__`, by what it is for."""
    homes = {name: inspect.getmodule(getattr(unweave, name)).__name__.split(".")[1:] for name in unweave.__all__}
    parts = ["# The package", "Everything here is `unweave.NAME`. It is imported when it is first used."]
    for package, title in {**PARTS, "": "More"}.items():
        chosen = [name for name, home in homes.items() if (home[0] if home and home[0] in PARTS else "") == package]
        if chosen:
            parts += [f"## {title}", "\n\n".join(_auto(f"unweave.{name}") for name in chosen)]
    return "\n\n".join(parts)


def metrics_page() -> str:
    """Every public function of the metrics, by file."""
    parts = ["# Metric functions", "Arrays in, numbers out; none of them needs torch but those of images."]
    for package in (metrics, image):
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_") and not module.ispkg:
                name = f"{package.__name__}.{module.name}"
                parts += [f"## {module.name}", f"```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```"]
    return "\n\n".join(parts)


def estimators_page() -> str:
    """The transformers for scikit-learn."""
    return "\n\n".join([
        "# Estimators",
        "Methods as scikit-learn transformers: `fit`, `transform`, `inverse_transform`, `score`.",
        _auto("unweave.estimators.Estimator", members=True),
        *(_auto(f"unweave.estimators.{name}Estimator") for name in ("EncDiff", "BetaVAE", "FactorVAE")),
        "## Without training a network",
        _auto("unweave.manifold.LocalIsometry", members=True),
    ])  # fmt: skip


def _auto(name: str, members: bool = False) -> str:
    target = unweave
    for part in name.split(".")[1:]:
        target = getattr(target, part, None) or __import__(f"unweave.{part}", fromlist=[part])
    kind = "autoclass" if inspect.isclass(target) else "autofunction"
    members = members or name == "unweave.Run"
    return (
        f"```{{eval-rst}}\n.. {kind}:: {name}\n"
        + ("   :members:\n   :exclude-members: set_score_request, set_inverse_transform_request\n" if members else "")
        + "```"
    )
