"""Shared: a quick EncDiff, a run made once, and one thread so that tests do not fight over cores."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import unweave
from unweave.run import Run

torch.set_num_threads(1)

QUICK = {
    "units": 4,
    "encoder_width": 16,
    "channels": (16, 16),
    "attention": (True, False),
    "encoder_halvings": 4,
    "heads": 2,
    "groups": 4,
    "token": 8,
}
"""An EncDiff small enough for a test."""


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of data sets for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny run on sprites, trained once for all tests; treat it as read-only but for new pictures."""
    return unweave.train(
        "encdiff",
        data={"name": "sprites", "size": 16},
        method=QUICK,
        training={"images": 192, "batch": 32, "precision": "float32", "save": 96, "preview": 192, "warmup": 32},
        run=tmp_path_factory.mktemp("runs") / "quick",
    )


def shared(*parts: str) -> Path:
    """A file of the shared material beside the checkout; the test is skipped where it is absent."""
    path = Path(__file__).resolve().parents[2].joinpath("shared", *parts)
    if not path.exists():
        pytest.skip(f"there is no {'/'.join(('shared', *parts))} beside the checkout")
    return path
