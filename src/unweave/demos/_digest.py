"""What a demonstration's numbers depend on, as one digest, so that a stored figure can be told to be stale."""

import ast
import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from unweave import registry

PACKAGES = ("unweave.demos", "unweave.methods")
"""Where modules are followed: demonstrations with what they share, and methods."""
LEFT_OUT = ("unweave.demos._demonstration", "unweave.demos._digest")
"""The contract, which computes nothing."""


def digest(name: str, seed: int = 0) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a demonstration's code and seed.

    Its code is that of its file and of every module of demos/ and methods/ that it imports or names, and of theirs;
    comments and docstrings do not count. Networks, metrics and the training loop are not followed. Raises LookupError
    with the nearest name.
    """
    trees = {name: parsed(registry.source_file("demos", name))}
    waiting = list(used_modules(trees[name]))
    while waiting:
        module = waiting.pop()
        if module not in trees and (path := module_file(module)) is not None:
            trees[module] = parsed(path)
            waiting += used_modules(trees[module])
    code = "\n".join(f"{module} {ast.dump(tree)}" for module, tree in sorted(trees.items()))
    return hashlib.sha256(f"{seed}\n{code}".encode()).hexdigest()[:16]


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return tree


def used_modules(tree: ast.Module) -> Iterator[str]:
    """Modules of `PACKAGES` that are imported, and methods that are named by a word."""
    methods = set(registry.names("methods"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (name for name in names if name.rpartition(".")[0] in PACKAGES and name not in LEFT_OUT)
        elif isinstance(node, ast.Constant) and node.value in methods:
            yield f"unweave.methods.{node.value}"


def module_file(module: str) -> Path | None:
    """The file of a dotted name; None where it is no module."""
    spec = find_spec(module)
    return Path(spec.origin) if spec is not None and spec.origin is not None else None
