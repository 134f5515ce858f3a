"""PDAE, DiTi and Diff-AE against the facts of their papers."""

from itertools import accumulate

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from tests.conftest import latent_foundation, small_denoiser

from unweave import registry
from unweave.config import SettingsError, parse
from unweave.method import Batch, Sampling, evaluating, find_method
from unweave.methods import diffae, diti, pdae
from unweave.models.diffusion.noising import (
    add_noise,
    clean_of,
    mean_shift,
    per_image,
    score_shift,
    snr,
    velocity_shift,
)
from unweave.models.encoder import attention_encoder
from unweave.models.foundation import Foundation, FrozenDenoiser
from unweave.models.frozen_error import ErrorCurve
from unweave.models.gradient_decoder import TimeThenCondition
from unweave.runs.plan import plan
from unweave.training.ema import Average

NARROW = {"dim": 16, "encoder_widths": (32, 32)}
SLICED = {**NARROW, "blocks": 8, "edges": (250, 1000), "widths": (6, 10)}


CURVE = ErrorCurve((0, 999), (0.02, 0.3), 0.3)
"""A frozen model's errors, as if measured."""


def measured(t: torch.Tensor) -> torch.Tensor:
    return 0.02 + 0.28 * t / 999


def foundation(**config: object) -> Foundation:
    return Foundation((3, 16, 16), 10, denoiser=small_denoiser(**config), error=CURVE)


def pdae_of(**settings: object) -> pdae.PDAE:
    torch.manual_seed(0)
    predicts = {"prediction": "v"} if settings.get("weight") == "clean" else {}
    return perturbed(pdae.build(pdae.PDAESettings(**{**NARROW, **settings}), foundation(**predicts)))


def diti_of(**settings: object) -> diti.DiTi:
    torch.manual_seed(0)
    return perturbed(diti.build(diti.DiTiSettings(**{**SLICED, **settings}), foundation()))


def perturbed(method):
    """The last layers begin at zero, which would hide everything."""
    for player in method.players():
        for parameter in player.parameters:
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
    return method


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def batch(count: int = 4) -> Batch:
    return Batch(images(count), torch.arange(count), 0)


