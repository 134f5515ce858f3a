"""Promises of the layout that no other test would notice."""

import ast
import json
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import unweave
from unweave.runs.run import Run
from unweave.runs.units import unit_names


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


HEAVY = {"torch", "diffusers", "accelerate", "numba", "sklearn"}
"""Packages that take seconds to load."""


def heavy_packages(*words: str) -> set[str]:
    """Those of HEAVY that this command has loaded when it is done."""
    code = (
        "import json, sys\nfrom unweave.cli.main import main\n"
        f"sys.argv = ['unweave', *{words!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"print()\nprint(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr
    *printed, loaded = done.stdout.splitlines()
    assert printed
    return set(json.loads(loaded))


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["list"],
        ["data", "list"],
        ["train", "--help"],
        ["edit", "--help"],
        ["evaluate", "--help"],
        ["demo"],
        ["demo", "--json"],
        ["demo", "--help"],
    ],
    ids=" ".join,
)
def test_help_and_lists_load_no_heavy_package(words: list[str]) -> None:
    assert heavy_packages(*words) == set()


def test_looking_at_a_run_loads_no_heavy_package(quick_run: Run) -> None:
    assert heavy_packages("info", str(quick_run.path)) == set()


def test_naming_a_unit_loads_no_heavy_package(quick_run: Run, tmp_path: Path) -> None:
    run_dir = str(shutil.copytree(quick_run.path, tmp_path / "run"))
    assert heavy_packages("name", run_dir, "3", "wall colour") == set()
    assert heavy_packages("name", run_dir) == set()
    assert unit_names(Run(run_dir)) == {"wall colour": "3"}


def test_listing_hiding_and_naming_factors_loads_no_heavy_package(factored_run: Run) -> None:
    for words in ([], ["hide", "f2"], ["name", "f1", "hue"]):
        assert heavy_packages("factors", str(factored_run.path), *words) == set()


def test_citing_a_run_loads_torch_alone(quick_run: Run) -> None:
    assert heavy_packages("cite", str(quick_run.path)) <= {"torch"}


def test_the_help_of_a_method_loads_torch_alone() -> None:
    assert heavy_packages("train", "encdiff", "--help") <= {"torch"}


def test_what_a_file_says_of_any_method_or_data_set_loads_torch_alone() -> None:
    done = fresh(
        "import sys\nfrom unweave import registry\nfrom unweave.data.dataset import find_dataset\n"
        "from unweave.method import find_method\n"
        "for name in registry.trainable_names(): find_method(name)\n"
        "for name in registry.names('data'): find_dataset(name)\n"
        f"loaded = {HEAVY!r} & sys.modules.keys()\nassert loaded <= {{'torch'}}, loaded"
    )
    assert done.returncode == 0, done.stderr


def test_help_answers_at_once() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert (
            fresh("import sys; sys.argv = ['unweave', '--help']; from unweave.cli.main import main; main()").returncode
            == 0
        )
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0  # 0.3 s on an idle machine; the bar is 0.5


def test_scoring_tables_needs_no_torch() -> None:
    done = fresh("import unweave, sys; unweave.evaluate_tables; unweave.read_tables; assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_every_type_has_a_name_of_its_own() -> None:
    modules = defaultdict(list)
    for path in sorted(Path(unweave.__file__).parent.rglob("*.py")):
        for name in type_names(ast.parse(path.read_text())):
            modules[name].append(path.name)
    assert {name: paths for name, paths in modules.items() if len(paths) > 1} == {}


def type_names(module: ast.Module) -> Iterator[str]:
    """Classes, and what a module assigns in CamelCase: aliases of types."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in module.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from (name for name in names if name[0].isupper() and not name.isupper())


def test_the_public_api_is_what_it_says() -> None:
    for name in unweave.__all__:
        assert callable(getattr(unweave, name))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        unweave.trian  # noqa: B018
