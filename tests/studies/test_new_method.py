import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from unweave.studies.new_method import write_method
from unweave.studies.study import read_study


@pytest.mark.parametrize(
    ("name", "said"), [("My-Method", "small letters"), ("mine_", "small letters"), ("betavae", "there is a method")]
)
def test_a_name_that_cannot_be_one_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        write_method(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = write_method("mine", tmp_path / "mine")
    assert path == tmp_path / "mine" / "unweave_mine.py"
    assert read_study(tmp_path / "mine" / "study_mine.toml").methods[0].name == "mine"
    with pytest.raises(FileExistsError, match="there already"):
        write_method("mine", tmp_path / "mine")


@pytest.mark.parametrize("name", ["player", "batch", "loss", "named", "one_shot", "settings", "units"])
def test_no_name_hides_what_the_file_imports(name: str, tmp_path: Path) -> None:
    module = ast.parse(write_method(name, tmp_path / name).read_text())
    defined = {of.name for of in module.body if isinstance(of, ast.ClassDef | ast.FunctionDef)}
    imported = {of.name for node in module.body if isinstance(node, ast.ImportFrom) for of in node.names}
    assert not defined & imported
    assert len(defined) == 3


@pytest.mark.long
def test_what_is_written_keeps_the_contract_and_can_be_swept(tmp_path: Path) -> None:
    """Put on the path as pip would."""
    folder = write_method("my_own", tmp_path / "my_own").parent
    information = folder / "unweave_my_own-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: unweave-my-own\nVersion: 0.1.0\n")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    points = [f"{name} = {module}" for name, module in project["entry-points"]["unweave.methods"].items()]
    (information / "entry_points.txt").write_text("\n".join(["[unweave.methods]", *points]) + "\n")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def python(*words: str) -> str:
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "two processes agree" in python("unweave", "check", "method", "my_own")
    assert "passed" in python("pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder))
    python("unweave", "sweep", "my_own/study_my_own.toml", "--small", "--out", "out")
    assert "my_own" in (tmp_path / "out" / "results.csv").read_text()
