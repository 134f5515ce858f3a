"""The command `unweave app` in a process of its own, and a real browser."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def app_in(folder: Path, *words: str, **environment: str) -> Iterator[str]:
    """`unweave app` in a folder; its address."""
    with (folder / "stderr.txt").open("w") as stderr:
        command = [sys.executable, "-m", "unweave", "app", *words]
        variables = os.environ | {"OMP_NUM_THREADS": "1"} | environment
        server = subprocess.Popen(command, cwd=folder, stderr=stderr, env=variables)
    try:
        while not (address := re.search(r"^open (\S+)$", (folder / "stderr.txt").read_text(), re.MULTILINE)):
            assert server.poll() is None, (folder / "stderr.txt").read_text()
            time.sleep(0.1)
        yield address[1]
    finally:
        server.terminate()
        server.wait()


@contextmanager
def open_browser() -> Iterator[Any]:
    """A browser without a window."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if chromium is None:
        pytest.skip("there is no chromium here (Debian: apt install chromium)")
    with api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield instance
        instance.close()


@pytest.fixture
def browser() -> Iterator[Any]:
    with open_browser() as instance:
        yield instance
