"""`unweave figure attribute-loss` on the run of DiTi, of its denoiser, and on runs that cannot have it."""

import json

import numpy as np
import pytest
from PIL import Image

from unweave.evaluation import attribute_loss
from unweave.runs.run import Run


def test_losses_of_every_factor_and_the_slices_that_carry_them(diti_run: Run, tmp_path) -> None:
    told = []
    found = attribute_loss.attribute_losses(
        diti_run, pairs_each=4, times=[50, 900], output=tmp_path / "a.png", progress=lambda *words: told.append(words)
    )
    names = [n for n, size in zip(diti_run.dataset().factor_names, diti_run.dataset().factor_sizes) if size > 1]
    assert list(found["loss"]) == names
    assert all(len(loss) == 2 and 0 <= min(loss) <= max(loss) <= 1 for loss in found["loss"].values())
    assert list(found["slices"]) == ["t0-249", "t250-499", "t500-999"]
    assert all(0 <= share <= 1 for shares in found["slices"].values() for share in shares)
    assert json.loads((tmp_path / "a.json").read_text())["loss"] == found["loss"]
    assert Image.open(tmp_path / "a.png").width > 500
    assert told[0][1:] == (0, 2 * len(names))
    assert told[2 * len(names) - 1][1:] == (2 * len(names) - 1, 2 * len(names))
    assert told[2 * len(names) :] == [(f"probing {name}", done, 3) for done, name in enumerate(found["slices"])]


def test_the_denoiser_alone_gives_the_same_losses(diti_run: Run, tmp_path) -> None:
    place = diti_run.sources().named()["denoiser"].origin
    options = {"pairs_each": 4, "times": [500], "seed": 3}
    one = attribute_loss.attribute_losses(diti_run, output=tmp_path / "a.png", **options)
    two = attribute_loss.attribute_losses(place, output=tmp_path / "b.png", **options)
    assert one["loss"] == two["loss"]
    assert "slices" not in two


def test_factors_that_are_no_grid_are_refused(diti_run: Run, tmp_path, monkeypatch) -> None:
    whole = diti_run.dataset()
    monkeypatch.setattr(type(whole), "factors", lambda self, rows: np.zeros((len(rows), 6), np.int64))
    with pytest.raises(ValueError, match=r"pairs of images that differ in it alone, and .* is no grid"):
        attribute_loss.attribute_losses(diti_run, pairs_each=2, times=[5], output=tmp_path / "a.png")


def test_a_method_without_a_denoiser_is_refused(quick_run: Run, tmp_path) -> None:
    with pytest.raises(ValueError, match="stands on no unconditional diffusion model"):
        attribute_loss.attribute_losses(quick_run, output=tmp_path / "a.png")


@pytest.mark.parametrize(("loss", "expected"), [((0.0, 0.2, 0.3), 150), ((0.3, 0.2, 0.3), 0), ((0.0, 0.1, 0.2), None)])
def test_half_lost_is_where_the_loss_crosses_a_quarter(loss: tuple[float, ...], expected: float | None) -> None:
    assert attribute_loss.half_lost([0, 100, 200], loss) == expected


def test_what_is_there_is_not_overwritten_and_times_are_sorted(diti_run: Run, tmp_path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FileExistsError, match=r"a\.json is there already"):
        attribute_loss.attribute_losses(diti_run, pairs_each=2, times=[5], output=tmp_path / "a.png")
    assert (tmp_path / "a.json").read_text() == "{}"
    found = attribute_loss.attribute_losses(diti_run, pairs_each=2, times=[900, 5, 5], output=tmp_path / "b.png")
    assert found["times"] == [5, 900]
    with pytest.raises(ValueError, match="times is empty"):
        attribute_loss.attribute_losses(diti_run, times=[], output=tmp_path / "c.png")
