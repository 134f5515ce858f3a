import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from unweave.evaluation.contrast import compared
from unweave.evaluation.contrast.compared import compared_in
from unweave.factors.coordinate import fit_coordinate
from unweave.factors.factor import Factor
from unweave.runs.factors import FACTORS_FILE, RunFactors

RNG = np.random.default_rng(0)
ANGLES = RNG.uniform(-2.5, -0.5, 300)  # around one side of the circle, across no seam
CODES = np.stack([np.cos(ANGLES), np.sin(ANGLES), RNG.normal(size=300)], 1)[..., None].astype(np.float32)
CIRCLE = np.stack([np.cos(np.linspace(0, 6.28, 400)), np.sin(np.linspace(0, 6.28, 400))], 1)


def run_with(tmp_path: Path, factors: tuple[Factor, ...]) -> SimpleNamespace:
    found = RunFactors(factors, "0123", 300, 0)
    (tmp_path / FACTORS_FILE).write_text(json.dumps(found.to_json()))
    return SimpleNamespace(path=tmp_path, digest=lambda: "0123", has_statistics=lambda: False)


def test_factors_are_compared_on_their_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untyped: None) -> None:
    circle = fit_coordinate(CIRCLE)
    assert circle is not None
    assert circle.closed
    run = run_with(tmp_path, (Factor((0, 1), 1.0, circle, name="turn"), Factor((2,), 0.5)))
    found = compared_in(run, SimpleNamespace(), CODES)
    assert [group.name for group in found.groups] == ["turn", "f2"]
    assert abs(np.corrcoef(found.values[:, 0], ANGLES)[0, 1]) > 0.99
    assert abs(np.corrcoef(found.values[:, 1], CODES[:, 2, 0])[0, 1]) > 0.99
    in_b = np.median(ANGLES) < ANGLES
    ends = found.medians(0, CODES, in_b).numpy()[..., 0]
    for end, group in zip(ends, (~in_b, in_b)):
        middle = np.median(ANGLES[group])
        assert np.abs(end - [np.cos(middle), np.sin(middle)]).max() < 0.1
    assert found.medians(1, CODES, in_b).shape == (2, 1, 1)


def test_the_seam_of_a_circle_hides_no_difference(tmp_path: Path, untyped: None) -> None:
    angles = RNG.choice([-np.pi / 2, np.pi / 2], 300) + RNG.normal(scale=0.3, size=300)
    codes = np.stack([np.cos(angles), np.sin(angles)], 1)[..., None].astype(np.float32)
    found = compared_in(run_with(tmp_path, (Factor((0, 1), 1.0, fit_coordinate(CIRCLE)),)), SimpleNamespace(), codes)
    in_b = np.sin(angles) > 0
    (above, below) = (found.values[group, 0] for group in (in_b, ~in_b))
    assert above.min() > below.max() or below.min() > above.max()
    assert np.abs(found.medians(0, codes, in_b).numpy()[..., 0] - [[0, -1], [0, 1]]).max() < 0.1


def test_factors_of_other_weights_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untyped: None
) -> None:
    run = run_with(tmp_path, (Factor((0,), 1.0),))
    run.digest = lambda: "other"
    monkeypatch.setattr(compared, "select_units", lambda *_: ([], []))
    monkeypatch.setattr(compared, "unit_names", lambda _: {})
    monkeypatch.setattr(compared, "measure_values", lambda *_: SimpleNamespace(values=np.zeros((300, 0))))
    assert compared_in(run, SimpleNamespace(), CODES).groups == []
