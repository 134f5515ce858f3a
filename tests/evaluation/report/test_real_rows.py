import numpy as np
import pytest

from unweave.data.open import open_data
from unweave.evaluation.report.drawings import STEPS, TRAVERSED
from unweave.evaluation.report.real_rows import real_strips


def test_real_images_along_a_unit_keep_the_other_units_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).uniform(size=(600, 3)) * [1, 1, 50]
    dataset = open_data("manifolds", {"variant": "wide_bump", "rows": 600})
    rows = np.arange(600)
    seen: list[np.ndarray] = []
    draw = dataset.images
    monkeypatch.setattr(dataset, "images", lambda chosen: (seen.append(chosen), draw(chosen))[1])
    strips = real_strips(values, 0, rows, dataset)
    assert len(strips) == TRAVERSED
    along = values[np.array(seen)]  # (strip, step, unit)
    assert along.shape == (TRAVERSED, STEPS, 3)
    assert (np.diff(along[:, :, 0], axis=1) > 0).all()
    assert np.ptp(along[:, :, 0], axis=1).min() > 0.85
    assert (along[:, :, 1:].std(1) / values[:, 1:].std(0)).max() < 0.6


def test_real_images_along_a_single_unit_differ_between_strips() -> None:
    dataset = open_data("manifolds", {"variant": "wide_bump", "rows": 40})
    values = np.arange(40.0)[:, None]
    first, second, _ = real_strips(values, 0, np.arange(40), dataset)
    assert (first != second).any((1, 2, 3)).all()
