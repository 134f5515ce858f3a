"""DisDiff: laws, closed forms, and a test for each place where the released code misleads (`test_trap_...`)."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from diffusers import UNet2DModel
from diffusers.models.resnet import ResnetBlock2D
from tests.conftest import abar_of, latent_foundation, small_denoiser
from torch import Tensor, nn

import unweave
from unweave.config import SettingsError
from unweave.method import Batch, Loss, Sampling, evaluating
from unweave.methods import disdiff
from unweave.methods.disdiff import (
    PRESETS,
    SEPARATING,
    DisDiff,
    DisDiffSettings,
    Drawn,
    draw_alone,
    field_maps,
    invariance,
    orthogonal,
    relative_invariance,
    relative_variance,
    unit_distances,
    unit_spread,
    variance,
)
from unweave.models import foundation
from unweave.models.diffusion import noising
from unweave.models.diffusion.sampling import sample
from unweave.models.foundation import Foundation, FrozenDenoiser, open_foundation
from unweave.models.foundation_settings import FoundationSettings, NetworkSource
from unweave.models.pretraining import denoiser as pretraining
from unweave.runs import reduction
from unweave.runs.plan import plan
from unweave.runs.settings import TrainingSettings
from unweave.training import loop
from unweave.training.ema import Average, covered

SHAPE = (3, 16, 16)
TINY = {"units": 4, "dim": 3, "encoder_width": 16, "encoder_halvings": 3, "identity_width": 8}
VARIANTS: dict[str, dict[str, Any]] = {
    "orthogonal": {},
    "free identity": {"identity": "free"},
    "no identity": {"identity": "none"},
    "attention": {"condition": "attention"},
    "image weight": {"weight_by": "image"},
    "constant weight": {"weight_by": "constant"},
    "no invariance": {"invariance": False},
    "no variance": {"variance": False},
    "reconstruction alone": {"weight": 0.0},
    "group norm": {"encoder_norm": "group"},
    "separating": SEPARATING,
    "separating in pieces": {**SEPARATING, "piece": 2},
    "bounded weight": {**SEPARATING, "weight_by": "bounded"},
    "relative distances": {"distances": "relative"},
    "chunks and pieces": {"chunk": 3, "piece": 2},
}
SHORT = Sampling("ddim", 3)


def quick(foundation: Foundation | None = None, awake: bool = True, **changes: Any) -> DisDiff:
    """A tiny method; `awake` has random numbers in place of the zeros that its last layers begin with."""
    torch.manual_seed(0)
    built = disdiff.build(DisDiffSettings(**{**TINY, **changes}), foundation or pixels())
    if awake:
        wake(built.field)
    return built


def pixels(denoiser: FrozenDenoiser | None = None) -> Foundation:
    return Foundation(SHAPE, 100, denoiser=denoiser or small_denoiser())


def wake(module: nn.Module) -> None:
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)


def batch(count: int = 8) -> Batch:
    images = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Batch(images, torch.arange(count), 0)


def forward(method: DisDiff, count: int = 8, seed: int = 1) -> Loss:
    return method(batch(count), torch.Generator().manual_seed(seed))


def draws(method: DisDiff, count: int = 8, seed: int = 1) -> Drawn:
    """What `forward` draws."""
    return method.draw_noise(batch(count).images, torch.Generator().manual_seed(seed))


def noised(method: DisDiff, count: int = 8) -> tuple[Tensor, Tensor]:
    drawn = draws(method, count)
    return drawn.x_t, drawn.t


def terms(method: DisDiff, drawn: Drawn, units: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return method.terms(drawn, units, unit_spread(units))


def gradients(method: nn.Module, total: Tensor) -> dict[str, Tensor]:
    """Gradients of the trainable parameters by name; zero where there is none."""
    method.zero_grad()
    total.backward()
    trained = {name: p for name, p in method.named_parameters() if p.requires_grad}
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in trained.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float = 1e-5) -> None:
    """Equal up to this share of the largest number of all."""
    largest = max(value.abs().max().item() for value in other.values())
    assert largest > 0
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert (value - other[name]).abs().max() <= tolerance * largest, name


def clones(module: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in [*module.parameters(), *module.buffers()]]


def counting(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The first arguments with which a function of this module is called from now on."""
    seen: list[Tensor] = []
    inner: Callable[..., Any] = getattr(module, name)

    def outer(first: Tensor, *rest: Any) -> Any:
        seen.append(first)
        return inner(first, *rest)

    monkeypatch.setattr(module, name, outer)
    return seen


class ConstantFields(nn.Module):
    """Takes the place of the fields: these, whatever the units are."""

    def __init__(self, fields: Tensor) -> None:
        super().__init__()
        self.fields = nn.Parameter(fields)

    def forward(self, features: Any, units: Tensor, chosen: Any = None) -> Tensor:
        return self.fields if chosen is None else self.fields[:, list(chosen)]


# One pass, chunks, pieces


