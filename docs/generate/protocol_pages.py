"""Every scoring protocol, from `evaluation/protocols.py`."""

from pathlib import Path

import pages as md

from unweave.evaluation.protocols import ATTRIBUTES, DEFAULT, OTHERS, PROTOCOLS


def write(out: Path) -> None:
    """protocols.md: each id with what it is, its sizes, and what each score says."""
    rows = [
        [md.code(name), md.prose(protocol.about), _when(name), _scores(protocol.means)]
        for name, protocol in PROTOCOLS.items()
    ]
    others = [[md.code(name), md.prose(about)] for name, about in OTHERS.items()]
    text = "\n\n".join([
        "# Protocol ids",
        "A protocol is a metric with every constant fixed; another constant is another id, so two numbers under one id "
        "compare. What the metrics are and which rows they see: [Metrics and protocols](../metrics.md).",
        md.table(("id", "what it is", "by default", "scores"), rows),
        "## Of several runs, or of edits",
        md.table(("id", "what it is"), others),
    ])  # fmt: skip
    md.write_page(out / "protocols.md", text)


def _when(name: str) -> str:
    return "yes" if name in DEFAULT else "yes-or-no factors" if name in ATTRIBUTES else "no"


def _scores(means: dict[str, str]) -> str:
    return "; ".join(f"`{score}`: {md.prose(meaning)}" for score, meaning in means.items())
