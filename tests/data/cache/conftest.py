"""Shared: a cache for each test, and a set to put into it."""

import os
import time
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """An .npz of 50 images with factors, written an hour ago."""
    path, rng = tmp_path / "noise.npz", np.random.default_rng(1)
    np.savez(path, images=rng.integers(0, 256, (50, 16, 16, 3), np.uint8), factors=rng.integers(0, 3, (50, 2)))
    os.utime(path, (time.time() - 3600,) * 2)
    return path
