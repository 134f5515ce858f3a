import os
import platform
import subprocess
import sys

import pytest

from unweave.training import malloc

STEPS = """
import resource
import torch
from unweave.training import malloc
{first}
def step():
    return torch.ones(12 << 20).add(1).sum()  # 48 MiB, twice
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def faults(first: str, **environment: str) -> int:
    """Page faults of twenty steps that each make and free 96 MiB."""
    plain = {name: value for name, value in os.environ.items() if "MALLOC" not in name and "GLIBC" not in name}
    found = subprocess.run(
        [sys.executable, "-c", STEPS.format(first=first)], capture_output=True, text=True, env=plain | environment
    )
    assert found.returncode == 0, found.stderr
    return int(found.stdout.split()[-1])


@glibc
def test_kept_memory_is_not_asked_for_again() -> None:
    kept, plain = faults("assert malloc.keep()"), faults("")
    assert kept < 0.5 * plain


@glibc
def test_what_is_free_can_be_given_back() -> None:
    held = "import psutil\nrss = lambda: psutil.Process().memory_info().rss\nassert malloc.keep()\n"
    spent = "big = [torch.ones(1 << 22) for _ in range(16)]\ndel big\n"  # 256 MiB
    asked = "before = rss()\nmalloc.give_back()\nassert before - rss() > 200 * 2**20, (before, rss())\n"
    assert faults(held + spent + asked) >= 0


@glibc
def test_what_the_user_asked_of_glibc_stays() -> None:
    assert faults("assert not malloc.keep()", MALLOC_TRIM_THRESHOLD_="131072") > 0


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malloc, "_glibc", lambda: None)
    assert malloc.keep.__wrapped__() is False
    malloc.give_back()


def test_an_old_glibc_maps_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Old:
        def mallopt(self, what: int, value: int) -> int:
            asked.append((what, value))
            return int(what != malloc.MAPPED or value <= 2**25)

    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(malloc, "_glibc", Old)
    assert malloc.keep.__wrapped__() is True
    assert asked == [(malloc.MAPPED, 2**30), (malloc.MOST_MAPPED, 0), (malloc.TRIM, 2**31 - 1)]
