import pytest
import torch
from torch import Tensor, nn

from unweave.method import Sampling
from unweave.models.diffusion import noising
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import invert, sample


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1


def process(prediction: noising.Prediction = "eps", trailing: bool = False) -> Process:
    return Process(noising.scheduler_config("linear", prediction), trailing)


def some_noise(x_t: Tensor, t: Tensor) -> Tensor:
    return 0.3 * x_t + 0.1


@pytest.mark.parametrize("first", [0, 800])
def test_times_are_drawn_before_the_noise_and_both_make_the_noised_image(first: int) -> None:
    t, eps, x_t = process().noised(images(), torch.Generator().manual_seed(3), first)
    rng = torch.Generator().manual_seed(3)
    assert torch.equal(t, torch.randint(first, 1000, (4,), generator=rng))
    assert torch.equal(eps, torch.randn(4, 3, 4, 4, generator=rng))
    assert torch.equal(x_t, noising.add_noise(images(), eps, process().abar[t]))
    assert int(t.min()) >= first


def test_a_start_is_noise_of_the_generator() -> None:
    start = process().start((2, 3, 4, 4), torch.Generator().manual_seed(5))
    assert torch.equal(start, torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("trailing", [False, True])
@pytest.mark.parametrize("first", [0, 500])
def test_sampling_and_inversion_are_those_of_the_schedule(first: int, trailing: bool) -> None:
    sampling, own = Sampling("ddim", 10), process("v", trailing)
    x_T = own.invert(some_noise, images(), sampling, first)
    assert torch.equal(x_T, invert(some_noise, images(), own.config, sampling, first, trailing))
    expected = sample(some_noise, x_T, own.config, sampling, None, first, trailing)
    assert torch.equal(own.sample(some_noise, x_T, sampling, None, first), expected)


def test_the_generator_reaches_the_sampler() -> None:
    noisy, x_T = Sampling("ddim", 10, eta=1.0), torch.randn(1, 3, 4, 4)
    one, same, other = (
        process().sample(some_noise, x_T, noisy, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_clipping_changes_the_noise_of_images_out_of_range_alone() -> None:
    own, t = process(), torch.tensor(600)
    x_t = torch.cat([0.02 * images(1), 9 * images(1)])
    abar = own.abar[t.expand(2)]
    plain, clipped = some_noise(x_t, t), own.clipping(some_noise)(x_t, t)
    x0 = noising.clean_of(plain, x_t, abar)
    assert x0[0].abs().max() < 1 < x0[1].abs().max()
    torch.testing.assert_close(clipped[0], plain[0])
    torch.testing.assert_close(noising.clean_of(clipped, x_t, abar), x0.clamp(-1, 1), atol=1e-5, rtol=1e-4)


def test_it_moves_with_its_holder_and_is_in_no_checkpoint() -> None:
    holder = nn.ModuleDict({"process": process()})
    assert not holder.state_dict()
    assert not list(holder.parameters())
    assert holder.to("meta")["process"].abar.device.type == "meta"


@pytest.mark.parametrize(("prediction", "name"), [("eps", "epsilon"), ("v", "v_prediction"), ("x0", "sample")])
def test_it_says_what_the_network_predicts(prediction: noising.Prediction, name: str) -> None:
    assert process(prediction).prediction_type == name
