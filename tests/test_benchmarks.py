"""The scripts of benchmarks/ can be imported and say how they are run; their records are JSON without local paths."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.long

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path for path in BENCHMARKS.glob("*.py") if path.stem != "running")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert f"python benchmarks/{path.name}" in module.__doc__


def test_an_angle_is_judged_modulo_the_symmetry_of_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmark_pose_angle", BENCHMARKS / "pose_angle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng = np.random.default_rng(0)
    truth, turns = rng.uniform(0, 2 * np.pi, 4_000), rng.integers(4, size=4_000)
    unit = truth + 0.3 + turns * np.pi / 2  # a square, of whose four angles any is given
    assert module.angle_scores(unit, truth, 4) == pytest.approx({"agreement": 1, "error": 0}, abs=1e-9)
    assert module.angle_scores(unit, truth, 1)["agreement"] < 0.05
    chance = module.angle_scores(rng.uniform(0, 2 * np.pi, 4_000), truth, 2)
    assert chance["agreement"] < 0.05
    assert chance["error"] == pytest.approx(45, rel=0.05)
    assert module.angle_scores(truth + rng.normal(size=4_000) * 0.1, truth, 1)["error"] == pytest.approx(4.57, rel=0.05)
    half = np.where(turns < 2, truth, truth + 0.5)  # it means another thing in one of two groups
    assert module.least_agreement(half, truth, 1, (turns < 2).astype(int)) == pytest.approx(np.cos(0.25), abs=0.01)
    assert module.left_in(np.cos(4 * truth)[:, None], truth, 4) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("results/*.json")), ids=lambda path: path.stem)
def test_record(path: Path) -> None:
    record = json.loads(path.read_text())
    assert record
    assert "/work/" not in path.read_text()
    assert "/tmp/" not in path.read_text()
