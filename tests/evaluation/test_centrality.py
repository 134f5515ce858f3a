import numpy as np
import pytest

from unweave.evaluation import centrality as module
from unweave.evaluation.centrality import _draw, _sources, model_centrality
from unweave.method import Sampling
from unweave.runs.run import Run

SAMPLING = Sampling("ddim", 2)


def test_a_group_shares_the_row_of_one_unit_and_units_of_a_group_go_together() -> None:
    fixed = np.arange(200) % 2
    source = _sources(1000, 5, [[0, 1], [3]], fixed, 0)
    assert (source[..., 0] == source[..., 1]).all()
    assert (source[fixed == 0][:, :, 0] == source[fixed == 0][:, :1, 0]).all()
    assert (source[fixed == 1][:, :, 3] == source[fixed == 1][:, :1, 3]).all()
    for unit, label in ((0, 1), (3, 0), (2, 0), (4, 1)):
        assert (source[fixed == label][:, :, unit] != source[fixed == label][:, :1, unit]).any()


def test_runs_read_each_others_pictures(vivid_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS", 24)
    drawn = _draw(vivid_run, SAMPLING, 0)
    assert drawn.pixels.shape == (24 * 8, 16, 16, 3)
    assert [unit.units for unit in drawn.units] == [[0], [1], [2], [3]]
    values = model_centrality([vivid_run] * 3, sampling=SAMPLING)
    assert values == pytest.approx([values[0]] * 3)
    assert 0.25 <= values[0] <= 1


def test_two_runs_are_too_few(vivid_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS", 4)
    with pytest.raises(ValueError, match="three or more"):
        model_centrality([vivid_run] * 2, sampling=SAMPLING)
