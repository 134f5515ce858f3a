"""Encoding on Ray; in real processes it is slow by nature."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from unweave.runs.codes import encode_rows
from unweave.runs.ray_codes import (
    Encoder,
    EncodingOptions,
    EncodingPlace,
    Reader,
    describe,
    encoder_count,
    table_to_stream,
)
from unweave.runs.run import Run
from unweave.runs.sharded_codes import begin_codes, read_codes, whole_codes

pytest.importorskip("pyarrow")


def test_parts_are_limited_by_rows_and_by_bytes(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    table, dataset = table_to_stream(quick_run, None), quick_run.dataset()
    about = describe(quick_run, table, dataset, "raw")
    assert (about.rows, about.data_digest) == (len(dataset), dataset.digest())
    assert about.part_rows == 10_000
    monkeypatch.setattr("unweave.runs.ray_codes.PART_BYTES", 100 * int(np.prod(dataset.shape)))
    assert describe(quick_run, table, dataset, "raw").part_rows == 100


def test_a_folder_is_read_where_it_lies(quick_run: Run, tmp_path: Path) -> None:
    table = table_to_stream(quick_run, str(tmp_path))
    assert table["name"] == "shards"
    assert table["size"] == quick_run.shape()[1]


def test_encoders_are_as_many_as_nodes_have_room_for() -> None:
    nodes = [{"CPU": 3.0}, {"CPU": 3.0}]
    assert encoder_count(EncodingOptions(cpus=2.0), 0.0, nodes) == 2
    assert encoder_count(EncodingOptions(encoders=5), 0.0, nodes) == 5
    with pytest.raises(ValueError, match="there is room for 2: ask for fewer"):
        encoder_count(EncodingOptions(encoders=3, cpus=2.0), 0.0, nodes)
    with pytest.raises(ValueError, match=r"4 of CPU, and no node has more than 3: ask for less \(--cpus"):
        encoder_count(EncodingOptions(cpus=4.0), 0.0, nodes)


def test_a_full_disk_is_an_answer_and_leaves_the_part_missing(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unweave.runs.ray_codes.PART_ROWS", 100)
    about = describe(quick_run, table_to_stream(quick_run, None), quick_run.dataset(), "raw")
    place = EncodingPlace(str(quick_run.path), str(tmp_path / "codes"))
    reader, encoder = Reader(place, about), Encoder(place, about)
    missing = begin_codes(Path(place.output), about)
    assert encoder(reader({"part": np.array([0])}))["failed"] == [""]

    def full(self: Path, other: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        said = encoder(reader({"part": np.array([1])}))["failed"][0]
    assert said.startswith(f"a disk of {os.uname().nodename} is full ([Errno")
    assert begin_codes(Path(place.output), about) == missing[1:]
    assert not [*Path(place.output).glob(".part*")]


def test_a_node_that_sees_other_pictures_says_so_and_writes_nothing(quick_run: Run, tmp_path: Path) -> None:
    about = describe(quick_run, table_to_stream(quick_run, None), quick_run.dataset(), "raw")
    place, other = EncodingPlace(str(quick_run.path), str(tmp_path / "codes")), replace(about, data_digest="another")
    said = Encoder(place, other)(Reader(place, other)({"part": np.array([0])}))["failed"][0]
    assert "cannot do its part: sprites has changed, or is another one there" in said
    assert not [*tmp_path.iterdir()]


@pytest.mark.long
def test_a_killed_encoder_costs_the_part_that_it_was_at(quick_run: Run, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    folder = tmp_path / "codes"
    words = [sys.executable, "-m", "unweave", "encode", str(quick_run.path), "--backend", "ray", "-o", str(folder)]
    process = subprocess.Popen([*words, "--weights", "raw", "--encoders", "1"])
    deadline, killed, written = time.monotonic() + 300, False, dict[Path, int]()
    while process.poll() is None and time.monotonic() < deadline and not killed:
        time.sleep(0.02)
        written = {path: path.stat().st_mtime_ns for path in folder.glob("part-*")}
        for child in psutil.Process(process.pid).children(recursive=True) if len(written) > 1 else []:
            if "Encoder" in "".join(child.cmdline()[:1]):
                os.kill(child.pid, signal.SIGKILL)
                killed = True
    assert killed
    assert process.wait(300) == 0
    about = whole_codes(folder)
    assert 1 < len(written) < about.parts
    again = [path for path, moment in written.items() if path.stat().st_mtime_ns != moment]
    newest = max(written, key=written.__getitem__)
    assert again in ([], [newest])  # it may be killed between writing a part and saying so
    rows = np.arange(sum(about.counts))
    codes, read, _ = read_codes(folder, rows)
    assert np.array_equal(read, rows)
    assert np.allclose(codes, encode_rows(quick_run.method("raw"), quick_run.dataset(), rows), atol=1e-5)
