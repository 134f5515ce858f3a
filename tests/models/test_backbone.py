import pytest
import torch

from unweave.models.backbone import backbone


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 30, 20)])
@pytest.mark.parametrize("name", ["small", "resnet18"])
def test_features_have_the_width_asked_for(name: str, shape: tuple[int, int, int]) -> None:
    network = backbone(name, shape, 10, "group").eval()
    assert network(torch.zeros(2, *shape)).shape == (2, 10)


def test_group_norm_keeps_images_apart_and_batch_norm_does_not() -> None:
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for kind, apart in (("group", True), ("batch", False)):
        network = backbone("small", (3, 16, 16), 8, kind).train()
        assert torch.allclose(network(x)[:2], network(x[:2]), atol=1e-5) == apart
