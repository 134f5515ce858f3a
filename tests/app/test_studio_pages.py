"""Which page a run has in the studio, without a browser."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

from unweave.app import studio as module
from unweave.app.studio import OpenPage, Studio, slug_of
from unweave.runs.naming import name_unit
from unweave.runs.run import Run


def test_other_runs_have_other_addresses() -> None:
    assert slug_of("runs/a b") != slug_of("runs/a-b")
    assert slug_of("a-and-b", "c") != slug_of("a", "b-and-c")
    assert slug_of("runs/a") == slug_of("runs/a")
    assert slug_of(Path("runs/a").resolve()).rpartition("-")[2] == slug_of("runs/a").rpartition("-")[2]


def test_a_page_that_is_open_stays_until_the_run_is_another(factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    studio, built = Studio(tempfile.TemporaryDirectory()), []

    def build(self: Studio, run: str) -> tuple[Any, str]:
        built.append(run)
        return None, slug_of(factored_run.path)

    async def show(self: Studio, slug: str, blocks: Any, stamp: object) -> None:
        self.pages[slug] = OpenPage(blocks, None, None, stamp)  # type: ignore[arg-type]

    monkeypatch.setattr(module.Studio, "build", build)
    monkeypatch.setattr(module.Studio, "show", show)
    run = str(factored_run.path)
    assert asyncio.run(studio.open(run)) == asyncio.run(studio.open(run))
    name_unit(factored_run, "f1", "wall")
    asyncio.run(studio.open(run))
    assert len(built) == 1
    asyncio.run(studio.reopen(run))
    (factored_run.path / "run.json").touch()
    asyncio.run(studio.open(run))
    assert len(built) == 3
