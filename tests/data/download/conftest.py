"""Shared: a web server, and downloads that do not wait long."""

from collections.abc import Iterator

import pytest
from tests.data.download.server import Site, served

from unweave.data.download.transfer import Patience


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on loopback, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with served() as running:
        yield running


@pytest.fixture
def patience() -> Patience:
    return Patience(timeout=0.2, pauses=(0.001, 0.002, 0.004))
