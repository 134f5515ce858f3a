import json

import numpy as np
import pytest
from rich.console import Console

from unweave.edit_scores import evaluate_edits, table
from unweave.method import Sampling
from unweave.run import Run


@pytest.mark.slow
def test_swaps_of_a_run_are_measured_and_kept(quick_run: Run) -> None:
    told: list[tuple[str, int, int]] = []
    scores = evaluate_edits(quick_run, sampling=Sampling("ddim", 2), progress=lambda *said: told.append(said))
    assert [done for _, done, _ in told] == list(range(15))
    assert {total for *_, total in told} == {15}
    assert json.loads((quick_run.path / "edit_scores.json").read_text()) == json.loads(json.dumps(scores))
    consistency = scores["protocols"]["swap-consistency@1"]
    assert 0 <= consistency["consistency"] <= 1
    assert len(consistency["shares"]) == 4
    precision = scores["protocols"]["edit-precision@1"]
    assert precision["factor_names"] == list(quick_run.dataset().factor_names)
    assert precision["summary"]["ceiling_precision"] > 0.4  # true pictures; the probe is the limit
    assert precision["summary"]["ceiling_precision"] > precision["summary"]["edit_precision"]
    assert np.array(precision["changes"]).shape == (4, len(precision["factor_names"]))
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table(scores, "runs/a"))
    assert "swap consistency" in captured.get()
    assert quick_run.dataset().factor_names[0] in captured.get()
