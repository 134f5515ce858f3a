import json

import numpy as np

import unweave
from unweave.evaluation.notebook_scores import NotebookScores


def test_scores_are_a_dict_and_show_a_table() -> None:
    factors = np.random.default_rng(0).integers(0, 4, (400, 2))
    scores = unweave.evaluate_tables(factors + 0.0, factors, protocols=["mig@1"], repeats=1)
    assert isinstance(scores, NotebookScores)
    assert json.loads(json.dumps(scores)) == scores
    value = scores["protocols"]["mig@1"]["mig"]["value"]
    assert f"<td>mig@1</td><td>mig</td><td>{value:.3f}</td>" in scores._repr_html_()
    assert "too few rows" in NotebookScores({"not_measured": {"dci@1": "too few rows"}})._repr_html_()