@pytest.mark.parametrize("condition", ["scale_shift", "attention"])
@pytest.mark.parametrize("chunk", [1, 3])
def test_all_units_in_one_pass_equal_the_loop_over_units(chunk: int, condition: str) -> None:
    method, looped = quick(condition=condition), quick(condition=condition, chunk=chunk)
    features, _ = method.denoiser.features_and_noise(*noised(method))
    with torch.no_grad():
        units = method.encode(batch().images)
        fields = method.field(features, units)
        sequential = torch.cat([method.field(features, units, [unit]) for unit in range(4)], 1)
        assert fields.abs().mean() > 0.05
        torch.testing.assert_close(sequential, fields, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(looped.field(features, units), fields, atol=1e-5, rtol=1e-5)
    method, looped = quick(condition=condition), quick(condition=condition, chunk=chunk)
    one, other = forward(method), forward(looped)
    assert other.total.item() == pytest.approx(one.total.item(), rel=1e-5)
    assert_same(gradients(looped, other.total), gradients(method, one.total))


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("piece", [1, 3, 8])
def test_pieces_give_the_same_loss_gradients_and_batch_statistics(piece: int, norm: str) -> None:
    method, small = quick(encoder_norm=norm), quick(encoder_norm=norm, piece=piece)
    one, other = forward(method), forward(small)
    assert one.terms.keys() == other.terms.keys()
    for name, value in one.terms.items():
        assert other.terms[name].item() == pytest.approx(value.item(), rel=1e-5), name
    assert other.total.item() == pytest.approx(one.total.item(), rel=1e-5)
    assert_same(gradients(small, other.total), gradients(method, one.total))
    for ours, theirs in zip(method.encoder.buffers(), small.encoder.buffers()):
        torch.testing.assert_close(theirs, ours)  # the encoder saw the batch once, and whole


@pytest.mark.parametrize("condition", ["scale_shift", "attention"])
def test_a_field_depends_on_no_other_units_vector_and_on_no_other_image(condition: str) -> None:
    method = quick(condition=condition)
    features, _ = method.denoiser.features_and_noise(*noised(method, 2))
    units = torch.randn(2, 4, 3)
    changed = units.clone()
    changed[0, 2] += 1
    with torch.no_grad():
        moved = (method.field(features, changed) - method.field(features, units)).abs().amax((2, 3, 4))
    assert moved[0, 2] > 1e-3
    moved[0, 2] = 0
    assert moved.max() < 1e-6


# What tells a unit its number


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_the_matrix_of_identities_is_orthogonal_whatever_it_is_made_of(scale: float) -> None:
    for size in (2, 8, 128):
        Q = orthogonal(scale * torch.randn(size, size, generator=torch.Generator().manual_seed(size)))
        torch.testing.assert_close(Q @ Q.T, torch.eye(size), atol=2e-4, rtol=0)
        assert torch.linalg.det(Q.double()).item() == pytest.approx(1, abs=1e-2)
    symmetric = torch.ones(3, 3)
    torch.testing.assert_close(orthogonal(symmetric), torch.eye(3))
    angle = torch.tensor([[0.0, 0.7], [0.0, 0.0]])
    rotation = [[math.cos(0.7), math.sin(0.7)], [-math.sin(0.7), math.cos(0.7)]]
    torch.testing.assert_close(orthogonal(angle), torch.tensor(rotation))


def test_the_identities_of_units_are_orthonormal_and_stay_so_in_training() -> None:
    method = quick()
    optimiser = torch.optim.SGD(method.field.parameters(), 1.0)
    before = method.field.generator.detach().clone()
    forward(method).total.backward()
    optimiser.step()
    assert (method.field.generator - before).abs().max() > 0
    rows = orthogonal(method.field.generator)[:4]
    torch.testing.assert_close(rows @ rows.T, torch.eye(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(method.field.identities(), method.field.name(rows))


@pytest.mark.parametrize("identity", ["orthogonal", "free", "none"])
def test_only_identities_tell_units_of_one_vector_apart(identity: str) -> None:
    method = quick(identity=identity)
    features, _ = method.denoiser.features_and_noise(*noised(method, 2))
    with torch.no_grad():
        same = method.field(features, torch.ones(2, 4, 3))
        units, order = torch.randn(2, 4, 3), [2, 0, 3, 1]
        permuted = method.field(features, units[:, order]) - method.field(features, units)[:, order]
    apart = (same - same[:, :1]).abs().amax((0, 2, 3, 4))[1:]
    assert (apart < 1e-6).all() if identity == "none" else (apart > 1e-4).all()
    assert permuted.abs().max() < 1e-5 if identity == "none" else permuted.abs().max() > 1e-4
    names = {name.split(".")[0] for name, _ in method.field.named_parameters()} - {"decoder", "condition"}
    assert names == {"orthogonal": {"generator", "name"}, "free": {"embedding", "name"}, "none": set()}[identity]


# Variants


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_trains_encodes_and_decodes(changes: dict[str, Any]) -> None:
    method = quick(awake=False, **changes)
    optimiser = torch.optim.AdamW(method.players()[0].parameters, 3e-3)
    losses = []
    for _ in range(8):
        loss = forward(method, 4)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        losses.append(loss.terms["reconstruction"].item())
    assert losses[-1] < losses[0]
    silent = [name for name, p in method.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert silent == [], "no gradient reaches these"
    with evaluating(method):
        units = method.encode(batch(2).images)
        images = method.decode(units, method.start(2, torch.Generator().manual_seed(2)), Sampling("dpmsolver++", 2))
    assert units.shape == (2, 4, 3)
    assert images.shape == (2, *SHAPE)
    assert images.abs().max() <= 1


@pytest.mark.parametrize(("kept", "moved"), [(True, True), (False, True), (True, False), (False, False)])
def test_the_total_is_what_the_settings_leave_in(kept: bool, moved: bool) -> None:
    method = quick(invariance=kept, variance=moved)
    units = method.encode(batch().images)
    method.copy_to_twin()
    error, l_in, l_va, w = terms(method, draws(method), units)
    expected = error.mean() + (w * (l_in * kept + l_va * moved)).mean()
    assert l_in.min() > 0
    assert l_va.min() > 0
    loss = forward(quick(invariance=kept, variance=moved))
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-5)
    means = {"reconstruction": error, "invariance": l_in, "variance": l_va, "weight": w}
    assert {name: value.item() for name, value in loss.terms.items()} == pytest.approx(
        {name: value.mean().item() for name, value in means.items()}, rel=1e-4
    )


def test_bfloat16_leaves_units_and_the_loss_in_float32() -> None:
    method = quick()
    with torch.autocast("cpu", torch.bfloat16):
        units, loss = method.encode(batch().images), forward(method)
        again = method.reencode(batch().images)
    assert units.dtype == again.dtype == loss.total.dtype == torch.float32
    loss.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.players()[0].parameters)


# The two terms


def test_invariance_and_variance_are_the_cross_entropies_of_the_paper() -> None:
    truth, before, after = torch.randn(3, 5, 4, 3, generator=torch.Generator().manual_seed(0))
    c = torch.tensor([0, 3, 1, 1, 2])
    for b in range(5):
        u = [math.dist(before[b, k].tolist(), after[b, k].tolist()) for k in range(4)]
        v = [
            math.dist(before[b, k].tolist(), truth[b, k].tolist())
            - math.dist(after[b, k].tolist(), truth[b, k].tolist())
            for k in range(4)
        ]
        for logits, term in ((u, invariance(before, after, c)), (v, variance(truth, before, after, c))):
            expected = math.log(sum(math.exp(x) for x in logits)) - logits[c[b]]
            assert term[b].item() == pytest.approx(expected, rel=1e-5)


def test_no_edit_costs_the_logarithm_of_the_number_of_units() -> None:
    codes, c = torch.randn(2, 4, 3), torch.tensor([0, 2])
    torch.testing.assert_close(invariance(codes, codes, c), torch.full((2,), math.log(4)))
    torch.testing.assert_close(variance(torch.randn(2, 4, 3), codes, codes, c), torch.full((2,), math.log(4)))


def test_a_perfect_edit_costs_less_than_none_and_than_any_wrong_one() -> None:
    truth, before = torch.randn(2, 1, 4, 3, generator=torch.Generator().manual_seed(0))
    c = torch.tensor([1])

    def cost(after: Tensor) -> Tensor:
        return torch.stack([invariance(before, after, c), variance(truth, before, after, c)])

    perfect, away = before.clone(), before.clone()
    perfect[:, 1] = truth[:, 1]
    away[:, 1] = 2 * before[:, 1] - truth[:, 1]
    assert (cost(perfect) < cost(before)).all()
    for unit in (0, 2, 3):
        wrong, both = before.clone(), perfect.clone()
        wrong[:, unit] = both[:, unit] = truth[:, unit]
        assert (cost(wrong) > cost(before)).all()
        assert (cost(both) > cost(perfect)).all()  # it did more than it was asked for
    torch.testing.assert_close(cost(away)[0], cost(perfect)[0])  # invariance sees how far, not where to
    assert cost(away)[1] > cost(before)[1]


def test_gradients_are_finite_where_an_edit_changes_nothing() -> None:
    before, truth = torch.randn(2, 3, 4, 3)
    c = torch.tensor([0, 1, 2])
    for term in (lambda x: invariance(before, x, c), lambda x: variance(truth, before, x, c)):
        after = before.clone().requires_grad_()
        term(after).sum().backward()
        assert after.grad is not None
        assert after.grad.isfinite().all()
    after = before.clone().requires_grad_()
    unit_distances(before, after).sum().backward()
    assert after.grad is not None
    assert not after.grad.any()


def test_descending_invariance_moves_the_chosen_unit_and_stills_the_others() -> None:
    before = torch.randn(1, 4, 3)
    after = (before + 0.1 * torch.randn(1, 4, 3)).requires_grad_()
    invariance(before, after, torch.tensor([2])).sum().backward()
    assert after.grad is not None
    change = unit_distances(before, after - 0.01 * after.grad) - unit_distances(before, after)
    assert change[0, 2] > 0
    assert (change[0, [0, 1, 3]] < 0).all()


# Relative terms


def test_relative_terms_do_not_know_the_scale_of_any_unit() -> None:
    truth, before, after = torch.randn(3, 16, 4, 3, generator=torch.Generator().manual_seed(0))
    c, scale = torch.arange(16) % 4, torch.tensor([0.5, 1.0, 3.0, 40.0])[:, None]

    def both(factor: Tensor) -> Tensor:
        spread = unit_spread(truth * factor)
        kept = relative_invariance(before * factor, after * factor, c, spread)
        return torch.stack([kept, relative_variance(truth * factor, before * factor, after * factor, c, spread)])

    torch.testing.assert_close(both(scale), both(torch.ones(4, 1)), rtol=2e-3, atol=2e-3)


def test_relative_terms_in_closed_form() -> None:
    before = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    c, spread = torch.tensor([1, 3]), torch.ones(4)
    truth, after = before.clone(), before.clone()
    truth[torch.arange(2), c] += torch.tensor([1.0, 2.0, 2.0])  # 9 away
    after[torch.arange(2), c] += torch.tensor([1.0, 2.0, 2.0]) / 2
    assert relative_invariance(before, after, c, spread).max() < 1e-3  # it moves alone
    torch.testing.assert_close(relative_invariance(before, before + 1, c, spread), torch.full((2,), math.log(4)))
    torch.testing.assert_close(relative_variance(truth, before, after, c, spread), torch.full((2,), 9 / 4 / 9.1))
    torch.testing.assert_close(relative_variance(truth, before, before, c, spread), torch.full((2,), 9 / 9.1))
    assert not relative_variance(truth, before, truth, c, spread).any()
    assert (relative_variance(truth, before, truth + 100, c, spread) == 4).all()  # bounded


def test_the_spread_of_a_last_batch_of_one_image_is_a_number() -> None:
    units = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    assert unit_spread(units[:1]).isfinite().all()
    torch.testing.assert_close(unit_spread(units), units.var(0).sum(1) + 1e-4)


def test_fields_that_shift_the_clean_image_are_measured_there_and_drawn_with() -> None:
    method = quick(field="clean", loss="l2")
    G = torch.randn(4, 4, *SHAPE, generator=torch.Generator().manual_seed(3))
    method.field = ConstantFields(G)
    drawn = draws(method, 4)._replace(t=torch.tensor([100, 400, 700, 900]))
    abar = method.process.abar[drawn.t]
    drawn = drawn._replace(x_t=noising.add_noise(drawn.x0, drawn.eps, abar))
    units = method.encode(batch(4).images)
    _, eps_0 = method.denoiser.features_and_noise(drawn.x_t, drawn.t)
    clean = noising.clean_of(eps_0, drawn.x_t, abar)
    error, _, _, weight = terms(method, drawn, units)
    torch.testing.assert_close(error, (drawn.x0 - clean - G.sum(1)).square().mean((1, 2, 3)))
    chosen = G[torch.arange(4), drawn.c]
    torch.testing.assert_close(weight, 0.05 * chosen.square().mean((1, 2, 3)), rtol=1e-3, atol=0)
    for row in range(4):
        eps = method.predictor(units, None)(drawn.x_t, drawn.t[row])[row]
        drawn_clean = noising.clean_of(eps[None], drawn.x_t[row, None], abar[row, None])
        torch.testing.assert_close(drawn_clean[0], (clean + G.sum(1))[row], rtol=1e-3, atol=1e-3)


def test_a_bounded_weight_is_at_most_the_error_of_the_frozen_model() -> None:
    weights = {}
    for by in ("latent", "bounded"):
        method = quick(weight_by=by, field="clean", weight=1.0)
        drawn = draws(method, 2)
        G = torch.zeros(2, 4, *SHAPE)
        G[0], G[1] = 1e-3, 1e3
        method.field = ConstantFields(G)
        weights[by] = terms(method, drawn, method.encode(batch(2).images))[3]
    _, eps_0 = method.denoiser.features_and_noise(drawn.x_t, drawn.t)
    clean = noising.clean_of(eps_0, drawn.x_t, method.process.abar[drawn.t])
    assert weights["bounded"][0] == weights["latent"][0]
    torch.testing.assert_close(weights["bounded"][1], (drawn.x0 - clean)[1].square().mean())


def test_purified_pictures_are_those_of_the_frozen_model_with_a_gradient() -> None:
    method = quick(purify=0.5)
    abar = method.process.abar
    time = int((abar > 0.5).sum())
    clean, again = (torch.randn(2, *SHAPE, requires_grad=wanted) for wanted in (True, False))
    t = torch.tensor([time, time]) - int((abar[time - 1] - 0.5).abs() < (abar[time] - 0.5).abs())
    x_t = noising.add_noise(clean, again, abar[t])
    expected = noising.clean_of(method.denoiser.features_and_noise(x_t, t)[1], x_t, abar[t])
    shown = method.picture(clean, again)
    torch.testing.assert_close(shown, expected)
    assert torch.autograd.grad(shown.sum(), clean)[0].any()
    assert torch.equal(quick().picture(clean, again), clean)


def test_relative_distances_need_a_batch() -> None:
    with pytest.raises(SettingsError, match=r"training\.batch"):
        disdiff.check(DisDiffSettings(distances="relative"), pixels(), 1, 10)
    disdiff.check(DisDiffSettings(), pixels(), 1, 10)


# The first step


def test_the_first_loss_is_that_of_the_frozen_model() -> None:
    method = quick(awake=False)
    eps = draws(method).eps
    _, eps_0 = method.denoiser.features_and_noise(*noised(method))
    loss = forward(method)
    assert loss.total.item() == pytest.approx((eps - eps_0).abs().mean().item(), rel=1e-6)
    assert loss.total.item() == loss.terms["reconstruction"].item()
    assert loss.terms["weight"].item() == 0


def test_the_first_gradient_of_the_disentangling_terms_vanishes_unless_the_weight_is_constant() -> None:
    plain = gradients(*(lambda m: (m, forward(m).total))(quick(awake=False, weight=0.0)))
    for weight_by in ("latent", "image"):
        method = quick(awake=False, weight_by=weight_by, weight=10.0)
        assert_same(gradients(method, forward(method).total), plain, 1e-7)
    method = quick(awake=False, weight_by="constant", weight=10.0)
    slopes = gradients(method, forward(method).total)
    assert (slopes["field.decoder.conv_out.weight"] - plain["field.decoder.conv_out.weight"]).abs().max() > 1e-5


# Coefficients


def by_hand() -> tuple[Tensor, Tensor, Tensor]:
    """abar, s_t and d_t of the linear schedule, in float64 and without the library."""
    alpha = 1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    A = alpha.cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), A[:-1]])
    return A, -alpha.sqrt() * (1 - before) / (1 - A).sqrt(), -(1 - A).sqrt()


