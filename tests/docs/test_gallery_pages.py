import json
from pathlib import Path

import gallery_pages
import pytest
from PIL import Image

from unweave import registry
from unweave.demos._digest import digest

RECORD = {
    "measured": {"score": 0.75}, "control": {"score": 0.25}, "beside": {}, "holds": True, "seed": 0, "seconds": 12.0,
}  # fmt: skip


def store(folder: Path, name: str, of: str) -> None:
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    (folder / f"{name}.json").write_text(json.dumps({**RECORD, "digest": of}))


def test_a_page_has_figure_claim_control_and_notebook(tmp_path: Path) -> None:
    store(tmp_path / "full", "vae", digest("vae"))
    gallery_pages.write(tmp_path / "out", tmp_path / "full", run=False)
    page = (tmp_path / "out" / "vae.md").read_text()
    assert "![What vae shows](vae.png)" in page
    assert "the claim holds; 12 s" in page
    assert "| score | 0.75 | 0.25 |" in page
    assert "**Control:** the same network" in page
    assert json.loads((tmp_path / "out" / "vae.ipynb").read_text())["nbformat"] == 4
    assert "`unweave demo encdiff` draws it" in (tmp_path / "out" / "encdiff.md").read_text()
    assert all((tmp_path / "out" / f"{name}.md").is_file() for name in registry.names("demos"))


def test_a_stale_figure_is_an_error(tmp_path: Path) -> None:
    store(tmp_path / "full", "vae", "0" * 16)
    with pytest.raises(SystemExit, match="vae"):
        gallery_pages.write(tmp_path / "out", tmp_path / "full", run=False)
