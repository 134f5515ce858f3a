import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr

from unweave.app.start_page import look_at, panel_updates
from unweave.app.trainings import Training


class Slow:
    """A training that does not end to save in time."""

    state: Any = "running"

    def look(self, name: str) -> Training:
        return Training(name, "a.zip", self.state, run=Path("runs/a"))

    def pause(self, name: str) -> None:
        self.state = "pausing"

    def wait(self, name: str) -> None:
        pass


def test_one_that_still_saves_is_not_looked_at() -> None:
    async def open_(run: str) -> str:
        raise AssertionError

    slow: Any = Slow()
    with pytest.raises(gr.Error, match="still saving"):
        asyncio.run(look_at(slow, "a", open_))


def test_one_of_another_process_can_be_ended_and_removed() -> None:
    updates = panel_updates(Training("a", "a.zip", "elsewhere"), ["a"])
    assert [each["visible"] for each in updates[3:]] == [True, False, True, False, True]
