import numpy as np
import pytest
import torch
from torch import nn

import unweave
from unweave.data.open import open_data
from unweave.evaluation.metrics.local_isometry import li_corr
from unweave.evaluation.metrics.mcc import mcc
from unweave.method import Batch, Sampling, evaluating
from unweave.methods.liae import LIAESettings, build, neighbour_distortion, relative_distortion
from unweave.models.foundation import Foundation
from unweave.tensors import to_images


def autoencoder(**settings):
    torch.manual_seed(0)
    return build(LIAESettings(**{"autoencoders": 1, **settings}), Foundation((1, 20, 20), 100))


def bumps(rows=100):
    return open_data("manifolds", {"variant": "small_bump", "size": 20, "rows": rows})


def test_an_isometry_has_no_distortion_in_either_form_and_a_stretch_has():
    rng = torch.Generator().manual_seed(0)
    codes = torch.rand(60, 2, generator=rng)
    axes = torch.linalg.qr(torch.randn(9, 2, generator=rng))[0]
    de = codes[1:] - codes[:-1]
    assert neighbour_distortion(3 * de @ axes.T, de) < 1e-6
    assert neighbour_distortion(3 * de @ axes.T, de * torch.tensor([1, 4.0])) > 0.05
    decoder = nn.Linear(2, 9)
    decoder.weight.data = 5 * axes
    many = torch.rand(20_000, 2, generator=rng)
    assert relative_distortion(decoder, many, rng).item() == pytest.approx(1 / 2, abs=0.02)
    decoder.weight.data = axes * torch.tensor([1.0, 3.0])
    assert relative_distortion(decoder, many, rng).item() == pytest.approx(82 / 100, abs=0.03)


def test_the_decoder_form_is_the_ratio_of_traces_of_its_jacobian():
    rng = torch.Generator().manual_seed(0)
    decoder = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 9)).double()
    codes = torch.zeros(40_000, 2, dtype=torch.float64) + 0.3  # one point, so that only the directions are drawn
    jacobian = torch.func.jacrev(decoder)(codes[0])
    h = jacobian.T @ jacobian
    expected = (h @ h).trace() / h.trace() ** 2
    assert relative_distortion(decoder, codes, rng).item() == pytest.approx(expected.item(), rel=0.05)


def test_weight_zero_is_the_plain_autoencoder_and_both_forms_add_to_it():
    batch = Batch(to_images(bumps(16).images(np.arange(16))), torch.arange(16), 0)
    plain = autoencoder(weight=0)(batch, torch.Generator().manual_seed(0))
    assert list(plain.terms) == ["reconstruction"]
    for form in ("neighbour", "decoder"):
        loss = autoencoder(form=form, weight=2)(batch, torch.Generator().manual_seed(0))
        assert loss.terms["reconstruction"] == plain.total
        torch.testing.assert_close(loss.total, plain.total + 2 * loss.terms["isometry"])


def test_neighbours_are_near_images_of_those_seen_last():
    method, dataset = autoencoder(bank=50, neighbours=3), bumps(60)
    x = (to_images(dataset.images(np.arange(60))) + 1) / 2
    rng = torch.Generator().manual_seed(0)
    assert torch.equal(method.neighbours(x[:1], rng), x[:1])  # there is no other yet
    for start in (0, 20, 40):
        near = method.neighbours(x[start : start + 20], rng)
    assert method.banked == 61
    distances = torch.cdist(x[40:].flatten(1), x[11:].flatten(1))
    third = distances.sort().values[:, 3]
    steps = (near - x[40:]).flatten(1).norm(dim=1)
    assert (steps > 0).all()
    assert (steps <= third + 1e-4).all()


def test_the_autoencoder_of_the_lowest_loss_goes_on_alone():
    method, dataset = autoencoder(autoencoders=3, chosen_after=64, weight=0), bumps(32)
    x, rng = to_images(dataset.images(np.arange(32))), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for candidate, bias in zip(method.candidates, (0.4, 0.0, 0.9)):
            candidate["decoder"][-2].bias.fill_(bias)  # a bump is dark but for one place
    for seen in (0, 32):
        loss = method(Batch(x, torch.arange(32), seen), rng)
        assert loss.terms["reconstruction"] < loss.total / 3
        assert method.chosen == -1
    assert method.best == 1
    loss = method(Batch(x, torch.arange(32), 64), rng)
    assert method.chosen == 1
    assert loss.total == loss.terms["reconstruction"]
    loss.total.backward()
    assert [candidate["decoder"][0].weight.grad is not None for candidate in method.candidates] == [False, True, False]
    method.losses.copy_(torch.tensor([0.0, 1.0, 1.0]))
    assert method.encoder is method.candidates[1]["encoder"]


def test_the_decoder_form_trains(tmp_path):
    few = {"images": 128, "preview": 10**9}
    data = {"name": "manifolds", "variant": "small_bump", "size": 16, "rows": 60}
    run = unweave.train("liae", preset="decoder", data=data, training=few, run=tmp_path / "run")
    assert all(record["autoencoder/isometry"] > 0 for record in run.history() if "autoencoder/isometry" in record)
    assert unweave.encode(run)["codes"].shape == (60, 2, 1)


def test_linear_layers_make_it_irmae():
    count = sum(isinstance(part, nn.Linear) for part in autoencoder(linear=8).encoder)
    assert count == 3 + 8


def test_units_are_independent_components_of_the_codes_and_decoding_turns_back():
    method, dataset = autoencoder(), bumps()
    pixels = dataset.images(np.arange(100))
    with evaluating(method):
        codes = method.encoder((to_images(pixels) + 1) / 2)
        before = method.decode(method.encode(to_images(pixels)), None, Sampling())
    fitted = method.fit(pixels, torch.Generator().manual_seed(0))
    assert {"negentropy", "near_ties"} == set(fitted.terms)
    with evaluating(method):
        units = method.encode(to_images(pixels))
        after = method.decode(units, None, Sampling())
    assert torch.allclose(units.mean(0), torch.zeros(2, 1), atol=1e-4)
    assert torch.allclose(torch.cov(units[:, :, 0].T, correction=0), torch.eye(2), atol=1e-3)
    assert not torch.allclose(units[:, :, 0], codes, atol=0.1)
    assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.long
def test_it_finds_the_places_of_a_bump_where_the_plain_one_keeps_distances_worse(tmp_path):
    scores = {}
    for preset in ("laptop", "plain"):
        data = {"name": "manifolds", "variant": "small_bump", "size": 20, "rows": 800}
        run = unweave.train("liae", preset=preset, data=data, training={"preview": 10**9}, run=tmp_path / preset)
        codes, dataset = unweave.encode(run)["codes"][:, :, 0].astype(float), run.dataset()
        x = dataset.images(np.arange(800)).astype(float)
        scores[preset] = (mcc(codes, dataset.values)["mcc"], li_corr(x, codes)["li_corr"])
    assert scores["laptop"][0] > 0.98
    assert scores["laptop"][1] > 0.97 > 0.93 > scores["plain"][1]
