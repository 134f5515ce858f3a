"""The child process: its crash is our error, its errors keep their type, what it prints is no answer."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.cache import cache, worker
from unweave.data.dataset import find_dataset

FOREIGN = '''
"""A set of another package whose reader may crash: 24 grey images, as bright as their number."""
import os, signal
from pathlib import Path
import numpy as np
from unweave.data.reading.image_source import ImageBlock, ImageSource
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.settings import DatasetSettings
from unweave.config import SettingsError

class ForeignSettings(DatasetSettings):
    name: str = "foreign"
    path: Path
    mood: str = ""

def files(settings):
    return [settings.path]

def source(settings):
    print("a library that prints to stdout", flush=True)
    os.write(1, b"and not through Python\\n")
    mood = settings.path.with_suffix(".mood").read_text()
    if mood == "settings":
        raise SettingsError("data.mood: no.")
    if mood == "missing":
        raise ImportError("reading foreign needs nothing")
    if mood == "key":
        raise KeyError("images")
    if mood == "arithmetic":
        raise ZeroDivisionError("division by zero")
    if mood == "denied":
        raise PermissionError(13, "Permission denied", "/a/file")
    def read(start, stop):
        if mood == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if mood == "exit":
            os._exit(3)
        if mood == "shape":
            return ImageBlock(np.zeros((stop - start, 9, 8, 1), np.uint8))
        if mood == "far":
            return ImageBlock(np.zeros((stop - start, 8, 8, 1), np.uint8), {99: "bad"})
        return ImageBlock(np.repeat(np.arange(start, stop, dtype=np.uint8), 64).reshape(-1, 8, 8, 1))
    return ImageSource("foreign", Card("t", "s", "l"), (1, 8, 8), 24, read)

DATASET = DatasetDefinition(ForeignSettings, lambda settings: None, files=files, source=source, child_process_only=True)
'''


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """Opens the set of another package in this mood."""
    site = tmp_path / "site"
    (site / "foreign-1.dist-info").mkdir(parents=True)
    (site / "foreign-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    (site / "foreign-1.dist-info" / "entry_points.txt").write_text("[unweave.data]\nforeign = unweave_foreign\n")
    (site / "unweave_foreign.py").write_text(FOREIGN)
    (tmp_path / "file.bin").write_bytes(b"x")
    monkeypatch.syspath_prepend(str(site))
    sys.modules.pop("unweave_foreign", None)

    def build(mood):
        (tmp_path / "file.mood").write_text(mood)
        settings = find_dataset("foreign").settings(path=tmp_path / "file.bin")
        return cache.open_cached("foreign", settings)

    return build


def test_a_crash_of_the_reader_is_our_error_and_leaves_nothing_behind(foreign):
    with pytest.raises(ValueError, match=r"process that read foreign was ended by SIGSEGV \(chunk 0\).*get it again"):
        foreign("crash")
    dataset = foreign("")  # no lock is held
    assert dataset.images(np.arange(24))[:, 0, 0, 0].tolist() == list(range(24))


@pytest.mark.parametrize(
    ("mood", "kind", "text"),
    [
        ("settings", SettingsError, r"^data\.mood: no\.$"),
        ("missing", ImportError, "reading foreign needs nothing"),
        ("key", ValueError, "foreign cannot be read: KeyError: 'images'"),
        ("arithmetic", ValueError, "foreign cannot be read: ZeroDivisionError: division by zero"),
        ("denied", PermissionError, "Permission denied: '/a/file': change its permissions"),
        ("exit", ValueError, r"stopped with exit status 3 \(chunk 0\)"),
        ("shape", ValueError, r"rows 0..23 of foreign are uint8 \[24, 9, 8, 1\]"),
        ("far", ValueError, "row 99 is called bad"),
    ],
)
def test_errors_of_a_child_keep_their_type(foreign, mood, kind, text):
    with pytest.raises(kind, match=text) as error:
        foreign(mood)
    assert type(error.value) in (kind, worker.CrashedError)
    names = [folder.name for folder in (cache.root() / "sets").glob("*")]
    assert names == []  # nothing was converted


def test_children_are_gone_afterwards(foreign, monkeypatch):
    children, popen = [], subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda *arguments, **keywords: children.append(popen(*arguments, **keywords)) or children[-1],
    )
    for mood in ("", "crash", "settings"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UNWEAVE_CACHE", str(cache.root() / mood))
            try:
                foreign(mood)
            except ValueError:
                continue
    assert len(children) == 3
    for child in children:
        assert child.poll() is not None
        assert child.stdin.closed
        assert child.stdout.closed


def test_a_module_in_the_current_folder_does_not_replace_one_of_python(foreign, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError")
    (tmp_path / "queue.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    assert len(foreign("")) == 24


def test_a_child_that_hangs_is_ended(tmp_path, monkeypatch):
    code = "import sys, time\nsys.stdin.readline()\nprint('{}', flush=True)\ntime.sleep(60)"
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **keywords: popen([sys.executable, "-c", code], **keywords))
    process = worker.Worker("a", {}, tmp_path, prepare=False)
    process.open()
    process.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert process.child.returncode == -9


# several converters


def test_every_chunk_is_converted_once_whoever_does_it():
    barrier = threading.Barrier(3)
    seen = [set(), set(), set()]

    def converter(i):
        def convert(chunk):
            if not seen[i]:
                barrier.wait(5)  # all three are at work at once
            seen[i].add(chunk)
            return {"chunk": chunk}

        return convert

    records = list(worker.convert_chunks([converter(i) for i in range(3)], list(range(5, 50))))
    assert sorted(record["chunk"] for record in records) == list(range(5, 50))
    assert all(seen)
    assert sum(map(len, seen)) == 45


def test_the_first_error_ends_it():
    def good(chunk):
        time.sleep(0.001)
        return {"chunk": chunk}

    def bad(chunk):
        raise ValueError(f"chunk {chunk}")

    with pytest.raises(ValueError, match="chunk"):
        list(worker.convert_chunks([good, bad, bad], list(range(1000))))
    assert list(worker.convert_chunks([good], [])) == []