def test_trap_training_shifts_by_s_t_and_the_disentangling_branch_and_sampling_by_d_t() -> None:
    method = quick()
    G = 30 * torch.randn(4, 4, *SHAPE, generator=torch.Generator().manual_seed(3))
    method.field = ConstantFields(G)
    A, s, d = (values.float()[:, None, None, None] for values in by_hand())
    drawn = draws(method, 4)
    eps = drawn.eps
    t, c = torch.tensor([0, 1, 5, 20]), torch.tensor([3, 0, 1, 1])  # where the two differ most
    x_t = noising.add_noise(batch(4).images, eps, method.denoiser.process.abar[t])
    _, eps_0 = method.denoiser.features_and_noise(x_t, t)
    drawn = drawn._replace(x_t=x_t, t=t, c=c)
    error, _, _, weight = terms(method, drawn, method.encode(batch(4).images))

    def expected(shift: Tensor) -> Tensor:
        return (eps - (eps_0 + shift[t] * G.sum(1))).abs().mean((1, 2, 3))

    torch.testing.assert_close(error, expected(s), rtol=2e-3, atol=1e-3)
    assert ((error - expected(d)).abs() > 0.02).all(), "the two coefficients cannot be told apart here"
    assert error[0].item() == pytest.approx((eps - eps_0)[0].abs().mean().item())  # s_0 = 0
    change = (1 - A[t]).sqrt() / A[t].sqrt() * d[t] * G[torch.arange(4), c]  # z0 - z0_c
    torch.testing.assert_close(weight, 0.05 * change.square().mean((1, 2, 3)), rtol=2e-3, atol=0)
    predicted = method.predictor(torch.zeros(4, 4, 3), None)(x_t, t)
    torch.testing.assert_close(predicted, eps_0 + d[t] * G.sum(1), rtol=2e-3, atol=1e-3)
    assert (predicted - (eps_0 + s[t] * G.sum(1))).abs().amax((1, 2, 3)).min() > 0.5


