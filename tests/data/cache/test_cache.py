"""The promises of the cache, with real processes where they are about processes."""

import errno
import json
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import patch_dataset

from unweave.data.cache import cache, conversion, worker
from unweave.data.digest import dataset_digest
from unweave.data.formats import folder, npz
from unweave.data.reading import picture_files

fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory):
    """2,100 pictures with names a to z, and one that is damaged."""
    directory, rng = tmp_path_factory.mktemp("many") / "pictures", np.random.default_rng(0)
    directory.mkdir()
    for i, pixels in enumerate(rng.integers(0, 256, (2_100, 8, 8, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(directory / f"{i:04}.bmp")
    (directory / "1500.bmp").write_bytes(b"BM, cut short")
    return directory


def aged(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def open_npz(path, size=None):
    return npz.build(npz.NpzSettings(path=path, size=size))


def open_folder(path, size=64):
    return folder.build(folder.FolderSettings(path=path, size=size))


def sets():
    return sorted(folder.name for folder in (cache.root() / "sets").glob("*"))


def child(code, **environment):
    """A Python process that runs this code with the same cache."""
    imports = (
        "from pathlib import Path\n"
        "from unweave.data.formats import folder, npz\n"
        "from unweave.data.cache import conversion\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", imports + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def wait_for(condition, process, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def rows_done():
    return sum(json.loads(file.read_bytes())["rows"] for file in (cache.root() / "sets").glob("*.part/progress.json"))


def counted(monkeypatch, module, name):
    """The arguments of every call of a function."""
    calls, original = [], vars(module)[name]
    monkeypatch.setattr(module, name, lambda *arguments: (calls.append(arguments), original(*arguments))[1])
    return calls


def converted_again(settings):
    raise AssertionError("the files are read again")


# what names a set


def test_a_set_is_converted_once_and_its_source_read_once(noise, monkeypatch):
    first = open_npz(noise)
    patch_dataset(monkeypatch, npz, source=converted_again)
    second = open_npz(noise)
    assert second.folder == first.folder
    assert (second.images(np.arange(50)) == np.load(noise)["images"]).all()
    assert sets() == [first.folder.name]


def test_the_same_content_elsewhere_is_the_same_set(noise, tmp_path):
    first = open_npz(noise)
    (tmp_path / "other").mkdir()
    assert open_npz(shutil.copy(noise, tmp_path / "other")).folder == first.folder
    os.utime(noise, (1, 1))
    assert open_npz(noise).folder == first.folder


def test_other_bytes_or_another_size_are_another_set(noise):
    first, small = open_npz(noise), open_npz(noise, size=8)
    images = np.load(noise)["images"].copy()
    images[7, 0, 0, 0] ^= 1
    np.savez(noise, images=images, factors=np.load(noise)["factors"])
    changed = open_npz(noise)
    assert len({first.folder, small.folder, changed.folder}) == 3
    assert len({first.digest(), small.digest(), changed.digest()}) == 3


def test_a_folder_is_not_its_own_only_subfolder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a" / "b" / "1.png")
    assert open_folder(tmp_path / "a").files == ("b/1.png",)
    assert open_folder(tmp_path / "a" / "b").files == ("1.png",)


def test_names_of_files_need_not_be_text(tmp_path):
    path = os.fsencode(tmp_path / "p")
    os.mkdir(path)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", path + b"/\xff.png")
    assert len(open_folder(tmp_path / "p")) == 1


def test_files_that_change_while_they_are_read_are_not_cached(noise, monkeypatch):
    original = npz.source

    def slow(settings):
        source = original(settings)
        aged(noise, 10)
        return source

    patch_dataset(monkeypatch, npz, source=slow)
    with pytest.raises(ValueError, match="files of npz changed while they were read"):
        open_npz(noise)
    assert sets() == []


def test_the_place_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", "~/there")
    assert cache.root() == Path.home() / "there"
    monkeypatch.delenv("UNWEAVE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.root() == tmp_path / "unweave"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.root() == Path.home() / ".cache" / "unweave"


# what is left of a conversion


SLOWLY = """
import time
from unweave.data.cache import cache
cache.SAVE_SECONDS = 0
whole = conversion.convert_rows
def slowly(*given):
    bad = whole(*given)
    time.sleep(0.15)
    return bad
conversion.convert_rows = slowly
folder.build(folder.FolderSettings(path=Path({!r})))
"""


@pytest.fixture(scope="module")
def undisturbed(many_pictures, tmp_path_factory):
    """What the folder gives when nobody disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(tmp_path_factory.mktemp("undisturbed")))
        return open_folder(many_pictures)


@pytest.fixture
def killed(many_pictures):
    """A conversion of `many` that SIGKILL ended when two of its four chunks were done."""
    process = child(SLOWLY.format(str(many_pictures)))
    wait_for(lambda: rows_done() >= 2 * 682, process)
    process.kill()
    process.communicate()
    assert len(sets()) == 1
    return cache.root() / "sets" / sets()[0]


def resumed(many_pictures, monkeypatch):
    """The set, and the rows that were read to finish it."""
    read = counted(monkeypatch, picture_files, "decode_image")
    dataset = open_folder(many_pictures)
    return dataset, {int(path.stem) for path, *_ in read}


def test_a_killed_conversion_goes_on(many_pictures, killed, undisturbed, monkeypatch):
    finished = rows_done()
    dataset, read = resumed(many_pictures, monkeypatch)
    assert finished >= 2 * 682
    assert read == set(range(finished, 2_100))
    assert dataset.digest() == undisturbed.digest()
    assert dataset.bad == undisturbed.bad
    assert list(dataset.bad) == [1500]
    assert (dataset.folder / "images.npy").read_bytes() == (undisturbed.folder / "images.npy").read_bytes()
    assert not killed.exists()


DAMAGED = {"empty": lambda data: b"", "other content": lambda data: b"{}", "cut short": lambda data: data[:-5]}


@pytest.mark.parametrize("name", ["images.npy", "progress.json"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_conversion_with_a_damaged_file_begins_again(noise, name, damage, monkeypatch):
    monkeypatch.setattr(conversion, "CHUNK_BYTES", 20 * 16 * 16 * 3)
    monkeypatch.setattr(cache, "SAVE_SECONDS", 0)
    convert, calls = conversion.convert_rows, iter([False, True])

    def interrupted(*arguments):
        if next(calls):
            raise KeyboardInterrupt
        return convert(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "convert_rows", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_npz(noise)
    assert rows_done() == 20
    (file,) = (cache.root() / "sets").glob(f"*.part/{name}")
    file.write_bytes(DAMAGED[damage](file.read_bytes()))
    dataset = open_npz(noise)
    assert dataset.digest() == dataset_digest(dataset)
    assert (dataset.images(np.arange(50)) == np.load(noise)["images"]).all()


def caught(source: str) -> str:
    """The statements, with Ctrl-C ending the process as a shell expects and without a traceback of its own."""
    return f"try:\n{textwrap.indent(source, '    ')}\nexcept KeyboardInterrupt:\n    raise SystemExit(130)\n"


def test_ctrl_c_leaves_what_is_done_and_no_noise(many_pictures, undisturbed):
    listens = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # nohup has it ignored
    process = child(listens + "import logging\nlogging.basicConfig()\n" + caught(SLOWLY.format(str(many_pictures))))
    wait_for(lambda: rows_done() >= 682, process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130
    assert stderr == "WARNING:unweave:stopped; what is converted is kept, and the same command goes on with it\n"
    assert rows_done() >= 682
    assert open_folder(many_pictures).digest() == undisturbed.digest()


@pytest.mark.slow
def test_ctrl_c_at_several_processes_ends_them_all_at_once(many_pictures, undisturbed):
    process = child(
        "from unweave.data.cache import cache\ncache.PARALLEL_FROM, cache.SAVE_SECONDS = 1, 0\n"
        "import os\nos.sched_getaffinity = lambda _: {0, 1}\n"
        + caught(f"folder.build(folder.FolderSettings(path=Path({str(many_pictures)!r})))"),
    )
    wait_for(lambda: rows_done() >= 682 or process.poll() is not None, process)
    process.send_signal(signal.SIGINT)  # nothing where all was done before
    _, stderr = process.communicate(timeout=10)  # also waits for whoever else holds stderr
    assert process.returncode in (0, 130)  # 0: all was done when the signal came
    assert "Traceback" not in stderr
    assert open_folder(many_pictures).digest() == undisturbed.digest()


# what is damaged afterwards


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)
    aged(path, 60)


DAMAGE = {
    "a byte of the images": lambda directory: flip(directory / "images.npy", 5_000),
    "the header of the images": lambda directory: flip(directory / "images.npy", 40),
    "the images cut short": lambda directory: os.truncate(directory / "images.npy", 5_000),
    "no images": lambda directory: os.truncate(directory / "images.npy", 0),
    "images gone": lambda directory: (directory / "images.npy").unlink(),
    "a byte of the labels": lambda directory: flip(directory / "labels.npy", 200),
    "the labels cut short": lambda directory: os.truncate(directory / "labels.npy", 200),
    "no labels": lambda directory: (directory / "labels.npy").unlink(),
    "the splits": lambda directory: os.truncate(directory / "splits.npz", 10),
    "a byte of the splits": lambda directory: flip(directory / "splits.npz", 3),
    "the card cut short": lambda directory: os.truncate(directory / "meta.json", 60),
    "a name in the card": lambda directory: (directory / "meta.json").write_text(
        (directory / "meta.json").read_text().replace("factor_0", "factor_9")
    ),
    "no card": lambda directory: (directory / "meta.json").unlink(),
    "an empty card": lambda directory: (directory / "meta.json").write_text("null"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_said_and_undone(noise, damage, caplog):
    first = open_npz(noise)
    DAMAGE[damage](first.folder)
    with caplog.at_level(logging.WARNING, "unweave"):
        again = open_npz(noise)
    assert "is damaged and is made again" in caplog.text
    assert again.digest() == first.digest() == dataset_digest(again)
    assert (again.images(np.arange(50)) == np.load(noise)["images"]).all()
    assert again.factor_names == ("factor_0", "factor_1")
    caplog.clear()
    open_npz(noise)
    assert not caplog.records


def test_a_copied_cache_is_checked_once_and_taken(noise, monkeypatch, caplog):
    first = open_npz(noise)
    shutil.copytree(cache.root(), noise.parent / "copy", copy_function=shutil.copyfile)
    monkeypatch.setenv("UNWEAVE_CACHE", str(noise.parent / "copy"))
    patch_dataset(monkeypatch, npz, source=converted_again)  # not converted again
    checked = counted(monkeypatch, cache, "dataset_digest")
    copy = open_npz(noise)
    assert (copy.digest(), copy.folder.parent.parent) == (first.digest(), noise.parent / "copy")
    open_npz(noise)
    assert len(checked) == 1
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_a_cache_that_may_only_be_read(noise):
    first = open_npz(noise)
    for file in first.folder.iterdir():
        aged(file, 30)  # it was copied to where it is
    for parent in takewhile(lambda parent: parent != Path(tempfile.gettempdir()), noise.parents):
        parent.chmod(0o755)

    def read():
        os.setuid(65534)
        same = open_npz(noise).digest() == first.digest()
        try:
            open_npz(noise, size=8)
        except PermissionError as error:
            return (same, str(error))

    same, error = in_fork(read)
    assert same
    assert "may not be read or written: change its permissions, or set UNWEAVE_CACHE" in error


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_a_file_that_may_not_be_read_is_named(noise):
    for parent in takewhile(lambda parent: parent != Path(tempfile.gettempdir()), noise.parents):
        parent.chmod(0o755)
    noise.chmod(0o600)

    def read():
        os.setuid(65534)
        try:
            open_npz(noise)
        except PermissionError as error:
            return str(error)

    assert f"{noise} may not be read" in in_fork(read)


def test_a_failing_disk_does_not_throw_a_set_away(noise, monkeypatch):
    first = open_npz(noise)
    aged(first.folder / "images.npy", 30)
    monkeypatch.setattr(
        cache, "dataset_digest", lambda _: (_ for _ in ()).throw(OSError(errno.EMFILE, "too many files"))
    )
    with pytest.raises(OSError, match="too many files"):
        open_npz(noise)
    assert (first.folder / "images.npy").exists()


# several at once


def in_fork(*works):
    """What each function gives, all run at once, each in a process of its own."""
    results = [fork.SimpleQueue() for _ in works]

    def run(work, result):
        try:
            result.put(work())
        except BaseException as error:
            result.put(error)

    processes = [fork.Process(target=run, args=pair) for pair in zip(works, results)]
    for process in processes:
        process.start()
    values = [result.get() for result in results]
    for process in processes:
        process.join()
    return values[0] if len(values) == 1 else values


@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_open_the_same_set_at_once(many_pictures, count, tmp_path, undisturbed):
    log = tmp_path / "log"
    original = conversion.prepare_folder

    def logged(source, part):
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.05)
        return original(source, part)

    def work():
        conversion.prepare_folder = logged
        return open_folder(many_pictures, size=16).digest()

    values = in_fork(*[work] * count)
    assert len(set(values)) == 1
    assert values[0] == open_folder(many_pictures, size=16).digest()
    assert len(log.read_text().splitlines()) == 1  # one of them made it
    assert len(sets()) == 1


@pytest.mark.slow
def test_several_processes_convert_as_one_does(many_pictures, undisturbed, monkeypatch):
    monkeypatch.setattr(cache, "PARALLEL_FROM", 100)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    asked = counted(monkeypatch, worker, "children")
    dataset = open_folder(many_pictures)
    assert asked == [(2,)]
    assert (dataset.folder / "images.npy").read_bytes() == (undisturbed.folder / "images.npy").read_bytes()
    assert (dataset.digest(), dataset.bad) == (undisturbed.digest(), undisturbed.bad)


# errors


def test_a_reader_in_this_process_has_the_same_errors(noise, monkeypatch):
    patch_dataset(monkeypatch, npz, source=lambda _: 1 // 0)
    with pytest.raises(ValueError, match="npz cannot be read: ZeroDivisionError"):
        open_npz(noise)


# no space


def test_too_small_a_disk_is_refused_before_anything_is_written(noise, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(
        OSError, match=r"no space left: 0\.00 GB are needed in .* where 0\.00 GB are free.*UNWEAVE_CACHE"
    ):
        open_npz(noise)
    monkeypatch.undo()


def test_a_disk_that_fills_up_is_our_error_and_the_conversion_goes_on(noise):
    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        errors = []
        for _ in range(2):
            try:
                open_npz(noise)
            except OSError as error:
                errors.append(str(error))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        return [*errors, open_npz(noise).digest()]

    *errors, digest = in_fork(full)
    assert len(errors) == 2
    assert all(error.startswith("no space left: ") and "UNWEAVE_CACHE" in error for error in errors)
    assert digest == open_npz(noise).digest()


def test_a_write_that_finds_no_space(noise, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversion, "convert_rows", full)
    with pytest.raises(OSError, match=r"^no space left: .*unweave data cache"):
        open_npz(noise)
    monkeypatch.undo()


def test_progress_that_cannot_be_saved_hides_no_error(noise, monkeypatch):
    convert = conversion.convert_rows

    def damaged(source, folder, start):
        if start:
            raise ValueError("rows are damaged")
        return convert(source, folder, start)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversion, "CHUNK_BYTES", 20_000)
    monkeypatch.setattr(conversion, "convert_rows", damaged)
    monkeypatch.setattr(conversion, "save_progress", full)
    with pytest.raises(ValueError, match="rows are damaged"):
        open_npz(noise)


# how it is used


def test_images_are_the_callers_own_and_the_file_stays(noise):
    dataset = open_npz(noise)
    images = dataset.images(np.arange(50))
    assert not isinstance(images, np.memmap)
    images[...] = 0
    dataset.factors(np.arange(50))[...] = 0
    assert dataset.images(np.arange(50)).any()
    assert open_npz(noise).digest() == dataset_digest(open_npz(noise))


RESIDENT = """
import numpy as np
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024
dataset = npz.build(npz.NpzSettings(path=Path({!r})))
rng, before = np.random.default_rng(0), anonymous()
top = max(anonymous() for _ in range(60) if dataset.images(rng.integers(0, len(dataset), 256)).any())
dataset._digest = None
dataset.digest()
print(len(dataset), max(top, anonymous()) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.slow
def test_a_set_takes_no_memory_of_its_own(tmp_path):
    with (tmp_path / "large.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (8_200, 64, 64, 3)}
        )
        for _ in range(41):
            file.write(os.urandom(200 * 12_288))
    out, error = child(RESIDENT.format(str(tmp_path / "large.npy"))).communicate(timeout=60)
    count, grown = out.split()
    assert count == "8200", error
    assert float(grown) < 40


def test_two_sets_do_not_wait_for_each_other(noise, many_pictures):
    path = open_npz(noise).folder
    with cache.FileLock(cache.root() / "locks" / f"{path.name}.lock"):
        assert len(open_npz(noise, size=8)) == 50


def test_unreadable_rows_are_left_out_of_everything(tmp_path, caplog):
    for i in range(30):
        parent = tmp_path / "p" / "ab"[i % 2]
        parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (8 * i, 0, 0)).save(parent / f"{i:02}.png")
    for i in range(0, 30, 2):
        if i > 3:
            (tmp_path / "p" / "a" / f"{i:02}.png").write_bytes(b"?")
    dataset = folder.build(folder.FolderSettings(path=tmp_path / "p", size=8, labels="folders"))
    assert len(dataset) == len(dataset.files) == 17
    assert dataset.files[:3] == ("a/00.png", "a/02.png", "b/01.png")
    assert dataset.factors(np.arange(17))[:, 0].tolist() == [0] * 2 + [1] * 15
    assert dataset.images(np.arange(3))[:, 0, 0, 0].tolist() == [0, 16, 8]
    assert caplog.messages[-1] == "13 of 30 files could not be read and are left out"
    with pytest.raises(IndexError):
        dataset.images(np.array([17]))


def test_many_unreadable_files_are_counted(tmp_path, caplog):
    for i in range(25):
        (tmp_path / f"{i}.png").write_bytes(b"?")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "z.png")
    open_folder(tmp_path)
    assert len(caplog.messages) == cache.MAX_NAMED + 2
    assert caplog.messages[-2] == "... and 5 more"
