"""Scores that show themselves in a notebook."""

from typing import Any

from unweave.figures.html import table_html


class NotebookScores(dict[str, Any]):
    """The content of scores.json, a dict in every respect, whose protocols a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [
            [protocol, score, f"{numbers['value']:.3f}", f"{numbers['low']:.3f} .. {numbers['high']:.3f}"]
            for protocol, scores in self.get("protocols", {}).items()
            for score, numbers in scores.items()
        ]
        failed = [[protocol, "not measured", "", why] for protocol, why in self.get("not_measured", {}).items()]
        return table_html(("protocol", "score", "value", "low .. high"), [*rows, *failed])