def test_the_coefficients_are_the_posterior_mean_and_the_score() -> None:
    A, s, d = by_hand()
    abar, t = abar_of("linear"), torch.arange(1000)
    torch.testing.assert_close(noising.mean_shift(abar, t).double(), s, rtol=2e-3, atol=1e-6)
    torch.testing.assert_close(noising.score_shift(abar).double(), d, rtol=2e-3, atol=1e-6)
    assert noising.mean_shift(abar, t)[0] == 0
    alpha = A[1:] / A[:-1]  # a shift of the noise moves DDPM's mean by -(1 - alpha) / sqrt(alpha (1 - abar)) of it
    moved = -(1 - alpha) / (alpha * (1 - A[1:])).sqrt() * s[1:]
    posterior = (1 - alpha) * (1 - A[:-1]) / (1 - A[1:])  # its variance, which a score is multiplied with
    torch.testing.assert_close(moved, posterior, rtol=1e-9, atol=0)


# The twin


def test_the_twin_is_the_encoder_at_every_forward_and_in_place() -> None:
    method = quick()
    places = [tensor.data_ptr() for tensor in method.twin.network.state_dict().values()]
    optimiser = torch.optim.SGD(method.encoder.parameters(), 0.1)
    for _ in range(2):
        loss = forward(method, 4)
        states = method.encoder.state_dict(), method.twin.network.state_dict()
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
        held = clones(method.twin)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        assert all(map(torch.equal, clones(method.twin), held)), "the twin moved between two forwards"
        assert any(not torch.equal(one, two) for one, two in zip(clones(method.twin), clones(method.encoder)))
    assert [tensor.data_ptr() for tensor in method.twin.network.state_dict().values()] == places


def test_the_twin_has_no_gradient_and_is_in_no_checkpoint() -> None:
    method = quick()
    forward(method).total.backward()
    assert all(p.grad is None and not p.requires_grad for p in method.twin.parameters())
    assert {name.split(".")[0] for name in method.state_dict()} == {"balance", "encoder", "field"}


def test_a_checkpoint_goes_on_without_the_twin() -> None:
    method = quick()
    optimiser = torch.optim.AdamW(method.players()[0].parameters, 1e-2)
    forward(method).total.backward()
    optimiser.step()
    other = quick(awake=False)
    other.load_state_dict(method.state_dict())
    one, two = forward(method, seed=2), forward(other, seed=2)
    assert two.total.item() == pytest.approx(one.total.item(), rel=1e-6)
    assert_same(gradients(other, two.total), gradients(method, one.total), 1e-6)


def test_trap_the_twin_takes_running_statistics_while_the_encoder_takes_those_of_the_batch() -> None:
    method = quick()
    images = batch().images
    assert method.training
    units = method.encode(images)
    method.copy_to_twin()
    held = clones(method.twin)
    again = method.reencode(images)
    assert all(map(torch.equal, clones(method.twin), held)), "the twin's statistics moved"
    assert (again - units).abs().max() > 0.1  # the mismatch of the release, which is large at first
    method.train()
    assert not any(module.training for module in method.twin.network.modules())
    assert all(module.training for module in method.encoder.modules())
    with evaluating(method):
        torch.testing.assert_close(method.encode(images), again)
    group = quick(encoder_norm="group")
    group.copy_to_twin()
    torch.testing.assert_close(group.reencode(images), group.encode(images))  # no statistics, no mismatch


# Who owns what


def test_trap_the_player_owns_encoder_and_fields_and_no_frozen_weight() -> None:
    method = quick(latent_foundation("vq"))
    (player,) = method.players()
    owned = {id(p) for p in player.parameters}
    ours = [*method.encoder.parameters(), *method.field.parameters()]
    assert owned == {id(p) for p in ours}
    assert len(player.parameters) == len(owned)
    frozen = [p for name, p in method.named_parameters() if name.startswith(("denoiser.", "space.", "twin."))]
    assert frozen, "method.parameters() is more than what is trained"
    assert not owned & {id(p) for p in frozen}
    assert not any(p.requires_grad for p in frozen)
    groups = loop.optimisers([player], TrainingSettings())["disdiff"].param_groups
    assert {id(p) for group in groups for p in group["params"]} == owned


