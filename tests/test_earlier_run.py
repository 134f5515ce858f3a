"""A run directory that an earlier version of the source wrote opens, scores, edits and goes on."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import unweave

CODES = [[1.18277, -0.11378, 0.76813, -0.16342], [1.43411, -1.07861, 0.20788, 1.29092]]
"""Of row 0, units 0 and 1, as that version encoded it."""
SCORES = {"disentanglement": 0.00575, "completeness": 0.008412, "informativeness": 0.357571}
SWAPPED = [[-0.174364, -0.174378, -0.174363, -0.174378], [-0.180545, -0.180566, -0.180551, -0.180567]]
"""The middle of the red channel of two images after each unit's swap."""


@pytest.fixture
def earlier(tmp_path: Path) -> unweave.Run:
    return unweave.load(str(shutil.copytree(Path(__file__).parent / "fixtures/encdiff-run", tmp_path / "run")))


def test_it_encodes_as_it_did(earlier: unweave.Run) -> None:
    codes = unweave.encode(earlier, [0, 6_000])["codes"]
    assert codes.shape == (2, 4, 4)
    np.testing.assert_allclose(codes[0, :2], CODES, atol=2e-4)


def test_it_scores_as_it_did(earlier: unweave.Run) -> None:
    scores = unweave.evaluate(earlier, rows=2_000, repeats=1, protocols=["dci@1", "mig@1"])["protocols"]
    for name, value in SCORES.items():
        assert scores["dci@1"][name]["value"] == pytest.approx(value, abs=2e-3)
    assert scores["mig@1"]["mig"]["value"] == pytest.approx(0.020697, abs=2e-3)


def test_its_edits_are_what_they_were(earlier: unweave.Run) -> None:
    edit = unweave.swap(earlier, [0, 1], [20_000, 30_000], seed=0)
    np.testing.assert_allclose(edit.images[:, :, 0, 8, 8].cpu().numpy(), SWAPPED, atol=1e-4)


def test_it_goes_on(earlier: unweave.Run) -> None:
    settings = earlier.path / "settings.toml"
    settings.write_text(settings.read_text().replace("images = 640", "images = 672"))
    assert unweave.train(earlier.path, resume=True).state()["seen"] == 672
