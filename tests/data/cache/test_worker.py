"""The child process: its crash is our error, its errors keep their type, what it prints is no answer."""

import sys
import time

import numpy as np
import psutil
import pytest
from joblib.externals.loky import get_reusable_executor

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


def readers() -> list[psutil.Process]:
    """The children that read: loky keeps one more, which frees what they leave."""
    return [child for child in psutil.Process().children() if "popen_loky" in " ".join(child.cmdline())]


@pytest.fixture(autouse=True)
def _no_children_of_others() -> None:
    """scikit-learn's are kept for its next call."""
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def test_children_are_gone_afterwards(foreign):
    for mood in ("", "crash", "settings"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UNWEAVE_CACHE", str(cache.root() / mood))
            try:
                foreign(mood)
            except ValueError:
                continue
    assert readers() == []


def test_a_module_in_the_current_folder_does_not_replace_one_of_python(foreign, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError")
    (tmp_path / "queue.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    assert len(foreign("")) == 24


@pytest.mark.slow
def test_a_child_that_holds_much_is_kept():
    hold = "globals().setdefault('held', b'x' * (400 << 20)) and __import__('os').getpid()"
    processes = set()
    with worker.children(1) as pool:
        for pause in (0.0, 1.2, 1.2):  # loky looks once a second
            time.sleep(pause)
            processes.add(pool.submit(eval, hold).result())
    assert len(processes) == 1


def interrupted_while_a_child_sleeps():
    with worker.children(1) as pool:
        pool.submit(time.sleep, 60)
        time.sleep(0.5)
        assert len(readers()) == 1
        raise KeyboardInterrupt


def test_a_child_that_hangs_is_ended():
    with pytest.raises(KeyboardInterrupt):
        interrupted_while_a_child_sleeps()
    assert readers() == []
