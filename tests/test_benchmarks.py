"""The scripts of benchmarks/ can be imported and say how they are run; their records are JSON without local paths."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("results/*.json")), ids=lambda path: path.stem)
def test_record(path: Path) -> None:
    record = json.loads(path.read_text())
    assert record
    assert "/work/" not in path.read_text()
    assert "/tmp/" not in path.read_text()


def test_the_study_of_learners_takes_a_folder_in_the_layout_of_celeba(tmp_path: Path) -> None:
    rng, faces = np.random.default_rng(0), tmp_path / "faces" / "img_align_celeba"
    faces.mkdir(parents=True)
    lines = ["60", "Male Smiling Young"]
    for i in range(60):
        values = rng.choice([-1, 1], 3)
        Image.fromarray(rng.integers(0, 255, (218, 178, 3), dtype=np.uint8)).save(faces / f"{i + 1:06d}.jpg")
        lines.append(f"{i + 1:06d}.jpg " + " ".join(map(str, values)))
    (faces.parent / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    words = ["study", "--data", "celeba", "--set", f"path={faces.parent}", "size=32", "crop=centre", "--images", "256"]
    words += ["--rows", "byol", "pca", "--out", str(tmp_path / "out")]
    command = [sys.executable, str(BENCHMARKS / "contrastive.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(record["row"], record.get("views")) for record in records] == [
        ("byol", "colours"), ("byol", "none"), ("pca", None)
    ]  # fmt: skip
    for record in records:
        assert set(record["accuracy"]) == {"Male", "Smiling", "Young"}
        assert set(record["med"]) == set(record["null"]) == {"med", "top1", "top2"}
