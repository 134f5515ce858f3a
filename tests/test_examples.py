"""Every example runs, small."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.long
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(path: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "UNWEAVE_EXAMPLE_IMAGES": "96", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.png"))


@pytest.mark.long
def test_a_method_outside_the_package_works_like_one_inside(tmp_path: Path) -> None:
    """examples/third_party, put on the path as pip would, is listed, trained, scored, edited, and keeps the laws."""
    root = ROOT / "examples" / "third_party"
    information = tmp_path / "unweave_pca-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: unweave-pca\nVersion: 0.1.0\n")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["unweave.methods"]
    lines = [f"{name} = {module}" for name, module in points.items()]
    (information / "entry_points.txt").write_text("\n".join(["[unweave.methods]", *lines]) + "\n")
    path = os.pathsep.join([str(tmp_path), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def unweave(*words: str) -> str:
        command = [sys.executable, "-m", "unweave", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "pca" in unweave("list")
    unweave("train", "pca", "data=sprites", "data.size=16", "training.images=640", "--run", "run", "--quiet")
    assert "factorvae@1" in unweave("evaluate", "run", "--protocol", "factorvae@1", "--rows", "2000", "--json")
    unweave("edit", "swap", "run")
    unweave("edit", "traverse", "run", "0")
    assert list(tmp_path.rglob("*.gif"))
    laws = str(ROOT / "tests" / "laws" / "test_method_laws.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", laws, "-k", "pca"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("......"), done.stdout  # six laws
