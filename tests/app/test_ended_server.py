"""The server of a studio ends while the training that it started is being saved."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.app.conftest import app_in
from tests.app.visitor import Visitor

pytest.importorskip("gradio")

from unweave.runs import checkpoint

pytestmark = pytest.mark.long


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_what_it_saves_is_whole_and_the_next_one_offers_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for row, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{row}.png")
    command = [sys.executable, "-m", "unweave", "app"]
    with (
        subprocess.Popen(
            command,
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # under nohup it would ignore SIGHUP
        ) as server,
        ended(server),
    ):
        assert server.stderr is not None
        visitor = Visitor(next(line for line in server.stderr if line.startswith("open ")).split()[1].rstrip("/"))
        learn = next(each["id"] for each in visitor.functions if each["api_name"] == "learn_from")
        assert visitor.ask(learn, ["photos", []])["success"]
        saving = wait_for_saving(tmp_path, 180)
        server.send_signal(number)
        assert server.wait(90) == 128 + number
    assert saving
    (folder,) = tmp_path.glob("runs/*/checkpoints")
    assert checkpoint.newest(folder, pytest.fail) is not None
    assert not list(folder.glob("damaged-*"))
    with app_in(tmp_path) as address:
        page = Visitor(address.rstrip("/"))
        first = next(each["id"] for each in page.functions if each["api_name"] == "first")
        shown = str(page.ask(first, [])["output"]["data"])
        assert re.search("Paused: photos", shown)
        assert "Go on here, or with" in shown


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """After the `with` the process is gone, whatever happened."""
    try:
        yield
    finally:
        process.kill()


def wait_for_saving(folder: Path, seconds: float) -> bool:
    """Whether a checkpoint was being written, just now."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if any(folder.glob("runs/*/checkpoints/.*.partial")):
            return True
        time.sleep(0.002)
    return False
