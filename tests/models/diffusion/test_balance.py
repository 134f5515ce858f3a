import torch

from unweave.models.diffusion.balance import Balance


def test_every_stretch_of_time_ends_up_counting_the_same() -> None:
    balance = Balance(stretches=10, momentum=0.1)
    rng = torch.Generator().manual_seed(0)
    for _ in range(300):
        t = torch.randint(1000, (64,), generator=rng)
        error = (t.float() / 1000) ** 3 + 0.01
        weighted = balance(error, t) * error
    means = [weighted[t // 100 == stretch].mean().item() for stretch in range(10) if (t // 100 == stretch).any()]
    assert max(means) < 1.8
    assert min(means) > 0.5


def test_it_is_still_in_eval_mode_and_gives_no_gradient() -> None:
    balance = Balance().eval()
    error = torch.rand(8, requires_grad=True)
    assert not balance(error, torch.arange(8)).requires_grad
    assert torch.equal(balance.typical, torch.ones(20))


def test_a_stretch_without_images_keeps_its_mean() -> None:
    balance = Balance(stretches=2)
    balance(torch.tensor([3.0, 5.0]), torch.tensor([0, 499]))
    assert balance.typical[1] == 1
    torch.testing.assert_close(balance.typical[0], 1 + (1 - 0.98**2) * torch.tensor(3.0))