@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_training_leaves_the_foundation_bit_identical_without_gradient_and_in_eval_mode(kind: str) -> None:
    method = quick(latent_foundation(kind))
    method.train()
    held, before = clones(method.denoiser) + clones(method.space), clones(method.encoder) + clones(method.field)
    settings = TrainingSettings(images=8, rate=1e-2, clip=1e-3, weight_decay=0.1, precision="float32")
    players = method.players()
    batches = [Batch(batch(4).images, torch.arange(4), seen) for seen in (0, 4)]
    steps = loop.steps(
        players, batches, loop.optimisers(players, settings), settings, Accelerator(cpu=True), torch.Generator()
    )
    for step in steps:
        assert set(step.terms) == {f"disdiff/{name}" for name in ("reconstruction", "invariance", "variance", "weight")}
        norm = torch.stack([p.grad.norm() for p in players[0].parameters if p.grad is not None]).norm()
        assert norm == pytest.approx(1e-3, rel=1e-2)  # clipped by its own gradient alone
    assert all(map(torch.equal, clones(method.denoiser) + clones(method.space), held))
    assert all(p.grad is None for part in (method.denoiser, method.space) for p in part.parameters())
    assert not any(
        module.training for part in (method.denoiser.unet, method.space.autoencoder) for module in part.modules()
    )
    assert any(not torch.equal(*pair) for pair in zip(clones(method.encoder) + clones(method.field), before))


