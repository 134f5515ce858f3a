"""`unweave figure attribute-loss` on the run of DiTi, of its denoiser, and on runs that cannot have it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import Recorder, abar_of

from unweave import progress
from unweave.evaluation.attribute_loss import attribute_losses
from unweave.models.attribute_loss import attribute_loss, half_lost
from unweave.runs.run import Run


def test_losses_of_every_factor_and_the_slices_that_carry_them(diti_run: Run, tmp_path) -> None:
    recorder = Recorder()
    with progress.use(recorder):
        measured = attribute_losses(diti_run, pairs_each=4, times=[50, 900], output=tmp_path / "a.png")
    names = [n for n, size in zip(diti_run.dataset().factor_names, diti_run.dataset().factor_sizes) if size > 1]
    assert list(measured.losses) == names
    assert all(len(loss) == 2 and 0 <= min(loss) <= max(loss) <= 1 for loss in measured.losses.values())
    accuracies = measured.slices.accuracies
    assert list(accuracies) == ["t0-249", "t250-499", "t500-999"]
    assert all(0 <= accuracy <= 1 for of_group in accuracies.values() for accuracy in of_group)
    assert json.loads((tmp_path / "a.json").read_text()) == measured.to_json()
    assert Image.open(tmp_path / "a.png").width > 500
    assert recorder.updates_of("measuring losses") == [
        ("measuring losses", done, len(names), name) for done, name in enumerate(names)
    ]
    times = recorder.updates_of("rebuilding noised images")
    assert [(update.done, update.total) for update in times] == [(0, 2), (1, 2)] * len(names)
    assert recorder.updates_of("probing") == [("probing", done, 3, name) for done, name in enumerate(accuracies)]


def test_the_denoiser_alone_gives_the_same_losses(diti_run: Run, tmp_path) -> None:
    denoiser = diti_run.network_sources().networks()["denoiser"].origin
    options = {"pairs_each": 4, "times": [500], "seed": 3}
    one = attribute_losses(diti_run, output=tmp_path / "a.png", **options)
    two = attribute_losses(denoiser, output=tmp_path / "b.png", **options)
    assert one.losses == two.losses
    assert two.slices is None


def test_factors_that_are_no_grid_are_refused(diti_run: Run, tmp_path, monkeypatch) -> None:
    whole = diti_run.dataset()
    monkeypatch.setattr(type(whole), "factors", lambda self, rows: np.zeros((len(rows), 6), np.int64))
    with pytest.raises(ValueError, match=r"pairs of images that differ in it alone, and .* is no grid"):
        attribute_losses(diti_run, pairs_each=2, times=[5], output=tmp_path / "a.png")


def test_a_method_without_a_denoiser_is_refused(quick_run: Run, tmp_path) -> None:
    with pytest.raises(ValueError, match="stands on no unconditional diffusion model"):
        attribute_losses(quick_run, output=tmp_path / "a.png")


@pytest.mark.parametrize(("loss", "expected"), [((0.0, 0.2, 0.3), 150), ((0.3, 0.2, 0.3), 0), ((0.0, 0.1, 0.2), None)])
def test_half_lost_is_where_the_loss_crosses_a_quarter(loss: tuple[float, ...], expected: float | None) -> None:
    assert half_lost([0, 100, 200], loss) == expected


def test_what_is_there_is_not_overwritten_and_times_are_sorted(diti_run: Run, tmp_path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FileExistsError, match=r"a\.json is there already"):
        attribute_losses(diti_run, pairs_each=2, times=[5], output=tmp_path / "a.png")
    assert (tmp_path / "a.json").read_text() == "{}"
    measured = attribute_losses(diti_run, pairs_each=2, times=[900, 5, 5], output=tmp_path / "b.png")
    assert measured.times == [5, 900]
    with pytest.raises(ValueError, match="times is empty"):
        attribute_losses(diti_run, times=[], output=tmp_path / "c.png")


ABAR = abar_of("linear")
TIMES = (5, 100, 300, 500, 700, 900)


def gaussian_loss(distance: torch.Tensor, abar: torch.Tensor) -> torch.Tensor:
    """The loss without a model, where x_t / sqrt(abar) is itself the guess; `distance` is the l2 one of two images."""
    return 0.5 * torch.erfc(abar.sqrt() * distance / (2 * (2 * (1 - abar)).sqrt()))


def pair(distance: float, count: int = 4_000) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    step = torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    return first, first + distance * step / step.flatten(1).norm(dim=1)[:, None, None, None]


@pytest.mark.parametrize("distance", [0.2, 1.0, 3.0])
def test_without_a_model_the_loss_is_the_closed_form(distance: float) -> None:
    first, second = pair(distance)

    def plain(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x_t / ABAR[t].sqrt()[:, None, None, None]

    loss = attribute_loss(plain, first, second, ABAR, TIMES, torch.Generator().manual_seed(2))
    expected = gaussian_loss(torch.tensor(distance), ABAR[list(TIMES)])
    torch.testing.assert_close(torch.tensor(loss), expected, atol=0.012, rtol=0)
    assert expected[0] < expected[-1] <= 0.5


def test_a_larger_difference_is_lost_later() -> None:
    near, far = gaussian_loss(torch.tensor(0.5), ABAR), gaussian_loss(torch.tensor(3.0), ABAR)
    assert (near[20:] > far[20:]).all()
    assert (near.diff() >= 0).all()


def test_a_perfect_model_loses_nothing_and_one_that_exchanges_them_everything() -> None:
    first, second = pair(1.0, 8)
    for rebuilt, loss in ((torch.cat([first, second]), 0.0), (torch.cat([second, first]), 1.0)):
        measured = attribute_loss(lambda x, t: rebuilt, first, second, ABAR, [500], torch.Generator())  # noqa: B023
        assert measured == [loss]


def test_what_does_not_fit_is_refused() -> None:
    first, second = pair(1.0, 4)
    rng = torch.Generator()
    with pytest.raises(ValueError, match=r"times must be in 0\.\.999"):
        attribute_loss(lambda x, t: x, first, second, ABAR, [1000], rng)
    with pytest.raises(ValueError, match="one shape"):
        attribute_loss(lambda x, t: x, first, second[:2], ABAR, [10], rng)
