"""Names of factors through a stand-in for a run whose units are the factors of sprites."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from tests.data.in_memory import InMemory
from tests.evaluation.shades import FACTORS, Shades, draw, shade_pictures

import unweave
from unweave.data.sampling import complete_grid
from unweave.evaluation.factor_names import EncodedRows, name_factors
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import swaps_of_rows
from unweave.factors.factor import Coordinate, Factor
from unweave.method import Generative, Sampling, Start
from unweave.progress import Task
from unweave.runs.run import Run
from unweave.tensors import Images, Units, to_images, to_pixels
from unweave.types import Rows

UNITS = ("shape", "scale", "orientation", "x", "y", "colour")


def line(units: int) -> Coordinate:
    """The curve on which all numbers are the same."""
    return Coordinate(False, np.array([[0.0] * units, [7.0] * units]), np.linspace(0, 1, 101), 0.0)


@pytest.fixture(scope="module")
def encoded() -> EncodedRows:
    dataset = unweave.open_data({"name": "sprites", "size": 16})
    rows = np.sort(np.random.default_rng(0).permutation(len(dataset))[:300])
    return EncodedRows(dataset, rows, dataset.factors(rows)[:, :, None].astype(np.float32))


Namer = Callable[[Sequence[Factor]], list[Factor]]


@pytest.fixture
def idle() -> list[int]:
    """Units whose swaps change nothing."""
    return []


@pytest.fixture
def named(quick_run: Run, encoded: EncodedRows, idle: list[int], monkeypatch: pytest.MonkeyPatch) -> Namer:
    """Names from swaps that exchange true factors."""
    dataset, grid = encoded.dataset, complete_grid(encoded.dataset)

    def reconstruct(_: RunEditor, rows: Rows) -> Images:
        return to_images(dataset.images(rows), torch.device("cpu"))

    def swap(editor: RunEditor, rows: Rows, partners: Rows, units: Sequence[int]) -> Images:
        factors, moving = dataset.factors(rows), [unit for unit in units if unit not in idle]
        factors[:, moving] = dataset.factors(partners)[:, moving]
        return reconstruct(editor, grid.rows(grid.grid.index(factors)))

    monkeypatch.setattr(RunEditor, "reconstruct", reconstruct)
    monkeypatch.setattr(RunEditor, "swap", swap)
    method = quick_run.method()
    assert isinstance(method, Generative)
    editor = RunEditor(method, dataset, Sampling("ddim", 1), 0)
    swaps = swaps_of_rows(editor, encoded.rows, 48)
    return lambda factors: [each.factor for each in name_factors(factors, encoded, swaps, Task())]


def test_factors_are_named_by_what_follows_them_and_their_swaps(named: Namer) -> None:
    x, y = (Factor((UNITS.index(name),), 0.1, line(1)) for name in ("x", "y"))
    vector = Factor((0, 1), 0.1, None, measured="of before", agreement=1.0)
    found = named([x, y, vector])
    assert [factor.measured for factor in found] == [
        "horizontal position of the object",
        "vertical position of the object",
        None,
    ]
    assert min(factor.agreement for factor in found[:2]) > 0.9


def test_what_swaps_do_not_change_has_no_name(named: Namer, idle: list[int]) -> None:
    x = Factor((UNITS.index("x"),), 0.1, line(1))
    idle.extend(x.units)
    assert named([x])[0].measured is None


def test_a_factor_without_a_coordinate_has_no_positions(encoded: EncodedRows) -> None:
    with pytest.raises(ValueError, match="no coordinate"):
        encoded.positions(Factor((0, 1), 0.1, None))


class TwoChannels(Shades):
    """Draws the same shades in two channels."""

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return draw(units[:, :, 0]).expand(-1, 2, -1, -1)


def test_two_channels_are_measured_as_they_are_shown() -> None:
    pixels = np.repeat(to_pixels(shade_pictures(120)), 2, axis=3)
    dataset, rows = InMemory("two channels", pixels), np.arange(120)
    encoded = EncodedRows(dataset, rows, Shades().encode(to_images(pixels)).numpy())
    editor = RunEditor(TwoChannels(), dataset, Sampling("ddim", 1), 0)
    located = name_factors(FACTORS[:1], encoded, swaps_of_rows(editor, rows, 8), Task())
    assert located[0].change is not None
    assert located[0].change.shape == (8, 8)