def test_the_average_covers_the_fields_and_scores_use_the_raw_encoder() -> None:
    method = quick()
    assert set(covered(method)) == {f"field.{name}" for name, _ in method.field.named_parameters()}
    average = Average(method, 0.9)
    optimiser = torch.optim.SGD(method.players()[0].parameters, 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        forward(method, 4).total.backward()
        optimiser.step()
        average.step()
    with evaluating(method):
        raw = method.encode(batch().images)
    weights = clones(method.field)
    with average.applied():
        with evaluating(method):
            assert torch.equal(method.encode(batch().images), raw)
        assert any(not torch.equal(*pair) for pair in zip(clones(method.field), weights))


# Where gradients go


@pytest.mark.parametrize("weight_by", ["latent", "image", "constant"])
def test_the_weight_has_no_gradient(weight_by: str) -> None:
    method = quick(weight_by=weight_by)
    units = method.encode(batch().images)
    method.copy_to_twin()
    error, l_in, l_va, weight = terms(method, draws(method), units)
    assert not weight.requires_grad
    assert (weight > 0).all()
    detached = gradients(method, error.mean() + (weight.detach().clone() * (l_in + l_va)).mean())
    again = quick(weight_by=weight_by)
    assert_same(gradients(again, forward(again).total), detached)


def test_the_codes_that_an_edit_is_measured_against_have_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    method = quick()
    fields = torch.randn(4, 4, *SHAPE, generator=torch.Generator().manual_seed(3))
    method.field = ConstantFields(fields)
    pictures = counting(method, "reencode", monkeypatch)
    units = method.encode(batch(4).images)
    method.copy_to_twin()
    drawn = draws(method, 4)
    c = drawn.c
    _, l_in, l_va, _ = terms(method, drawn, units)
    assert torch.autograd.grad(l_va.sum(), units, allow_unused=True, retain_graph=True) == (None,)  # r
    assert [picture.requires_grad for picture in pictures] == [False, True]  # D(z0), D(z0_c)
    slope = torch.autograd.grad((l_in + l_va).sum(), method.field.fields, retain_graph=True)[0]
    before, after = method.reencode(pictures[0]).detach(), method.reencode(pictures[1])
    by_hand = (invariance(before, after, c) + variance(units.detach(), before, after, c)).sum()
    torch.testing.assert_close(torch.autograd.grad(by_hand, method.field.fields)[0], slope)
    assert slope.any()
    chosen = torch.zeros(4, 4, dtype=torch.bool)
    chosen[torch.arange(4), c] = True
    assert not slope[~chosen].any(), "the disentangling terms reached a field that was not chosen"


def test_the_frozen_prediction_has_no_gradient() -> None:
    method = quick()
    x_t, t = noised(method)
    features, eps_0 = method.denoiser.features_and_noise(x_t.requires_grad_(), t)
    assert not any(tensor.requires_grad for tensor in (eps_0, features.embedding, features.bottom, *features.skips))


# lambda


def test_trap_lambda_is_what_the_settings_say_and_not_1() -> None:
    assert DisDiffSettings().weight == 0.05
    releases = {name: preset["method"].get("weight", 0.05) for name, preset in PRESETS.items() if "release" in name}
    assert releases == {name: 0.01 if name == "release-mpi3d" else 0.05 for name in releases}
    assert plan("disdiff", {"preset": "release"}).method.weight == 0.05
    assert plan("disdiff", {"preset": "release-mpi3d"}).method.weight == 0.01
    assert plan("disdiff", {"preset": "release-mpi3d", "method": {"weight": 0.2}}).method.weight == 0.2
    method, tenfold = quick(), quick(weight=0.5)
    assert forward(tenfold).terms["weight"].item() == pytest.approx(10 * forward(method).terms["weight"].item())


def test_without_weight_the_terms_are_left_out_and_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    for weight, calls in ((0.0, 0), (0.05, 2)):
        method = quick(latent_foundation("vq"), weight=weight)
        decoded, encoded = (
            counting(method.space, "soft_decode", monkeypatch),
            counting(method, "reencode", monkeypatch),
        )
        loss = forward(method)
        assert len(decoded) == len(encoded) == calls
        assert set(loss.terms) == {"reconstruction", *(["invariance", "variance", "weight"] if weight else [])}
        assert (loss.total.item() == loss.terms["reconstruction"].item()) == (weight == 0)


# The chosen unit


def test_the_unit_is_drawn_for_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    method = quick()
    seen: list[Tensor] = []

    def remember(drawn: Drawn, units: Tensor, spread: Tensor) -> Any:
        seen.append(drawn.c)
        return tuple(units.sum((1, 2)) for _ in range(4))

    monkeypatch.setattr(method, "terms", remember)
    forward(method, 512)
    (c,) = seen
    assert c.shape == (512,)
    counts = torch.bincount(c, minlength=4)
    assert len(counts) == 4
    assert counts.min() > 90  # 128 expected, standard deviation 10
    assert (c[1:] == c[:-1]).float().mean() < 0.35


def test_each_image_is_edited_by_the_field_of_its_own_unit() -> None:
    method = quick()
    G = torch.zeros(4, 4, *SHAPE)
    G[torch.arange(4), torch.tensor([2, 0, 3, 1])] = 1.0
    method.field = ConstantFields(G)
    drawn = draws(method, 4)
    units = method.encode(batch(4).images)
    own, other = (terms(method, drawn._replace(c=torch.tensor(c)), units)[3] for c in ([2, 0, 3, 1], [0, 1, 2, 3]))
    assert (own > 0).all()
    assert not other.any()


# Foundations


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_foundations_that_say_the_same_in_other_words_give_the_same_loss(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = forward(quick())
    method = quick(pixels(small_denoiser(prediction={"v_prediction": "v", "sample": "x0"}[kind])))
    encoder_half, decoder_half = foundation.encoder_half, foundation.decoder_half
    inputs: list[tuple[Tensor, Tensor]] = []

    def remember(unet: Any, x_t: Tensor, t: Tensor) -> Any:
        inputs.append((x_t, method.denoiser.process.abar[t][:, None, None, None]))
        return encoder_half(unet, x_t, t)

    def reworded(half: Any, features: Any, embedding: Tensor) -> Tensor:
        eps, (x_t, a) = decoder_half(half, features, embedding), inputs[-1]
        return (eps - (1 - a).sqrt() * x_t if kind == "v_prediction" else x_t - (1 - a).sqrt() * eps) / a.sqrt()

    monkeypatch.setattr(foundation, "encoder_half", remember)
    monkeypatch.setattr(foundation, "decoder_half", reworded)
    loss = forward(method)
    assert method.denoiser.process.prediction_type == kind
    assert loss.total.item() == pytest.approx(expected.total.item(), rel=1e-4)
    for name, value in expected.terms.items():
        assert loss.terms[name].item() == pytest.approx(value.item(), rel=1e-4), name


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_without_fields_sampling_is_the_foundations_own(prediction: noising.Prediction) -> None:
    denoiser = small_denoiser(prediction=prediction)
    method = quick(pixels(denoiser), awake=False)
    with evaluating(method):
        start = method.start(2, torch.Generator().manual_seed(0))
        images = method.decode(torch.randn(2, 4, 3), start, SHORT)
        plain = sample(lambda x, t: denoiser.unet(x, t).sample, start, denoiser.process.config, SHORT)
    torch.testing.assert_close(images, plain.clamp(-1, 1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"resnet_time_scale_shift": "default"},
        {"resnet_time_scale_shift": "scale_shift"},
        {"resnet_time_scale_shift": "default", "downsample_type": "resnet", "upsample_type": "resnet"},
        {"center_input_sample": True, "layers_per_block": 2},
    ],
    ids=["additive", "scale and shift", "additive, residual sampling", "centred, two layers"],
)
@pytest.mark.parametrize("condition", ["scale_shift", "attention"])
def test_any_conditioning_by_time_can_be_stood_on(condition: str, changes: dict[str, Any]) -> None:
    torch.manual_seed(0)
    sizes = {"sample_size": 16, "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
    blocks = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
    unet = UNet2DModel(**{**sizes, **blocks, **changes})
    denoiser = FrozenDenoiser(unet, noising.scheduler_config("linear", "eps"))
    method = quick(pixels(denoiser), awake=False, condition=condition)
    x_t, t = noised(method)
    with torch.no_grad():
        features, eps_0 = method.denoiser.features_and_noise(x_t, t)
        torch.testing.assert_close(eps_0, unet(x_t, t).sample)
        assert not method.field(features, method.encode(batch().images)).any()
    ours = [module for module in method.field.modules() if isinstance(module, ResnetBlock2D)]
    assert {block.time_embedding_norm for block in ours} == {"scale_shift"}
    wake(method.field)
    slopes = gradients(method, forward(method).total)
    assert [name for name, gradient in slopes.items() if not gradient.any()] == []


def test_no_foundation_says_how_to_have_one() -> None:
    with pytest.raises(SettingsError, match=r"foundation\.denoiser\.from"):
        disdiff.build(DisDiffSettings(**TINY), Foundation(SHAPE, 100))


def test_trap_the_foundation_is_the_averaged_denoiser_and_not_the_raw_one(tmp_path: Path) -> None:
    tiny = {"channels": (8, 8), "attention": (False, False), "layers": 1, "heads": 1, "groups": 4}
    numbers = {"images": 48, "batch": 16, "rate": 1e-2, "warmup": 0, "average": 0.9, "precision": "float32"}
    run = unweave.train(
        "denoiser", data={"name": "sprites", "size": 16}, method=tiny, training=numbers, run=tmp_path / "denoiser"
    )
    foundation = open_foundation(FoundationSettings(denoiser=NetworkSource(origin=str(run.path))), SHAPE, 100)
    assert foundation.denoiser is not None
    frozen = foundation.denoiser.unet.state_dict()
    averaged, raw = (run.trained(weights).unet.state_dict() for weights in ("averaged", "raw"))
    assert all(torch.equal(frozen[name], averaged[name]) for name in averaged)
    assert any(not torch.equal(frozen[name], raw[name]) for name in raw)
    assert foundation.denoiser.process.config["beta_schedule"] == run.trained().process.config["beta_schedule"]
    assert forward(quick(foundation, awake=False), 2).total.isfinite()


# Drawing


def test_all_chosen_units_are_what_decoding_does() -> None:
    method = quick()
    with evaluating(method):
        units, start = method.encode(batch(2).images), method.start(2, torch.Generator().manual_seed(0))
        decoded = method.decode(units, start, SHORT)
        assert torch.equal(method.draw(units, start, SHORT, None), decoded)
        torch.testing.assert_close(method.draw(units, start, SHORT, [3, 1, 0, 2]), decoded, atol=1e-5, rtol=1e-5)
        assert torch.equal(
            draw_alone(method, units, start, SHORT, range(4)), method.draw(units, start, SHORT, [0, 1, 2, 3])
        )
        assert (draw_alone(method, units, start, SHORT, [2]) - decoded).abs().max() > 1e-3


def test_the_fields_of_units_add_up() -> None:
    method = quick()
    x_t, t = noised(method)
    with torch.no_grad():
        units = method.encode(batch().images)
        _, eps_0 = method.denoiser.features_and_noise(x_t, t)
        whole = method.predictor(units, None)(x_t, t) - eps_0
        parts = [method.predictor(units, [unit])(x_t, t) - eps_0 for unit in range(4)]
    torch.testing.assert_close(sum(parts), whole, atol=1e-5, rtol=1e-5)


def test_chosen_units_alone_guide_an_image() -> None:
    method = quick()
    with evaluating(method):
        units, start = method.encode(batch(2).images), method.start(2, torch.Generator().manual_seed(0))
        others = units.clone()
        others[:, [0, 2, 3]] = torch.randn(2, 3, 3)
        one, same = (method.draw(code, start, SHORT, [1]) for code in (units, others))
        torch.testing.assert_close(one, same)
        others[:, 1] += 5
        assert (method.draw(others, start, SHORT, [1]) - one).abs().max() > 1e-3


def test_no_chosen_unit_leaves_the_frozen_model_to_itself() -> None:
    method, plain = quick(), quick(awake=False)
    with evaluating(method), evaluating(plain):
        units, start = method.encode(batch(2).images), method.start(2, torch.Generator().manual_seed(0))
        torch.testing.assert_close(method.draw(units, start, SHORT, []), plain.decode(units, start, SHORT))


def test_a_partial_swap_is_not_a_full_swap() -> None:
    method = quick()
    with evaluating(method):
        units, start = method.encode(batch(4).images), method.start(2, torch.Generator().manual_seed(0))
        mine, partner = units[:2], units[2:]
        swapped = mine.clone()
        swapped[:, 1] = partner[:, 1]
        full, rebuilt = method.decode(swapped, start, SHORT), method.decode(mine, start, SHORT)
        partial = draw_alone(method, partner, start, SHORT, [1])
        assert (full - rebuilt).abs().max() > 1e-4
        assert (partial - full).abs().max() > 1e-3
        torch.testing.assert_close(
            draw_alone(method, swapped, start, SHORT, [1]), partial
        )  # nothing but the unit counts
        assert torch.equal(method.decode(mine, start, SHORT), rebuilt)


def test_noise_is_added_back_where_eta_asks_for_it() -> None:
    method = quick()
    with evaluating(method):
        units, start = method.encode(batch(2).images), method.start(2, torch.Generator().manual_seed(0))
        noisy = SHORT._replace(eta=1.0)
        one, same, other = (
            method.decode(units, start, noisy, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
        )
    assert torch.equal(one, same)
    assert (one - other).abs().max() > 1e-3


def test_inversion_comes_back_to_the_image() -> None:
    method = quick()
    method.field = ConstantFields(0.1 * torch.randn(2, 4, *SHAPE, generator=torch.Generator().manual_seed(3)))
    for parameter in method.denoiser.unet.conv_out.parameters():
        parameter.data.zero_()  # the fields are the whole flow, which is then smooth enough to be walked both ways
    images, long = 0.5 * batch(2).images, Sampling("ddim", 25)
    with evaluating(method):
        units = method.encode(images)
        start = method.invert(images, units, long)
        back, other = method.decode(units, start, long), method.draw(units, start, long, [0])
    assert (back - images).square().mean() < 0.05 * (other - images).square().mean()


def test_field_maps_are_the_mean_size_of_what_each_unit_adds() -> None:
    method = quick()
    with evaluating(method):
        maps = field_maps(method, batch(2).images, [0, 500, 999], seed=4)
        assert maps.shape == (2, 4, 3, 16, 16)
        assert maps.min() >= 0
        assert torch.equal(field_maps(method, batch(2).images, [0, 500, 999], seed=4), maps)
        torch.testing.assert_close(field_maps(method, batch(2).images, [500], seed=4)[:, :, 0], maps[:, :, 1])
    _, _, d = by_hand()
    G = torch.randn(2, 4, *SHAPE)
    method.field = ConstantFields(G)
    maps = field_maps(method, batch(2).images, [10, 999])
    for i, time in enumerate((10, 999)):
        torch.testing.assert_close(maps[:, :, i], d[time].abs().float() * G.abs().mean(2), rtol=2e-3, atol=0)


@pytest.mark.parametrize("time", [-1, 1000])
def test_field_maps_want_times_of_the_schedule(time: int) -> None:
    with pytest.raises(ValueError, match=r"0\.\.999"):
        field_maps(quick(), batch(2).images, [time])


# LatentSpace


@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_the_loss_decodes_softly_and_drawing_decodes_at_its_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = quick(latent_foundation(kind))
    depth = {"kl": 4, "vq": 3}[kind]
    softly = counting(method.space, "soft_decode", monkeypatch)
    finally_ = counting(method.space, "decode", monkeypatch)
    quantised: list[Any] = []
    if kind == "vq":
        method.space.autoencoder.quantize.register_forward_hook(lambda *_: quantised.append(1))
    slopes = gradients(method, forward(method, 4).total)
    assert [each.shape for each in softly] == [(4, depth, 8, 8)] * 2
    assert [each.requires_grad for each in softly] == [False, True]
    assert not finally_
    assert not quantised
    assert [name for name, gradient in slopes.items() if not gradient.any()] == []
    with evaluating(method):
        units, start = method.encode(batch(2).images), method.start(2, torch.Generator().manual_seed(0))
        assert start.shape == (2, depth, 8, 8)
        images = method.decode(units, start, SHORT)
    assert len(softly) == 2
    assert len(finally_) == 1
    assert len(quantised) == (kind == "vq")
    assert images.shape == (2, *SHAPE)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_the_disentangling_gradient_passes_the_frozen_decoder(kind: str) -> None:
    method = quick(latent_foundation(kind))
    units = method.encode(batch(4).images)
    method.copy_to_twin()
    _, l_in, l_va, _ = terms(method, draws(method, 4), units)
    slopes = gradients(method, (l_in + l_va).sum())
    assert slopes["field.decoder.conv_out.weight"].any()
    assert slopes["encoder.0.weight"].any()  # by way of the field's vector
    assert all(p.grad is None for p in method.space.parameters())


def test_the_weight_is_of_latents_or_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {}
    for weight_by in ("latent", "image", "constant"):
        method = quick(latent_foundation("kl"), weight_by=weight_by)
        clean = counting(method.space, "soft_decode", monkeypatch)
        units = method.encode(batch(4).images)
        weights[weight_by] = terms(method, draws(method, 4), units)[3]
        pictures = [method.space.soft_decode(each) for each in clean[:2]]
        pair = {"latent": clean[:2], "image": pictures, "constant": [torch.ones(4, *SHAPE), torch.zeros(4, *SHAPE)]}
        one, other = pair[weight_by]
        torch.testing.assert_close(weights[weight_by], 0.05 * (one - other).detach().square().mean((1, 2, 3)))
    assert (weights["latent"] - weights["image"]).abs().max() > 1e-4
    by_pixels = [forward(quick(weight_by=each)).total.item() for each in ("latent", "image")]
    assert by_pixels[0] == pytest.approx(by_pixels[1])  # pixels are their own latents


# DisDiffSettings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete_and_name_a_foundation_that_there_is(name: str) -> None:
    DisDiffSettings(**PRESETS[name]["method"])
    recipe = PRESETS[name]["foundation"]["denoiser"]["recipe"]
    assert recipe["preset"] in pretraining.PRESETS
    settings = plan("disdiff", {"preset": name})
    source = settings.foundation.denoiser
    assert source is not None
    assert isinstance(source.recipe, dict)
    planned = plan("denoiser", source.recipe)
    assert planned.data == settings.data  # it is trained on the same images
    assert (planned.foundation.autoencoder is None) == (name in ("release-pixels", "laptop-pixels", "separating"))


def test_trap_the_number_of_units_is_ambiguous_so_all_three_are_presets() -> None:
    counts = {name: plan("disdiff", {"preset": name}).method.units for name in ("release", "release-6", "release-20")}
    assert counts == {"release": 10, "release-6": 6, "release-20": 20}
    assert DisDiffSettings().dim == 32


def test_the_release_preset_is_the_release() -> None:
    training = PRESETS["release"]["training"]
    assert (training["batch"], training["average"], training["warmup"]) == (128, 0.9999, 10_000 * 128)
    assert training["rate"] == pytest.approx(2e-6 * 128)
    s = DisDiffSettings()
    assert (s.encoder_width, s.encoder_halvings, s.encoder_norm, s.identity_width) == (128, 4, "batch", 128)
    assert (s.weight_by, s.identity, s.condition) == ("latent", "orthogonal", "scale_shift")


def test_the_encoder_has_the_size_of_the_release() -> None:
    for units, millions in ((6, 1.516), (10, 1.778)):
        encoder = disdiff.build_encoder(DisDiffSettings(units=units), (3, 64, 64))
        assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=1e-3)


def test_units_must_find_room_in_the_orthogonal_matrix() -> None:
    with pytest.raises(ValueError, match=r"identity_width \(3\) must be at least method.units \(4\)"):
        quick(identity_width=3)
    assert quick(identity_width=3, identity="free").settings.units == 4


# The other traps


def test_trap_logits_are_distances_as_they_are() -> None:
    truth, before, after = torch.randn(3, 2, 4, 32, generator=torch.Generator().manual_seed(0))
    c = torch.tensor([0, 2])
    torch.testing.assert_close(
        unit_distances(before, after), (before - after).square().sum(2).sqrt()
    )  # no mean over 32
    torch.testing.assert_close(unit_distances(7 * before, 7 * after), 7 * unit_distances(before, after))
    for scale in (1.0, 7.0):  # larger codes are a lower temperature
        u = scale * (before - after).square().sum(2).sqrt()
        torch.testing.assert_close(
            invariance(scale * before, scale * after, c), u.logsumexp(1) - u[torch.arange(2), c], rtol=1e-4, atol=1e-5
        )
        v = scale * ((before - truth).square().sum(2).sqrt() - (after - truth).square().sum(2).sqrt())
        torch.testing.assert_close(
            variance(scale * truth, scale * before, scale * after, c),
            v.logsumexp(1) - v[torch.arange(2), c],
            rtol=1e-4,
            atol=1e-5,
        )


def test_trap_memory_is_that_of_a_piece_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {}
    for piece in (0, 2):
        method = quick(latent_foundation("vq"), piece=piece)
        decoded = counting(method.space, "soft_decode", monkeypatch)
        sizes: list[int] = []

        def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = forward(method)
        held[piece] = sum(sizes)
        assert [len(each) for each in decoded] == ([8, 8] if piece == 0 else [2] * 8)
        loss.total.backward()
    assert held[2] < 0.3 * held[0]


def test_a_step_of_separating_evaluates_and_holds_no_more_than_a_piece_of_the_batch_needs() -> None:
    """Of 8 images: fields of each unit once, the frozen model for the guess and for two purified pictures; again what
    is computed in pieces on the way back. Ten units in pixels are what makes the preset dear."""
    rows: dict[int, tuple[int, int]] = {}
    for piece in (0, 2):
        method = quick(**{**SEPARATING, "piece": piece})
        calls: dict[str, list[int]] = {"frozen": [], "fields": []}
        watched = {"frozen": method.denoiser.unet.conv_in, "fields": method.field.decoder.conv_out}
        for name, module in watched.items():
            module.register_forward_hook(
                lambda _, inputs, __, name=name, calls=calls: calls[name].append(len(inputs[0]))
            )
        loss = forward(method)
        assert {name: sum(each) for name, each in calls.items()} == {"frozen": 3 * 8, "fields": 8 * TINY["units"]}
        loss.total.backward()
        rows[piece] = sum(calls["fields"]), max(calls["fields"])
    assert rows == {0: (8 * 4, 8 * 4), 2: (2 * 8 * 4, 2 * 4)}, "twice the fields, a quarter of them at a time"
    assert PRESETS["separating"]["method"]["piece"] == 8 < PRESETS["separating"]["training"]["batch"]


def test_trap_memory_of_a_step_is_estimated_for_the_pieces_it_is_made_in() -> None:
    assert [quick(piece=piece).players()[0].piece for piece in (0, 2)] == [0, 2]


def test_trap_a_step_costs_one_frozen_pass_and_one_pass_of_all_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    method = quick()
    calls: dict[str, list[int]] = {"frozen in": [], "frozen out": [], "fields": []}
    watched = {
        "frozen in": method.denoiser.unet.conv_in,
        "frozen out": method.denoiser.unet.conv_out,
        "fields": method.field.decoder.conv_out,
    }
    for name, module in watched.items():
        module.register_forward_hook(lambda _, inputs, __, name=name: calls[name].append(len(inputs[0])))
    forward(method).total.backward()
    assert calls == {"frozen in": [8], "frozen out": [8], "fields": [8 * 4]}
    calls["fields"].clear()
    with evaluating(method):
        method.predictor(method.encode(batch(2).images), [1, 3])(*noised(method, 2))
    assert calls["fields"] == [2 * 2], "fields that are not asked for cost nothing"


# Scores


def test_vectors_are_scored_by_one_principal_component_of_each_unit() -> None:
    method = quick()
    with evaluating(method):
        codes = method.encode(batch(64).images).numpy()
    assert codes.shape == (64, 4, 3)
    fitted = reduction.fit(codes)
    scores = reduction.apply(fitted, codes)
    assert scores.shape == (64, 4)
    for unit in range(4):
        values = torch.linalg.svdvals(torch.from_numpy(codes[:, unit] - codes[:, unit].mean(0)).double())
        assert scores[:, unit].std() ** 2 * 64 == pytest.approx((values[0] ** 2).item(), rel=1e-4)
        assert fitted.explained[unit] == pytest.approx((values[0] ** 2 / values.square().sum()).item(), rel=1e-4)


def test_before_the_first_time_the_frozen_model_draws_alone() -> None:
    method = quick(first_time=500).eval()
    units, x_t = method.encode(batch().images), torch.randn(len(batch().images), *method.space.shape)
    predict = method.predictor(units, None)
    for time, frozen in ((499, True), (500, False)):
        t = torch.tensor(time)
        _, eps_0 = method.denoiser.features_and_noise(x_t, t.expand(len(x_t)))
        assert torch.equal(predict(x_t, t), eps_0) == frozen


def test_the_terms_wait_and_then_rise_over_as_many_images() -> None:
    waits = quick(weight_after=100, weight=5.0)
    assert [waits.share(seen) for seen in (0, 99, 100, 150, 200, 10**6)] == [0, 0, 0, 0.5, 1, 1]
    assert quick().share(0) == 1

    def total(seen: int, **changes: Any) -> float:
        """Of a new method each time: a forward pass changes the encoder's running means."""
        few = Batch(batch().images, batch().index, seen)
        return quick(**changes)(few, torch.Generator().manual_seed(1)).total.item()

    before, half, full = (total(seen, weight_after=100, weight=5.0) for seen in (50, 150, 200))
    assert before == pytest.approx(total(0, weight=0.0), rel=1e-6)
    assert full == pytest.approx(total(0, weight=5.0), rel=1e-6)
    assert half - before == pytest.approx((full - before) / 2, rel=1e-4)
    assert full > before
