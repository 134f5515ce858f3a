"""Promises of the layout that no other test would notice."""

import ast
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import unweave


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [["--help"], ["list"], ["train", "--help"], ["edit", "--help"], ["evaluate", "--help"], ["--version"]],
    ids=" ".join,
)
def test_help_and_list_do_not_import_torch(words: list[str]) -> None:
    code = (
        "import sys\nfrom unweave.cli.main import main\n"
        f"sys.argv = ['unweave', *{words!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout


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
