import json

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from unweave.cli.tables import jacobian_table
from unweave.evaluation.jacobian import evaluate_jacobian, unit_products
from unweave.method import OneShot, Player, Sampling
from unweave.runs.run import Run
from unweave.tensors import Images, Units

SAMPLING = Sampling("ddim", 2)


class LinearDecoder(OneShot):
    """Pictures of 2 x 4 pixels that are a linear function of four units."""

    def __init__(self, weight: np.ndarray) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weight).float())

    def players(self) -> list[Player]:
        return []

    def encode(self, images: Images) -> Units:
        return images.flatten(1)[:, :4, None]

    def decode(self, units: Units, start: object, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return (units.squeeze(2) @ self.weight.T).unflatten(1, (1, 2, 4))


def test_the_products_of_a_linear_decoder_are_those_of_its_weight() -> None:
    rng = np.random.default_rng(0)
    weight, codes = rng.normal(size=(8, 4)), rng.normal(size=(11, 4, 1)).astype(np.float32)
    directions = np.diag([1.0, 2, 0.5, 3])[:, :, None].astype(np.float32)
    products = unit_products(LinearDecoder(weight), codes, directions, SAMPLING, 0)
    scaled = weight * [1.0, 2, 0.5, 3]
    assert products.shape == (11, 4, 4)
    assert products == pytest.approx(np.broadcast_to(scaled.T @ scaled, (11, 4, 4)), rel=1e-3, abs=1e-3)


def test_a_run_of_one_step_and_one_of_many_have_a_score(vivid_run: Run, quick_run: Run) -> None:
    for run in (vivid_run, quick_run):
        scores = evaluate_jacobian(run, sampling=SAMPLING)
        assert scores.units == scores.looked_at == 4
        assert scores == evaluate_jacobian(run, sampling=SAMPLING)
        json.dumps(scores.to_json())
    live = evaluate_jacobian(vivid_run)
    assert len(live.live) >= 2
    assert 0 <= live.orthogonality <= 1
    assert 0 <= live.turned <= 1
    console = Console(width=160)
    with console.capture() as captured:
        console.print(jacobian_table(live, "runs/a"))
    assert f"{live.orthogonality:.3f}" in captured.get()
    assert "not tested enough" in captured.get()