def drawn(method, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The times and noise that `forward` draws with this seed."""
    rng = torch.Generator().manual_seed(seed)
    t = torch.randint(0, 1000, (count,), generator=rng)
    return t, torch.randn(method.space.encode(images(count)).shape, generator=rng)


def test_the_encoder_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in attention_encoder((3, 64, 64), 512, None).parameters()) == 1_487_104
    widths = [
        layer.out_channels for layer in attention_encoder((3, 128, 128), 512, None) if hasattr(layer, "out_channels")
    ]
    assert [w for w in widths if w is not None] == [64, 128, 256, 256, 256]


@pytest.mark.parametrize(("shape", "widths"), [((3, 24, 24), None), ((3, 32, 16), None), ((3, 32, 32), (32, 32))])
def test_images_that_cannot_be_halved_to_4_are_refused(shape, widths) -> None:
    with pytest.raises(ValueError, match=r"halves images|needs 3 numbers"):
        attention_encoder(shape, 8, widths)


@pytest.mark.parametrize(
    ("weight", "field"), [("snr", "score"), ("uniform", "score"), ("clean", "velocity"), ("gap", "gap"), ("snr", "gap")]
)
def test_the_loss_of_pdae_by_hand(weight: str, field: str) -> None:
    method = pdae_of(weight=weight, field=field)
    t, eps = drawn(method, 4, 5)
    abar = method.denoiser.process.abar[t]
    x_t = add_noise(images(), eps, abar)
    features, eps_0 = method.denoiser.features_and_noise(x_t, t)
    field_values = method.decoder(features, features.embedding, method.condition(method.encoder(images())))
    sizes = {"score": mean_shift(method.denoiser.process.abar, t), "velocity": abar.sqrt()}
    size = sizes[field] if field in sizes else -((abar / (1 - abar)) * measured(t)).sqrt()
    error = (eps - eps_0 - per_image(size) * field_values).square().mean((1, 2, 3))
    ratio = abar / (1 - abar)
    weights = {
        "snr": ratio**0.1 / (1 + ratio), "uniform": torch.ones(4), "clean": 1 / ratio,
        "gap": 1 / (ratio * measured(t)),
    }  # fmt: skip
    by_hand = (weights[weight] * error).mean()
    assert method(batch(), torch.Generator().manual_seed(5)).total.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_published_weight_is_its_formula() -> None:
    method = pdae_of()
    t = torch.tensor([10, 500, 990])
    expected = snr(method.denoiser.process.abar[t]) ** 0.1 / (1 + snr(method.denoiser.process.abar[t]))
    torch.testing.assert_close(method.weigh(t), expected)


def test_training_leaves_the_frozen_model_as_it_was() -> None:
    method = diti_of(gradient="dual").train()
    before = [p.clone() for p in method.denoiser.parameters()]
    optimiser = torch.optim.AdamW(method.players()[0].parameters, 1e-2)
    for seed in range(2):
        method(batch(), torch.Generator().manual_seed(seed)).total.backward()
        optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(before, method.denoiser.parameters()))
    assert all(p.grad is None and not p.requires_grad for p in method.denoiser.parameters())
    assert not any(module.training for module in method.denoiser.frozen.network.modules())


@pytest.mark.parametrize(("kind", "shift"), [("score", score_shift), ("velocity", velocity_shift)])
def test_sampling_adds_the_shift_and_clips_x0(kind: str, shift) -> None:
    method = pdae_of(field=kind)
    units = method.encode(images())
    x_t, t = torch.randn(4, 3, 16, 16) * 3, torch.tensor(700)
    abar = method.denoiser.process.abar[t.expand(4)]
    features, eps_0 = method.denoiser.features_and_noise(x_t, t.expand(4))
    field = method.decoder(features, features.embedding, method.condition(units.squeeze(2)))
    plain = eps_0 + per_image(shift(abar)) * field
    torch.testing.assert_close(method.predictor(units)(x_t, t), plain)
    clipped = clean_of(method.process.clipping(method.predictor(units))(x_t, t), x_t, abar)
    assert clean_of(plain, x_t, abar).abs().max() > 1.1
    torch.testing.assert_close(clipped, clean_of(plain, x_t, abar).clamp(-1, 1), atol=1e-5, rtol=1e-4)


def test_a_field_of_the_gap_moves_x0_by_the_frozen_models_error_in_sampling() -> None:
    method = pdae_of(field="gap", weight="gap")
    units = method.encode(images())
    x_t, t = torch.randn(4, 3, 16, 16), torch.tensor(400)
    abar = method.denoiser.process.abar[t.expand(4)]
    features, eps_0 = method.denoiser.features_and_noise(x_t, t.expand(4))
    field = method.decoder(features, features.embedding, method.condition(units.squeeze(2)))
    moved = clean_of(method.predictor(units)(x_t, t), x_t, abar) - clean_of(eps_0, x_t, abar)
    torch.testing.assert_close(moved, measured(t).sqrt() * field, atol=1e-4, rtol=1e-3)


def test_an_error_is_at_least_a_small_share_of_the_largest() -> None:
    steep = foundation()._replace(error=ErrorCurve((0, 999), (0.0, 1.0), 1.0))
    method = pdae.build(pdae.PDAESettings(**NARROW, field="gap"), steep)
    assert method.error.min().item() == pytest.approx(1 / 5_000)


def test_normalised_codes_have_noise_in_training_alone_and_a_cost() -> None:
    method = pdae_of(field="gap", weight="gap", gain=3.0, noise=0.5, cost=0.1).train()
    code = method.encode(images(8)).squeeze(2)
    torch.testing.assert_close(code.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(code.std(0, unbiased=False), torch.full((16,), 3.0), atol=0.1, rtol=0.1)
    noise = method.noised_code(torch.zeros(4_000, 16), torch.Generator().manual_seed(0))
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    half = Batch(images(8), torch.arange(8), seen=20, budget=80)
    loss = method(half, torch.Generator().manual_seed(0))
    expected = code.square().sum(1).mean() / 2 / 0.5**2
    assert loss.terms["cost"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert loss.total.item() == pytest.approx((loss.terms["denoising"] + 0.1 * 0.5 * expected).item(), rel=1e-4)
    with evaluating(method):
        torch.testing.assert_close(method.encode(images(8))[:2], method.encode(images(8)[:2]))


def test_averaged_weights_have_averaged_statistics_of_the_code() -> None:
    """The encoder drifts; what its last images looked like is wrong for its average, which lags behind."""
    method = pdae_of(gain=3.0).train()
    bias, average = method.encoder[-1].bias, Average(method, 0.98)
    code = method.encoder(images(8)).detach() - bias.detach()
    for _ in range(600):
        bias.data += code.std(0).mean()
        method.norm(code + bias.detach())
        average.step()
    last = method.norm.statistics.running_mean.clone()
    with average.applied(), evaluating(method):
        ours = method.encode(images(8)).mean(0).abs().mean()
        method.norm.statistics.running_mean.copy_(last)
        theirs = method.encode(images(8)).mean(0).abs().mean()
    assert ours < 0.5 * theirs
    assert torch.equal(method.norm.statistics.running_mean, last)


def test_the_uneven_widths_are_those_of_the_release() -> None:
    settings = diti.DiTiSettings()
    assert diti.slice_widths(settings) == [2, 2, 2, 4, 8, 8, 9, *[25] * 12, 27, *[8] * 11, 12, *[1] * 31, 19]
    assert [diti.stage_of_blocks(settings).count(i) for i in range(5)] == [4, 3, 13, 12, 32]
    assert diti.slice_widths(diti.DiTiSettings(edges=(1000,), widths=(512,))) == [8] * 64
    assert [len(units) for units in diti.stage_units(settings).values()] == [10, 25, 327, 100, 50]
    assert list(diti.stage_units(settings)) == ["t0-62", "t63-109", "t110-312", "t313-499", "t500-999"]


def test_blocks_are_indexed_by_the_original_time() -> None:
    method = diti.build(diti.DiTiSettings(), Foundation((3, 16, 16), 10, denoiser=small_denoiser()))
    t = torch.arange(1000)
    assert torch.equal(method.mask.block(t), torch.tensor([int(time * 64 / 1000) for time in range(1000)]))
    ends = list(accumulate(diti.slice_widths(diti.DiTiSettings())))
    assert method.mask.count(t).tolist() == [ends[int(time * 64 / 1000)] for time in range(1000)]
    assert torch.equal(method.mask.count(torch.tensor([0, 15, 16, 999])), torch.tensor([2, 2, 4, 512]))


@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
@pytest.mark.parametrize("steps", [4, 10])
def test_samplers_open_the_slices_of_the_original_time_whatever_their_stride(
    steps: int, sampler: str, monkeypatch
) -> None:
    method = diti_of()
    seen: list[tuple[int, int]] = []
    plain = method.mask.visible

    def watched(code: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        visible = plain(code, t)
        seen.append((int(t[0]), int((visible[0] != 0).sum())))
        return visible

    monkeypatch.setattr(method.mask, "visible", watched)
    units = torch.ones(1, 16, 1)
    start = method.invert(images(1), units, Sampling(sampler, steps))
    method.decode(units, start, Sampling(sampler, steps))
    ends = list(accumulate(diti.slice_widths(method.mask.settings)))
    assert len(seen) == 2 * steps
    assert all(count == ends[time * 8 // 1000] for time, count in seen)
    assert len({count for _, count in seen}) > 2
    assert seen[steps] == (999, 16)  # the first step of generation sees the whole code


def test_a_later_slice_has_no_influence_on_earlier_times() -> None:
    method = diti_of()
    ends = diti.slice_ends(method.mask.settings)
    code = torch.randn(1, 16, 1, requires_grad=True)
    x_t = torch.randn(1, 3, 16, 16)
    for block in range(8):
        for time in (block * 125, block * 125 + 124):
            slope = torch.autograd.grad(method.predictor(code)(x_t, torch.tensor(time)).sum(), code)[0].flatten()
            assert slope[ends[block] :].abs().sum() == 0
            assert slope[: ends[block]].abs().min() > 0


def test_in_the_last_block_the_mask_is_none() -> None:
    method = diti_of()
    code = torch.randn(2, 16, 1)
    x_t, times = torch.randn(2, 3, 16, 16), [torch.tensor(time) for time in (874, 875, 999)]
    masked = [method.process.clipping(method.predictor(code))(x_t, t) for t in times]
    method.mask.visible = lambda code, t: code
    same = [torch.equal(one, method.process.clipping(method.predictor(code))(x_t, t)) for one, t in zip(masked, times)]
    assert same == [False, True, True]  # the last of 8 blocks begins at 875


def test_the_published_mask_is_none_in_the_last_of_64_blocks() -> None:
    torch.manual_seed(0)
    settings = diti.DiTiSettings(encoder_widths=(32, 32))
    method = diti.build(settings, foundation())
    assert method.mask.count(torch.tensor([983, 984, 985, 999])).tolist() == [493, 493, 512, 512]


def test_stop_grad_lets_gradients_into_the_newest_slice_alone_and_dual_adds_both_losses() -> None:
    ends = diti.slice_ends(diti_of().mask.settings)
    code, t = torch.randn(3, 16, requires_grad=True), torch.tensor([0, 400, 999])
    (visible,) = diti_of(gradient="stop_grad").mask.training_codes(code, t)
    (slope,) = torch.autograd.grad(visible.sum(), code)
    for row, block in enumerate((0, 3, 7)):
        before = ends[block - 1] if block else 0
        assert slope[row].tolist() == [float(before <= i < ends[block]) for i in range(16)]
    losses = {kind: diti_of(gradient=kind)(batch(), torch.Generator().manual_seed(3)).total.item() for kind in (
        "base", "stop_grad", "dual"
    )}  # fmt: skip
    assert losses["base"] == pytest.approx(losses["stop_grad"], rel=1e-6)  # the same value, other gradients
    assert losses["dual"] == pytest.approx(2 * losses["base"], rel=1e-6)


STAGED = {"blocks": 1000, "edges": "auto", "opening": "at_once", "gradient": "stop_grad"}


def with_components() -> Foundation:
    """Two things are lost one after the other, the second from t = 440 on."""
    times, flat = (0, 400, 440, 600, 800, 999), (0.1,) * 6
    components = ((0.0, 0.0, 1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.3, 1.0, 1.0))
    return foundation()._replace(error=ErrorCurve(times, flat, 0.1, components))


def test_edges_that_are_found_name_the_slices_and_lie_in_the_checkpoint() -> None:
    settings = diti.DiTiSettings(**{**SLICED, **STAGED, "field": "gap", "weight": "gap"})
    method = diti.build(settings, with_components())
    assert {name: list(units) for name, units in method.groups().items()} == {
        "t0-439": list(range(6)), "t440-999": list(range(6, 16)),
    }  # fmt: skip
    opened = diti.build(settings, foundation()._replace(error=None))
    assert list(opened.groups()) != list(method.groups())
    opened.load_state_dict(method.state_dict())
    assert opened.groups() == method.groups()
    t = torch.arange(1000)
    assert torch.equal(opened.mask.count(t), torch.where(t < 440, 6, 16))
    assert torch.equal(opened.error, method.error)
    assert list(opened.group("t440-999")) == list(range(6, 16))


def test_a_stage_that_opens_at_once_has_its_gradient_at_all_of_its_times() -> None:
    method = diti.build(diti.DiTiSettings(**{**SLICED, **STAGED}), with_components())
    code, t = torch.randn(4, 16, requires_grad=True), torch.tensor([0, 439, 440, 999])
    (visible,) = method.mask.training_codes(code, t)
    (slope,) = torch.autograd.grad(visible.sum(), code)
    early, late = [1.0] * 6 + [0.0] * 10, [0.0] * 6 + [1.0] * 10
    assert slope.tolist() == [early, early, late, late]


def test_published_settings_leave_nothing_new_in_a_checkpoint() -> None:
    for method in (pdae_of(), diti_of()):
        assert {name.split(".")[0] for name in method.state_dict()} == {"encoder", "condition", "decoder"}


def test_diti_with_one_block_is_pdae() -> None:
    one = diti_of(blocks=1, edges=(1000,), widths=(16,))
    other = pdae_of()
    other.load_state_dict(one.state_dict())
    losses = [method(batch(), torch.Generator().manual_seed(2)).total.item() for method in (one, other)]
    assert losses[0] == losses[1]


def test_groups_are_stages_and_time_ranges() -> None:
    method = diti_of()
    assert {name: list(units) for name, units in method.groups().items()} == {
        "t0-249": list(range(6)), "t250-999": list(range(6, 16)),
    }  # fmt: skip
    assert list(method.group("t0-124")) == [0, 1, 2]
    assert list(method.group("t125")) == [3, 4, 5]
    assert list(method.group("t200-400")) == [3, 4, 5, 6, 7]
    assert list(method.group("b1-3")) == [3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match=r"blocks must lie in 0\.\.7"):
        method.group("b7-8")
    early = diti_of(blocks=16, widths=(2, 14))  # four blocks share two numbers
    with pytest.raises(ValueError, match="no number of the code opens in the blocks 0-0"):
        early.group("b0")
    with pytest.raises(LookupError, match="t0-249, t250-999"):
        method.group("wall")
    for words in ("t300-200", "t5-1000"):
        with pytest.raises(ValueError, match=r"must lie in 0\.\.999"):
            method.group(words)
    with pytest.raises(LookupError, match="code"):
        pdae_of().group("wall")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": (6, 9)}, "must sum to method.dim"),
        ({"widths": (6, 5, 5)}, "one number a stage"),
        ({"edges": (250, 900)}, "must rise to 1000"),
        ({"edges": (1000, 250)}, "must rise to 1000"),
        ({"widths": (18, -2)}, "be 1 or more"),
        ({"widths": (16, 0)}, "be 1 or more"),
        ({"edges": (2, 5, 1000), "widths": (4, 4, 8)}, "no block begins"),
    ],
)
def test_slices_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    """When settings are read, so before a foundation is made."""
    with pytest.raises(SettingsError, match=message) as raised:
        parse(diti.DiTiSettings, {**SLICED, **settings}, "method")
    assert "value error" not in str(raised.value).lower()


def test_errors_of_x0_of_a_model_that_predicts_the_noise_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"PDAE with method\.weight=clean.*method\.weight=snr method\.field=score"):
        pdae.build(pdae.PDAESettings(**NARROW, weight="clean"), foundation())


def test_without_a_denoiser_the_remedy_is_named() -> None:
    for module, settings in ((pdae, NARROW), (diti, SLICED)):
        with pytest.raises(SettingsError, match=r"foundation\.denoiser\.from"):
            module.build(module.METHOD.settings(**settings), Foundation((3, 16, 16), 10))


DIFFAE = {"dim": 8, "encoder_channels": (8, 8), "channels": (8, 16), "attention": (False, True), "groups": 4}


def diffae_of(**settings: object) -> diffae.DiffAE:
    torch.manual_seed(0)
    table = {**DIFFAE, "layers": 1, "dropout": 0.0, **settings}
    return perturbed(diffae.build(diffae.DiffAESettings(**table), Foundation((3, 16, 16), 10)))


def test_every_block_of_diffae_has_the_time_and_then_the_code() -> None:
    method = diffae_of()
    blocks = [module for module in method.unet.modules() if isinstance(module, ResnetBlock2D)]
    assert blocks
    assert all(isinstance(block.time_emb_proj, TimeThenCondition) for block in blocks)
    composed = blocks[0].time_emb_proj
    code, time = torch.randn(2, 8), torch.randn(2, composed.split[0])
    s_t, b_t = composed.time(time).chunk(2, 1)
    s_c, b_c = composed.condition(code).chunk(2, 1)
    h = torch.randn(2, s_t.shape[1])
    scale, shift = composed(torch.cat([time, code], 1)).chunk(2, 1)
    torch.testing.assert_close(h * (1 + scale) + shift, (h * (1 + s_t) + b_t) * (1 + s_c) + b_c)


def test_the_loss_of_diffae_by_hand_and_its_code_matters() -> None:
    method = diffae_of()
    t, eps = drawn(method, 4, 5)
    x_t = add_noise(images(), eps, method.process.abar[t])
    units = method.encode(images())
    by_hand = (eps - method.predict(x_t, t, units)).square().mean().item()
    assert method(batch(), torch.Generator().manual_seed(5)).total.item() == pytest.approx(by_hand, rel=1e-5)
    assert not torch.equal(method.predict(x_t, t, units), method.predict(x_t, t, units + 1))
    assert not torch.equal(method.predict(x_t, t, units), method.predict(x_t, (t + 300) % 1000, units))
    assert list(method.group("code")) == list(range(8))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": (True,)}, "one value per level"),
        ({"channels": (6, 16)}, "divisible by method.groups"),
        ({"channels": (8, 8, 8, 8, 8, 8), "attention": (False,) * 6}, "multiple of 32"),
        ({"encoder_channels": (8,) * 6}, "they need 32 pixels a side or more, got 16 x 16"),
    ],
)
def test_a_diffae_that_cannot_be_built_says_why(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        diffae_of(**settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "preset", "expected"),
    [("denoiser", "pixels-64", 64.0e6), ("denoiser", "pixels-128", 98.6e6), ("diffae", "release", None)],
)
def test_networks_of_the_published_sizes_run(name: str, preset: str, expected: float | None) -> None:
    module = registry.trainable(name)
    size = module.METHOD.presets[preset]["data"]["size"]
    built = module.build(
        module.METHOD.settings(**module.METHOD.presets[preset]["method"]), Foundation((3, size, size), 10)
    )
    if expected is not None:
        assert sum(p.numel() for p in built.parameters()) == pytest.approx(expected, rel=0.1)
    loss = built(Batch(torch.zeros(1, 3, size, size), torch.arange(1), 0), torch.Generator().manual_seed(0))
    assert loss.total.isfinite()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "base", "expected"), [("release", "pixels-64", 52.0e6), ("release-128", "pixels-128", 78.5e6)]
)
@pytest.mark.parametrize("name", ["pdae", "diti"])
def test_gradient_decoders_have_the_published_sizes(name: str, preset: str, base: str, expected: float) -> None:
    module, denoiser = registry.trainable(name), registry.trainable("denoiser")
    settings = module.METHOD.presets[preset]
    size = settings["data"]["size"]
    assert settings["foundation"]["denoiser"]["recipe"]["preset"] == base
    with torch.device("meta"):
        settings_of_base = denoiser.DenoiserSettings(**denoiser.PRESETS[base]["method"])
        frozen = denoiser.build(settings_of_base, Foundation((3, size, size), 10))
        foundation = Foundation((3, size, size), 10, denoiser=FrozenDenoiser(frozen.unet, frozen.process.config))
        method = module.build(module.METHOD.settings(**settings["method"]), foundation)
    trained = sum(p.numel() for part in (method.decoder, method.condition) for p in part.parameters())
    assert trained == pytest.approx(expected, rel=0.07)  # diffusers' resampling layers are smaller


@pytest.mark.parametrize("name", ["pdae", "diti"])
@pytest.mark.parametrize("kind", ["vq", "kl", "grey"])
def test_any_denoiser_will_do(name: str, kind: str) -> None:
    """One of latents, whose x_0 is not clipped, and one of grey pixels: it learns, inverts and draws."""
    module = registry.trainable(name)
    shape = (1, 16, 16) if kind == "grey" else (3, 16, 16)
    base = Foundation(shape, 10, denoiser=small_denoiser(16, 1)) if kind == "grey" else latent_foundation(kind)
    torch.manual_seed(0)
    method = perturbed(module.build(module.METHOD.settings(**(SLICED if name == "diti" else NARROW)), base))
    assert method.bounded is (kind == "grey")
    pictures = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert method(Batch(pictures, torch.arange(2), 0), torch.Generator().manual_seed(0)).total.isfinite()
    with evaluating(method):
        units = method.encode(pictures)
        start = method.invert(pictures, units, Sampling("ddim", 4))
        assert start.shape == (2, *method.space.shape)
        drawn = method.decode(units, start, Sampling("ddim", 4))
    assert drawn.shape == pictures.shape
    assert drawn.isfinite().all()


@pytest.mark.parametrize("name", ["pdae", "diti"])
@pytest.mark.parametrize("preset", ["release", "release-128", "release-even", "laptop", "gap"])
def test_presets_name_a_denoiser_of_their_own_images(name: str, preset: str) -> None:
    if preset not in find_method(name).presets:
        assert (name, preset) == ("pdae", "release-even")
        return
    settings = plan(name, {"preset": preset, "data": {"name": "folder", "path": "faces"}})
    planned = plan("denoiser", settings.foundation.denoiser.recipe)
    assert planned.data == settings.data


def test_heads_that_do_not_fit_are_refused() -> None:
    module = registry.trainable("denoiser")
    settings = module.METHOD.settings(channels=(24, 64), attention=(True, False), heads=4, groups=8)
    with pytest.raises(ValueError, match="multiples of the width of a head"):
        module.build(settings, Foundation((3, 16, 16), 10))
