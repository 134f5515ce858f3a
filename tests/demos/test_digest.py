import ast
from pathlib import Path

import pytest

from unweave import registry
from unweave.demos._digest import digest, parsed, used_modules


def test_it_is_of_code_and_seed() -> None:
    assert digest("vae") == digest("vae", 0) != digest("vae", 1)
    assert len({digest(name) for name in registry.names("demos")}) == len(registry.names("demos"))


def test_comments_and_docstrings_do_not_count(tmp_path: Path) -> None:
    bare, told = tmp_path / "bare.py", tmp_path / "told.py"
    bare.write_text("x = 1\ndef f():\n    return x\n")
    told.write_text('"""A module."""\nx = 1  # one\ndef f():\n    """It."""\n    return x\n')
    assert ast.dump(parsed(bare)) == ast.dump(parsed(told))


def test_methods_are_followed_by_import_and_by_name() -> None:
    imports = "from unweave.methods._vae import kl\nfrom unweave.demos._digest import digest\n"
    tree = ast.parse(f"{imports}name = 'encdiff'\n")
    assert {"unweave.methods._vae", "unweave.methods.encdiff"} <= set(used_modules(tree))
    assert "unweave.demos._digest" not in set(used_modules(tree))


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(LookupError, match="Did you mean 'vae'"):
        digest("vea")
