"""What is in the wheel, and what is said of it."""

import re
import subprocess
import tomllib
from pathlib import Path

import unweave

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_file_of_the_package_that_is_no_module_is_package_data() -> None:
    package = ROOT / "src" / "unweave"
    listed = subprocess.run(["git", "ls-files", "."], cwd=package, capture_output=True, text=True, check=True)
    others = {package / name for name in listed.stdout.splitlines() if not name.endswith(".py")}
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["unweave"]
    assert others
    assert others <= {path for pattern in patterns for path in package.glob(pattern)}


def test_version_and_licence_are_the_same_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    project = PROJECT["project"]
    assert project["version"] == unweave.__version__
    assert f"version: {unweave.__version__}\n" in citation
    assert f"license: {project['license']}\n" in citation
    assert (ROOT / "LICENSE").read_text().strip().startswith("Apache License")
    assert "Typing :: Typed" in project["classifiers"]
    assert (ROOT / "src" / "unweave" / "py.typed").is_file()


def test_extras_that_pages_name_are_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    extras = set(re.findall(r"pip install '(?:unweave|\.)\[(\w+)\]'", text))
    assert {"app", "science"} <= extras <= set(PROJECT["project"]["optional-dependencies"])


def test_what_pages_make_is_made_by_continuous_integration() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)(?:`|$| )", text, re.MULTILINE))
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    made = set(re.findall(r"make ([a-z-]+)", workflow))
    assert named <= made | {"check", "format", "papers"}  # `test` begins with check; format is check, mended
