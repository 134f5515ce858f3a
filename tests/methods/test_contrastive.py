"""The self-supervised learners: each loss by hand, what moves beside the weights, what cannot be trained."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import Recorder

import unweave
from unweave import progress
from unweave.config import SettingsError
from unweave.method import Batch, find_method
from unweave.methods._contrastive import Contrastive, follow, rising, target
from unweave.methods.barlowtwins import cross_correlation, invariance, redundancy
from unweave.methods.byol import regression
from unweave.methods.dino import cross_entropy
from unweave.methods.moco import info_nce
from unweave.methods.simclr import nt_xent
from unweave.methods.simsiam import negative_cosine
from unweave.methods.wmse import distance, whiten
from unweave.models.foundation import Foundation
from unweave.training.probing import unchanged

LEARNERS = ("byol", "simsiam", "barlowtwins", "wmse", "dino", "moco", "simclr")
TINY: dict[str, Any] = {"backbone": "small", "units": 8, "hidden": 8, "outputs": 4}
OWN: dict[str, dict[str, Any]] = {
    "byol": {"predictor": 8}, "simsiam": {"predictor": 2}, "dino": {"prototypes": 6},
    "moco": {"queue": 40}, "wmse": {"sub_batch": 8},
}  # fmt: skip


def learner(name: str, **changes: Any) -> Contrastive:
    torch.manual_seed(0)
    method = find_method(name)
    built = method.build(method.settings(**{**TINY, **OWN.get(name, {}), **changes}), Foundation((3, 16, 16), 100))
    assert isinstance(built, Contrastive)
    return built


def batch(count: int = 16, seen: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seen)
    return Batch(torch.rand(count, 3, 16, 16, generator=rng) * 2 - 1, torch.arange(count), seen, budget=64, seed=3)


def codes(count: int = 6, dim: int = 3) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(count, dim)), rng.normal(size=(count, dim))
    return torch.tensor(first).float(), torch.tensor(second).float(), first, second


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# each loss, worked out with NumPy


def test_byol_and_simsiam() -> None:
    p, z, p_, z_ = codes()
    cosines = [float(a @ b) for a, b in zip(unit(p_), unit(z_))]
    assert regression(p, z).item() == pytest.approx(2 - 2 * np.mean(cosines), abs=1e-5)
    assert negative_cosine(p, z).item() == pytest.approx(-np.mean(cosines), abs=1e-5)
    assert regression(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 2.0]])).item() == pytest.approx(2.0)


def test_barlow_twins() -> None:
    z1, z2, z1_, z2_ = codes(50)
    expected = np.corrcoef(z1_.T, z2_.T)[:3, 3:]
    C = cross_correlation(z1, z2)
    np.testing.assert_allclose(C.numpy(), expected, atol=1e-4)
    diagonal = sum((1 - expected[i, i]) ** 2 for i in range(3))
    rest = sum(expected[i, j] ** 2 for i in range(3) for j in range(3) if i != j)
    assert invariance(C).item() == pytest.approx(diagonal, abs=1e-3)
    assert redundancy(C).item() == pytest.approx(rest, abs=1e-3)


def test_wmse() -> None:
    z1, z2, z1_, z2_ = codes(40)
    whitened = []
    for rows in (z1_, z2_):
        L = np.linalg.cholesky(np.cov(rows.T))
        whitened.append((np.linalg.inv(L) @ (rows - rows.mean(0)).T).T)
    np.testing.assert_allclose(np.cov(whiten(z1).numpy().T), np.eye(3), atol=1e-4)
    np.testing.assert_allclose(whiten(z1).numpy(), whitened[0], atol=1e-4)
    expected = ((unit(whitened[0]) - unit(whitened[1])) ** 2).sum(1).mean()
    assert distance(whiten(z1), whiten(z2)).item() == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_whitened_names_the_remedy() -> None:
    constant = torch.ones(40, 4)
    with pytest.raises(FloatingPointError, match=r"Set method\.shrink=0\.0001 or more"):
        whiten(constant, 0.0)
    assert whiten(constant, 1e-4).isfinite().all()
    with pytest.raises(FloatingPointError, match="the numbers are not finite"):
        whiten(constant / 0, 1e-4)


def test_simclr() -> None:
    z1, z2, z1_, z2_ = codes(4)
    rows, expected = unit(np.concatenate([z1_, z2_])), []
    for i in range(8):
        similar = {k: np.exp(rows[i] @ rows[k] / 0.5) for k in range(8) if k != i}
        expected.append(-np.log(similar[(i + 4) % 8] / sum(similar.values())))
    assert nt_xent(z1, z2, 0.5).item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_moco() -> None:
    q, k, q_, k_ = codes(4)
    queue = unit(np.random.default_rng(1).normal(size=(5, 3)))
    expected = []
    for one, key in zip(unit(q_), unit(k_)):
        positive, negative = np.exp(one @ key / 0.2), np.exp(queue @ one / 0.2).sum()
        expected.append(-np.log(positive / (positive + negative)))
    assert info_nce(q, k, torch.tensor(queue).float(), 0.2).item() == pytest.approx(np.mean(expected), abs=1e-4)


def test_dino() -> None:
    t, s, t_, s_ = codes(4)
    P, Q = (np.exp(a) / np.exp(a).sum(1, keepdims=True) for a in (t_ / 0.5, s_ / 0.8))
    assert cross_entropy(t, s, 0.5, 0.8).item() == pytest.approx(-(P * np.log(Q)).sum(1).mean(), abs=1e-5)


# what moves beside the weights


def test_the_target_follows_and_takes_no_gradient() -> None:
    network = torch.nn.Linear(2, 2)
    slow = target(network)
    before = slow[0].weight.clone()
    with torch.no_grad():
        network.weight.add_(1)
    follow(slow, [network], 0.75)
    torch.testing.assert_close(slow[0].weight, before + 0.25)
    assert not any(weight.requires_grad for weight in slow.parameters())


def test_the_decay_rises_along_a_cosine() -> None:
    assert rising(0.9, 1.0, batch(seen=0)) == pytest.approx(0.9)
    assert rising(0.9, 1.0, batch(seen=32)) == pytest.approx(0.95)
    assert rising(0.9, 1.0, batch(seen=64)) == pytest.approx(1.0)
    assert rising(0.9, 1.0, Batch(torch.zeros(1, 3, 1, 1), torch.arange(1), 50)) == pytest.approx(0.9)


def test_the_queue_takes_in_keys_in_a_circle_after_they_were_used() -> None:
    method, count = learner("moco"), 16
    old = method.queue.clone()
    loss = method(batch(count), torch.Generator())
    assert torch.equal(method.queue[count:], old[count:])
    assert not torch.isclose(method.queue[:count], old[:count]).any(1).all()
    torch.testing.assert_close(method.queue.norm(dim=1), torch.ones(40))
    method(batch(count), torch.Generator())
    assert int(method.oldest) == 32
    again = learner("moco")
    assert again(batch(count), torch.Generator()).total.item() == loss.total.item()


def test_the_centre_is_the_mean_of_the_targets_answers() -> None:
    method = learner("dino", centre_decay=0.0)
    views = method.views(batch())
    expected = torch.cat([method.target(images) for images in views]).mean(0)
    method(batch(), torch.Generator())
    torch.testing.assert_close(method.centre, expected, atol=1e-5, rtol=1e-4)
    still = learner("dino", centring=False)
    still(batch(), torch.Generator())
    assert not still.centre.any()


def test_stopping_the_gradient_changes_it() -> None:
    gradients = []
    for stop in (True, False):
        method = learner("simsiam", stop_gradient=stop)
        method(batch(), torch.Generator()).total.backward()
        gradients.append(method.backbone[0].weight.grad)
    assert not torch.allclose(gradients[0], gradients[1])


@pytest.mark.parametrize("name", LEARNERS)
def test_the_code_is_the_layer_that_was_asked_for(name: str) -> None:
    backbone, projector = learner(name).eval(), learner(name, code="projector").eval()
    assert backbone.encode(batch().images).shape == (16, 8, 1)
    assert projector.encode(batch().images).shape == (16, 4, 1)
    assert torch.equal(projector.encode(batch().images)[..., 0], projector.project(batch().images))


def test_a_learner_goes_on_from_its_weights_and_buffers_as_if_nothing_had_happened() -> None:
    for name in LEARNERS:
        method = learner(name)
        optimiser = torch.optim.SGD(method.players()[0].parameters, lr=0.1)
        for step in range(2):
            optimiser.zero_grad()
            method(batch(seen=16 * step), torch.Generator()).total.backward()
            optimiser.step()
        stored = copy.deepcopy(method.state_dict())
        other = learner(name)
        other.load_state_dict(stored)
        losses = [one(batch(seen=32), torch.Generator()).total.item() for one in (method, other)]
        assert losses[0] == losses[1], name
        other.load_state_dict(stored)
        with unchanged(other.players()):  # a probe of the speed in between moves nothing
            other(batch(seen=32), torch.Generator())
        assert all(torch.equal(stored[key], value) for key, value in other.state_dict().items()), name


@pytest.mark.parametrize("name", LEARNERS)
def test_a_last_batch_of_one_or_few_images_is_no_error(name: str) -> None:
    method = learner(name)
    for count in (1, 3):
        loss = method(batch(count), torch.Generator()).total
        loss.backward()
        assert loss.isfinite()
        assert all(weight.grad is None or weight.grad.isfinite().all() for weight in method.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["byol", "moco", "dino"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, name: str) -> None:
    def stop(seen: int) -> None:
        if seen == 64:
            raise KeyboardInterrupt

    training = {"images": 96, "batch": 16, "precision": "float32", "save": 48, "preview": 96, "warmup": 16}
    training |= {"optimiser": "lars", "rate": 0.1}
    settings = {"data": {"name": "sprites", "size": 16}, "method": {**TINY, **OWN[name]}, "training": training}
    whole = unweave.train(name, **settings, run=tmp_path / "whole")
    with progress.use(Recorder(stop)), pytest.raises(KeyboardInterrupt):
        unweave.train(name, **settings, run=tmp_path / "stopped")
    resumed = unweave.train(tmp_path / "stopped", resume=True)
    one, other = (run.method("raw").state_dict() for run in (whole, resumed))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert (whole.pictures / "preview-000000000.png").is_file()  # before the first step


# what cannot be trained


def complaint(name: str, channels: int = 3, batch: int = 16, **changes: Any) -> str:
    method = find_method(name)
    settings = method.settings(**{**TINY, **OWN.get(name, {}), **changes})
    with pytest.raises(SettingsError) as caught:
        method.check(settings, Foundation((channels, 16, 16), 100), batch, 1_000)
    return str(caught.value)


def test_what_cannot_be_trained_is_said_before() -> None:
    assert "training.batch must be 2 or more, got 1" in complaint("byol", batch=1)
    assert "both views of an image would be the same" in complaint("byol", views={})
    assert "both views" in complaint("simclr", views={"jitter": 0.8})  # jitter of no strength
    assert "nor do colours" in complaint("byol", channels=1, views={"grey": 1.0, "jitter": 1.0, "hue": 0.5})
    assert "larger than the image" in complaint("byol", views={"crop": 1.5})
    assert "method.sub_batch=8 (twice" in complaint("wmse", sub_batch=4)
    assert "does not fill one sub-batch" in complaint("wmse", sub_batch=32)
    assert "set it to training.batch=64 or more" in complaint("moco", batch=64)


def test_colour_views_of_grey_images_are_skipped_and_it_is_said() -> None:
    recorder, method = Recorder(), find_method("byol")
    with progress.use(recorder):
        settings = method.settings(**TINY, views={"grey": 1.0, "jitter": 1.0, "hue": 0.5, "noise": 0.1})
        method.check(settings, Foundation((1, 16, 16), 100), 16, 1_000)
    assert "hue, grey of method.views are skipped" in recorder.messages[0]


def test_a_training_is_refused_before_its_run_is_made(tmp_path: Path) -> None:
    training = {"images": 16, "batch": 1, "precision": "float32"}
    with pytest.raises(SettingsError, match="must be 2 or more"):
        unweave.train(
            "byol", data={"name": "sprites", "size": 16}, method=TINY, training=training, run=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", LEARNERS)
def test_every_preset_can_be_built(name: str) -> None:
    method = find_method(name)
    assert {"laptop", "study", "study-grey", "published"} <= set(method.presets)
    for preset, tables in method.presets.items():
        settings = method.settings(**tables["method"])
        channels = 1 if preset == "study-grey" else 3
        training = tables["training"]
        method.check(settings, Foundation((channels, 32, 32), 100), training["batch"], training["images"])


@pytest.mark.slow
def test_the_published_network_encodes(tmp_path: Path) -> None:
    method = find_method("simsiam")
    settings = method.settings(**{**method.presets["published"]["method"], "hidden": 8, "outputs": 8})
    built = method.build(settings, Foundation((3, 32, 32), 100)).eval()
    with torch.no_grad():
        assert built.encode(torch.zeros(2, 3, 32, 32)).shape == (2, 512, 1)
    assert sum(weight.numel() for weight in built.backbone.parameters()) == 11_168_832
