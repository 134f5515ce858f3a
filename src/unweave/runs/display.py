"""What a run shows of itself in a notebook."""

from typing import TYPE_CHECKING

from PIL import Image

from unweave.figures.html import facts_html, picture_html

if TYPE_CHECKING:
    from unweave.runs.run import Run


SHOWN = ("disentanglement", "eval_accuracy")
"""What a line says of a protocol: one of these scores, else the one that is called as the protocol, else its first."""


def run_html(run: "Run") -> str:
    """Method, data, how far it got, its scores if there are any, and its newest preview."""
    history, scores = run.history(), run.scores() or {"protocols": {}}
    last = history[-1] if history else {}
    facts = {
        "run": run.path,
        "method": run.method_name,
        "data": run.tables["data"].get("path", run.tables["data"]["name"]),
        "images seen": f"{last.get('seen', 0):,} of {run.tables['training'].get('images', 0):,}",
        "seconds": f"{last['seconds']:,.0f}" if "seconds" in last else "",
        "last loss": ", ".join(
            f"{term} {value:.4f}" for term, value in last.items() if term not in ("seen", "seconds")
        ),
        "scores": ", ".join(
            f"{score} {measured[score]['value']:.3f} ({name})"
            for name, measured in scores["protocols"].items()
            for score in sorted(measured, key=lambda score: score not in (*SHOWN, name.split("@")[0]))[:1]
        ),
    }
    shown = facts_html(facts)
    if (path := run.preview()) is not None:
        with Image.open(path) as picture:
            shown += picture_html(picture, f"newest preview of {run.path}")
    return shown
