import hashlib
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import urllib.request
import zipfile
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from tests.data.download.server import Answer

from unweave import progress
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download import transfer
from unweave.data.download.download import NotFetchedError, download_file, download_set
from unweave.data.download.published_files import RemoteFile
from unweave.data.download.transfer import Patience
from unweave.data.settings import DatasetSettings
from unweave.progress import Progress, Task

DATA = np.random.default_rng(0).bytes(100_000)
OTHER_DATA = np.random.default_rng(1).bytes(100_000)
SHA = hashlib.sha256(DATA).hexdigest()
PAGE = "https://example.org/set"


def a_file(*urls, sha256=SHA, name="a.npz", **fields):
    return RemoteFile(name, urls, PAGE, sha256=sha256, **fields)


def file_names(folder):
    """Names of what is in the folder, but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".downloading.lock")


def read_record(folder, name="a.npz"):
    return json.loads((folder / "digests.json").read_text())[name]


class CallingProgress(Progress):
    """Progress that calls a function with the name of a task, what is done and the total."""

    def __init__(self, update):
        self.update = update

    @contextmanager
    def task(self, name, total, unit, done):
        task = Task()
        task.update = lambda done, note="", total=None: self.update(name, done, total)
        yield task


def interrupted(after):
    """For the time of a `with`: somebody presses Ctrl-C when so many bytes have come."""

    def update(name, done, total):
        if name.startswith("fetching") and done >= after:
            raise KeyboardInterrupt

    return progress.use(CallingProgress(update))


def test_a_file_arrives_whole_and_is_recorded(site, tmp_path, patience):
    updates = []
    url = site.serve("/a", Answer(DATA))
    with progress.use(CallingProgress(lambda *update: updates.append(update))):
        path = download_file(a_file(url, bytes=len(DATA)), tmp_path / "new" / "set", patience)
    assert path.read_bytes() == DATA
    assert file_names(path.parent) == ["a.npz", "digests.json"]
    entry = read_record(path.parent)
    assert (entry["url"], entry["sha256"], entry["bytes"], entry["date"][:2]) == (url, SHA, len(DATA), "20")
    assert updates[-1] == ("fetching a.npz", len(DATA), len(DATA))


def test_a_file_that_is_there_is_checked_and_not_fetched(site, tmp_path, patience):
    remote = a_file(site.serve("/a", Answer(DATA)))
    download_file(remote, tmp_path, patience)
    download_file(remote, tmp_path, patience)
    assert len(site.requests) == 1
    (tmp_path / "a.npz").write_bytes(OTHER_DATA)
    with pytest.raises(NotFetchedError, match=rf"a\.npz is there, but its sha256 is [0-9a-f]+, expected {SHA}\. Move"):
        download_file(remote, tmp_path, patience)
    assert (tmp_path / "a.npz").read_bytes() == OTHER_DATA
    assert len(site.requests) == 1


def test_a_read_only_folder_with_the_file_is_enough(site, tmp_path, patience):
    remote = a_file(site.serve("/a", Answer(DATA)))
    (tmp_path / "a.npz").write_bytes(DATA)
    tmp_path.chmod(0o500)
    try:
        assert download_file(remote, tmp_path, patience).exists()
    finally:
        tmp_path.chmod(0o700)
    assert file_names(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("validator", [{"etag": '"1"'}, {"modified": "Sun, 01 Nov 2026 10:00:00 GMT"}, {}])
def test_a_dropped_connection_goes_on_where_it_was(site, tmp_path, patience, validator):
    url = site.serve(
        "/a", Answer(DATA, drop=30_000, **validator), Answer(DATA, drop=50_000, **validator), Answer(DATA, **validator)
    )
    path = download_file(a_file(url), tmp_path, patience)
    assert path.read_bytes() == DATA
    assert site.ranges("/a") == [None, "bytes=30000-", "bytes=80000-"]


def test_a_file_without_validator_and_sha256_begins_again(site, tmp_path, patience):
    url = site.serve("/a", Answer(DATA, drop=30_000), Answer(DATA))
    assert download_file(a_file(url, sha256=None), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None, None]


def test_drops_are_bounded_and_what_came_stays(site, tmp_path, patience, caplog):
    url = site.serve("/a", Answer(DATA, drop=10_000, etag='"1"'))
    with pytest.raises(NotFetchedError, match="after 40,000 of 100,000 bytes, in the last of 4 tries"):
        download_file(a_file(url), tmp_path, patience)
    assert (tmp_path / "a.npz.part").read_bytes() == DATA[:40_000]
    waits = [line.split("goes on in ")[1] for line in caplog.messages if "goes on in" in line]
    assert waits == ["0.001 s", "0.002 s", "0.004 s"]
    site.serve("/a", Answer(DATA, etag='"1"'))
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a")[-1] == "bytes=40000-"


def test_much_progress_brings_new_patience(site, tmp_path, patience, monkeypatch):
    monkeypatch.setattr(transfer, "GOOD_PROGRESS", 5_000)
    url = site.serve("/a", Answer(DATA, drop=10_000, etag='"1"'))
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert len(site.requests) == 10


def test_an_interrupt_keeps_what_came(site, tmp_path, patience, caplog):
    url = site.serve("/a", Answer(DATA, etag='"1"'))
    with pytest.raises(KeyboardInterrupt), interrupted(after=20_000):
        download_file(a_file(url), tmp_path, patience)
    size = (tmp_path / "a.npz.part").stat().st_size
    assert 20_000 <= size < len(DATA)
    assert "the next call goes on" in caplog.text
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None, f"bytes={size}-"]


def test_a_part_that_is_whole_needs_no_request(site, tmp_path, patience):
    url = site.serve("/a", Answer(DATA, etag='"1"'))
    with pytest.raises(KeyboardInterrupt), interrupted(after=len(DATA)):
        download_file(a_file(url), tmp_path, patience)
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert len(site.requests) == 1


@pytest.mark.parametrize("note", ["", "{}", "[1]", None])
def test_a_part_of_unknown_origin_begins_again(site, tmp_path, patience, note):
    (tmp_path / "a.npz.part").write_bytes(OTHER_DATA[:5000])
    if note is not None:
        (tmp_path / "a.npz.part.json").write_text(note)
    assert download_file(a_file(site.serve("/a", Answer(DATA))), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None]


@pytest.mark.parametrize(
    "second",
    [
        Answer(DATA, etag='"2"'),  # the server says that it is another file
        Answer(DATA, etag='"2"', if_range=False),  # gives the rest of another file all the same
        Answer(DATA, etag='"1"', ranges=False),
        Answer(DATA[:20_000], etag='"1"'),  # shorter than the part
        Answer(DATA + b"options", etag='"1"'),  # of another length
    ],
)
def test_a_changed_file_or_a_server_without_ranges_begins_again(site, tmp_path, patience, second):
    url = site.serve("/a", Answer(OTHER_DATA, etag='"1"', drop=30_000), second)
    path = download_file(a_file(url, sha256=None), tmp_path, patience)
    assert path.read_bytes() == second.data


def test_pieces_that_do_not_fit_are_fetched_from_the_beginning(site, tmp_path, patience, caplog):
    url = site.serve("/a", Answer(OTHER_DATA, drop=30_000), Answer(DATA))  # changed in between, and nothing says so
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None, "bytes=30000-", None]
    assert "do not fit together" in caplog.text


def test_another_mirror_goes_on_where_the_first_stopped(site, tmp_path, patience):
    first, second = site.serve("/a", Answer(DATA, drop=30_000), Answer(status=404)), site.serve("/b", Answer(DATA))
    assert download_file(a_file(first, second), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/b") == ["bytes=30000-"]


def test_every_mirror_is_tried_and_named(site, tmp_path, patience):
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
    urls = {
        site.serve("/401", Answer(status=401)): r"refused \(401\): the site wants a login, or the link is dead",
        site.serve(
            "/403", Answer(b"<html>", status=403)
        ): r"refused \(403\): the site wants a login, or the link is dead",
        site.serve("/404", Answer(status=404)): r"not there any more \(404\)",
        site.serve("/500", Answer(status=500)): r"cannot give it now \(500\)",
        site.serve("/kind", Answer(b"Please log in", kind="text/html; charset=utf-8")): "web page and not the file",
        site.serve("/page", Answer(b"\n<!DOCTYPE html><p>x", kind=None)): "web page and not the file",
        site.serve(
            "/wrong", Answer(OTHER_DATA)
        ): f"its sha256 is [0-9a-f]+, expected {SHA}; what came is in .*a.npz.wrong",
        site.serve("/short", Answer(DATA[:-1])): "it has 99,999 bytes, expected 100,000",
        site.serve("/long", Answer(DATA + b"x", length=False)): "more than the 100,000 bytes",
        site.serve("/hang", Answer(hang=-1)): "the server is silent",
        site.serve("/stall", Answer(DATA, hang=0)): "the server is silent after 0 bytes, in the last of 2 tries",
        site.serve("/packed", Answer(DATA, headers={"Content-Encoding": "gzip"})): "packed as 'gzip'",
        closed: "the connection failed",
        "http://nowhere.invalid/": "its name is not known|the connection failed",
        "file:///etc/passwd": r"no http\(s\) address",
        "ftp://127.0.0.1/a": r"no http\(s\) address",
        "http://[bad": "no address",
    }
    folder = tmp_path / "set"
    with pytest.raises(NotFetchedError) as error:
        download_file(a_file(*urls, bytes=len(DATA)), folder, Patience(timeout=0.1, pauses=(0.001,)))
    lines = str(error.value).splitlines()
    assert lines[0] == "a.npz cannot be fetched from any address:"
    for line, (url, reason) in zip(lines[1:], urls.items()):
        assert line.startswith(f"  {url}: ")
        assert re.search(reason, line), line
    assert lines[-2:] == [f"  Get it from {PAGE}", f"  and put it here: {folder / 'a.npz'}"]
    assert (folder / "a.npz.wrong").read_bytes() == OTHER_DATA
    assert "a.npz" not in file_names(folder)


def test_the_next_mirror_helps(site, tmp_path, patience):
    bad = [site.serve(f"/{status}", Answer(status=status)) for status in (403, 404, 503)]
    path = download_file(
        a_file(*bad, site.serve("/wrong", Answer(OTHER_DATA)), site.serve("/a", Answer(DATA))), tmp_path, patience
    )
    assert path.read_bytes() == DATA
    assert len(site.requests) == 5
    assert read_record(tmp_path)["url"].endswith("/a")


def test_a_server_that_fails_in_between_is_given_time(site, tmp_path, patience):
    url = site.serve(
        "/a", Answer(DATA, drop=9_000, etag='"1"'), Answer(status=503), Answer(hang=-1), Answer(DATA, etag='"1"')
    )
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None] + ["bytes=9000-"] * 3


def test_a_stalled_server_is_a_failed_try(site, tmp_path):
    url = site.serve("/a", Answer(DATA, hang=7_000, etag='"1"'), Answer(DATA, etag='"1"'))
    path = download_file(a_file(url), tmp_path, Patience(timeout=0.1, pauses=(0.001,)))
    assert path.read_bytes() == DATA
    assert site.ranges("/a") == [None, "bytes=7000-"]


def test_a_slow_server_is_waited_for(site, tmp_path):
    url = site.serve("/a", Answer(DATA[:8_000], pause=0.02))
    path = download_file(a_file(url, sha256=None), tmp_path, Patience(timeout=0.1, pauses=()))
    assert path.stat().st_size == 8_000


@pytest.mark.parametrize("options", [{"length": False}, {"chunked": True}, {"headers": {"Content-Length": "?"}}])
def test_a_file_of_unknown_length(site, tmp_path, patience, options):
    path = download_file(a_file(site.serve("/a", Answer(DATA, **options))), tmp_path, patience)
    assert path.read_bytes() == DATA


def test_a_drop_in_a_chunked_answer_is_noticed(site, tmp_path, patience):
    url = site.serve("/a", Answer(DATA, chunked=True, drop=12_000, etag='"1"'), Answer(DATA, etag='"1"'))
    assert download_file(a_file(url, sha256=None), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None, "bytes=12000-"]


def test_an_empty_file_is_a_file(site, tmp_path, patience):
    assert download_file(a_file(site.serve("/a", Answer(b"")), sha256=None), tmp_path, patience).read_bytes() == b""


def test_a_web_page_may_be_the_file(site, tmp_path, patience):
    remote = a_file(site.serve("/a", Answer(b"<html>", kind="text/html")), sha256=None, name="a.html")
    assert download_file(remote, tmp_path, patience).read_bytes() == b"<html>"


def test_redirects_lead_to_web_addresses_only(site, tmp_path, patience):
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    urls = [
        site.serve("/file", Answer(status=302, location=secret.as_uri())),
        site.serve("/ftp", Answer(status=301, location="ftp://127.0.0.1/a")),
        site.serve("/data", Answer(status=307, location="data:,x")),
        site.serve("/round", Answer(status=302, location="/round")),
    ]
    with pytest.raises(NotFetchedError) as error:
        download_file(a_file(*urls), tmp_path / "set", patience)
    lines = str(error.value).splitlines()[1:5]
    assert [line.endswith("which is no http(s) address") for line in lines] == [True] * 3 + [False]
    assert lines[3].endswith("it redirects more than 10 times")
    site.serve("/a b é", Answer(DATA))
    site.answers["/a%20b%C3%A9"] = [Answer(DATA)]
    good = site.serve("/good", Answer(status=308, location="next"))
    site.serve("/next", Answer(status=303, location=f"{site.address}/a bé"))
    assert download_file(a_file(good), tmp_path / "set", patience).read_bytes() == DATA


def test_nobody_on_the_way_is_let_in(monkeypatch, tmp_path, patience):
    moved = SimpleNamespace(status=302, headers={"Location": "http://mirror.example/a"}, close=lambda: None)
    asked = []
    monkeypatch.setattr(
        urllib.request.OpenerDirector, "open", lambda _, request, **__: asked.append(request.full_url) or moved
    )
    with pytest.raises(NotFetchedError, match=r"leads from https to http://mirror\.example/a"):
        download_file(a_file("https://site.example/a"), tmp_path / "set", patience)
    assert asked == ["https://site.example/a"]


def test_an_unknown_sha256_is_recorded_and_compared_from_then_on(site, tmp_path, patience, caplog):
    remote = a_file(site.serve("/a", Answer(DATA)), sha256=None)
    with caplog.at_level(logging.INFO, "unweave"):
        path = download_file(remote, tmp_path, patience)
    assert "no sha256 of a.npz was published: this one is recorded" in caplog.text
    assert "is not verified" in caplog.text
    assert read_record(tmp_path)["sha256"] == SHA
    path.write_bytes(OTHER_DATA)
    with pytest.raises(NotFetchedError, match=r"that of the first download \(digests.json\)"):
        download_file(remote, tmp_path, patience)
    path.unlink()
    site.serve("/a", Answer(OTHER_DATA))
    with pytest.raises(NotFetchedError, match=f"expected {SHA}, that of the first download"):
        download_file(remote, tmp_path, patience)
    site.serve("/a", Answer(DATA))
    assert download_file(remote, tmp_path, patience).read_bytes() == DATA


def test_a_file_put_there_by_hand_is_taken_and_recorded(tmp_path, patience):
    remote = RemoteFile("a.npz", (), PAGE, login="ask the authors by mail")
    with pytest.raises(NotFetchedError) as error:
        download_file(remote, tmp_path, patience)
    assert str(error.value).splitlines() == [
        "a.npz cannot be fetched without a person.",
        f"  Get it from {PAGE} (ask the authors by mail)",
        f"  and put it here: {tmp_path / 'a.npz'}",
    ]
    (tmp_path / "a.npz").write_bytes(DATA)
    assert download_file(remote, tmp_path, patience) == tmp_path / "a.npz"
    assert read_record(tmp_path)["sha256"] == SHA
    with pytest.raises(NotFetchedError, match="is there, but it has 100,000 bytes, expected 5"):
        download_file(remote._replace(bytes=5), tmp_path, patience)


def test_a_file_in_a_folder_of_the_set(site, tmp_path, patience):
    remote = RemoteFile("b.lmdb/data.mdb", (), PAGE)
    with pytest.raises(NotFetchedError, match=r"b\.lmdb/data\.mdb"):
        download_file(remote, tmp_path, patience)
    assert list(tmp_path.iterdir()) == []  # an empty b.lmdb would look like the set
    path = download_file(a_file(site.serve("/a", Answer(DATA)), name="b.lmdb/data.mdb"), tmp_path, patience)
    assert path == tmp_path / "b.lmdb" / "data.mdb"
    assert file_names(tmp_path) == ["b.lmdb", "digests.json"]
    assert file_names(path.parent) == ["data.mdb"]
    assert read_record(tmp_path, "b.lmdb/data.mdb")["sha256"] == SHA


def test_a_set_that_is_a_folder_is_there_or_not(tmp_path, patience):
    with pytest.raises(NotFetchedError, match="cannot be fetched without a person"):
        download_file(RemoteFile("npy", (), PAGE), tmp_path, patience)
    (tmp_path / "npy").mkdir()
    assert download_file(RemoteFile("npy", (), PAGE), tmp_path, patience) == tmp_path / "npy"


def test_damaged_records_are_explained(tmp_path, patience):
    (tmp_path / "digests.json").write_text('{"a.npz": ')
    with pytest.raises(ValueError, match=r"digests\.json is damaged: delete it"):
        download_file(RemoteFile("a.npz", (), PAGE), tmp_path, patience)


def test_a_full_disk_is_noticed_before_and_meanwhile(site, tmp_path, patience, monkeypatch):
    free = [70_000_000, 67_200_000]
    monkeypatch.setattr(
        "shutil.disk_usage", lambda folder: SimpleNamespace(free=free[0] if len(free) < 2 else free.pop(0))
    )
    monkeypatch.setattr("unweave.data.download.transfer.SPACE_CHECK_BYTES", 1_000)
    url = site.serve("/a", Answer(DATA, length=False, pause=0.001))
    monkeypatch.setattr("unweave.data.disk_space.RESERVED_BYTES", 67_300_000)
    with pytest.raises(OSError, match=r"no space left: 100\.0 kB more are needed in .*UNWEAVE_DATA"):
        download_file(a_file(url, sha256=None), tmp_path, patience)
    assert 0 < (tmp_path / "a.npz.part").stat().st_size < len(DATA)
    url_with_length = site.serve("/b", Answer(DATA))
    with pytest.raises(OSError, match=r"no space left: 200\.0 kB more are needed in .*: 100\.0 kB and some to spare"):
        download_file(a_file(url_with_length), tmp_path / "b", patience)


def test_a_write_that_fails_is_explained_and_continued(site, tmp_path, patience):
    resource = pytest.importorskip("resource")
    url = site.serve("/a", Answer(DATA, etag='"1"'))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match=r"no space left: the disk of .* is full; what has arrived stays"):
            download_file(a_file(url), tmp_path, patience)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "a.npz.part").read_bytes() == DATA[:50_000]
    assert download_file(a_file(url), tmp_path, patience).read_bytes() == DATA
    assert site.ranges("/a") == [None, "bytes=50000-"]


def test_a_folder_that_may_not_be_written_is_explained(site, tmp_path, patience):
    remote = a_file(site.serve("/a", Answer(DATA)))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file may not be read or written .*UNWEAVE_DATA"):
        download_file(remote, tmp_path / "file", patience)


def test_two_threads_fetch_a_file_once(site, tmp_path, patience):
    remote = a_file(site.serve("/a", Answer(DATA[:50_000], pause=0.001)), sha256=None)
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(download_file(remote, tmp_path, patience))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert len(site.requests) == 1


@pytest.mark.slow
def test_two_processes_fetch_a_file_once(site, tmp_path):
    url = site.serve("/a", Answer(DATA[:20_000], pause=0.02))
    code = (
        "from sys import argv; from pathlib import Path; from unweave.data.download.download import download_file;"
        "from unweave.data.download.published_files import RemoteFile;"
        "download_file(RemoteFile('a.npz', (argv[1],), ''), Path(argv[2]))"
    )
    command = [sys.executable, "-c", code, url, str(tmp_path)]
    children = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    assert (tmp_path / "a.npz").read_bytes() == DATA[:20_000]
    assert len(site.requests) == 1


def zipped(path, names=("data/1.txt", "data/2.txt")):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, f"this is {name}")
    return path.read_bytes()


def test_an_archive_is_unpacked_once(site, tmp_path, patience):
    folder = tmp_path / "set"
    data = zipped(tmp_path / "made.zip")
    remote = RemoteFile("a.zip", (site.serve("/a", Answer(data)),), PAGE, unpack=True)
    assert download_file(remote, folder, patience) == folder
    assert (folder / "data" / "2.txt").read_text() == "this is data/2.txt"
    assert file_names(folder) == ["a.zip", "a.zip.unpacked", "data", "digests.json"]
    (folder / "a.zip").unlink()  # what came from it is enough
    download_file(remote, folder, patience)
    assert len(site.requests) == 1
    (folder / "data" / "1.txt").unlink()
    download_file(remote, folder, patience)
    assert len(site.requests) == 2
    assert (folder / "data" / "1.txt").exists()


@pytest.fixture
def sets(monkeypatch, tmp_path):
    """Published sets that are not those of unweave: name -> files."""
    downloads = {"folder": ()}
    card = Card(title="Toy", source=PAGE, licence="CC0")
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    monkeypatch.setattr("unweave.registry._files", lambda family: {name: name for name in downloads})

    def module(name):
        new_module = ModuleType(name)
        new_module.DATASET = DatasetDefinition(DatasetSettings, lambda settings: None, card, downloads[name])
        return new_module

    monkeypatch.setattr("unweave.registry.import_module", module)
    return downloads


def test_a_set_is_fetched_with_its_licence_shown_before(site, tmp_path, patience, caplog, sets):
    sets["toy"] = (a_file(site.serve("/a", Answer(DATA))), a_file(site.serve("/b", Answer(DATA)), name="b.npz"))
    with caplog.at_level(logging.INFO, "unweave"):
        assert download_set("toy", patience) == [tmp_path / "toy" / "a.npz", tmp_path / "toy" / "b.npz"]
    assert caplog.messages[0] == f"Toy. Licence: CC0. Source: {PAGE}"
    caplog.clear()
    download_set("toy", patience)
    assert caplog.messages == []
    assert len(site.requests) == 2


def test_what_can_be_fetched_is_and_the_rest_is_named(site, tmp_path, patience, sets):
    sets["toy"] = (
        RemoteFile("x.zip", (), PAGE, login="agree to the form"),
        a_file(site.serve("/a", Answer(DATA))),
        a_file(site.serve("/404", Answer(status=404)), name="b.npz"),
    )
    with pytest.raises(NotFetchedError) as error:
        download_set("toy", patience)
    assert (tmp_path / "toy" / "a.npz").exists()
    assert "agree to the form" in str(error.value)
    assert str(tmp_path / "toy" / "b.npz") in str(error.value)


def test_the_whole_set_must_fit(site, tmp_path, patience, monkeypatch, sets):
    sets["toy"] = tuple(a_file(site.serve(f"/{i}", Answer(DATA)), name=f"{i}.npz", bytes=10**9) for i in range(3))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=2 * 10**9))
    with pytest.raises(OSError, match=r"no space left: 1\.07 GB more are needed in .*toy: 3\.00 GB"):
        download_set("toy", patience)
    assert site.requests == []


def test_sets_that_have_nothing_to_fetch_or_are_unknown(sets):
    sets["toy"] = (RemoteFile("x.zip", (), PAGE),)
    with pytest.raises(LookupError, match=r"folder has nothing to download\. These sets have: toy\."):
        download_set("folder")
    with pytest.raises(LookupError, match=r"there is no 'tov' in data\. Did you mean 'toy'"):
        download_set("tov")


def test_only_one_kind_is_fetched(site, tmp_path, patience, sets):
    one, two = (a_file(site.serve(f"/{kind}", Answer(DATA)), name=kind)._replace(kind=kind) for kind in ("one", "two"))
    sets["toy"] = (one, two)
    assert download_set("toy", patience) == [tmp_path / "toy" / "one"]
    assert download_set("toy", patience, kind="two") == [tmp_path / "toy" / "two"]
    with pytest.raises(LookupError, match=r"no kind 'too'\. Did you mean 'two'\? It has: one, two"):
        download_set("toy", patience, kind="too")
