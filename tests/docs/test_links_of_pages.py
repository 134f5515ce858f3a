"""What the build of the site would refuse, found without building it."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN = [
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "generated" not in path.parts),
    *sorted((ROOT / "benchmarks" / "records").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    near = [target for target in targets if "://" not in target and "generated/" not in target]
    assert [target for target in near if not (page.parent / target).is_file()] == []


def test_the_readme_fits_a_screen() -> None:
    text = (ROOT / "README.md").read_text()
    prose = re.sub(r"^```.*?^```|^[#!\[].*?$", "", text, flags=re.DOTALL | re.MULTILINE).strip()
    assert len(text.splitlines()) <= 20
    assert len(re.findall(r"!\[.*?\]\(\S+\.gif\)", text)) == 1
    assert len(re.findall(r"\.(?:\s|$)", prose)) == 3
    assert len(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].splitlines()) == 2
    assert len(re.findall(r"(?<!!)\[[^]]+\]\(docs/\S+\)", text)) == 4


def test_every_page_has_one_place_in_the_navigation() -> None:
    entries = Counter(
        (page.parent / re.sub(r".*<(.*)>", r"\1", line)).resolve()
        for page in WRITTEN
        for listed in re.findall(r"```\{toctree\}\n((?::.*\n)*)\n(.*?)```", page.read_text(), re.DOTALL)
        for line in listed[1].split("\n")
        if line and "*" not in line
    )
    pages = {path.with_suffix("") for path in WRITTEN if ROOT / "docs" in path.parents} - {ROOT / "docs" / "index"}
    assert [str(page) for page, count in entries.items() if count > 1] == []
    assert pages <= set(entries)


def test_every_record_is_listed() -> None:
    listed = re.findall(r"\]\(\.\./benchmarks/records/(\w+\.md)\)", (ROOT / "docs" / "records.md").read_text())
    assert sorted(listed) == sorted(path.name for path in (ROOT / "benchmarks" / "records").glob("*.md"))
