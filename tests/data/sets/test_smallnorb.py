import gzip
import itertools

import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.factors import FactorGrid
from unweave.data.sets import smallnorb

SMALL = FactorGrid(smallnorb.GRID.names, (3, 4, 2, 3, 2))
HALF = len(SMALL) // 2
MAGIC = {"uint8": 507333717, "int32": 507333716}


def combinations(instances, seed):
    """Category, instance, elevation, azimuth, lighting of every row of a chunk, shuffled."""
    sizes = SMALL.sizes
    every = itertools.product(range(sizes[0]), instances, *map(range, sizes[2:]))
    return np.random.default_rng(seed).permutation(np.array(list(every), np.int32))


CLASSES = np.concatenate([combinations((1, 3), 0), combinations((0, 2), 1)])
PICTURES = np.random.default_rng(2).integers(0, 256, (2 * HALF, 2, 1, 1), dtype=np.uint8) + np.zeros(
    (96, 96), np.uint8
)  # flat, one brightness for each camera


def save(path, array, zipped=True):
    """Binary matrix format: magic number, number of dimensions, three dimensions or more, numbers."""
    dims = [*array.shape, *[1] * (3 - array.ndim)]
    data = np.array([MAGIC[str(array.dtype)], array.ndim, *dims], "<i4").tobytes() + array.tobytes()
    if zipped:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data, 1))
    else:
        path.write_bytes(data)


def write(folder, classes=CLASSES, zipped=True):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate((smallnorb.TRAIN, smallnorb.TEST)):
        rows = slice(number * HALF, number * HALF + HALF)
        stored = classes[rows] * np.array([1, 1, 1, 2, 1], np.int32)  # azimuth 0, 2 .. 34
        save(folder / f"{name}-dat.mat", PICTURES[rows], zipped)
        save(folder / f"{name}-cat.mat", stored[:, 0], zipped)
        save(folder / f"{name}-info.mat", np.ascontiguousarray(stored[:, 1:]), zipped)
    return folder


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(smallnorb, "GRID", SMALL)


def load(path):
    return smallnorb.build(smallnorb.SmallNORBSettings(path=path))


def test_the_published_sizes():
    assert len(smallnorb.GRID) == 48_600 == 2 * 24_300
    assert len(smallnorb.FILES) == len(smallnorb.DOWNLOADS) == 6
    assert {remote.file for remote in smallnorb.DOWNLOADS} == {f"{name}.gz" for name in smallnorb.FILES}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("zipped", [True, False])
def test_left_camera_unsigned_training_first(tmp_path, zipped):
    write(tmp_path / "small_norb", zipped=zipped)
    dataset, rows = load(tmp_path), np.arange(2 * HALF)
    assert (dataset.name, dataset.shape, dataset.factor_names) == ("smallnorb", (1, 64, 64), SMALL.names)
    images = dataset.images(rows)
    assert (images == PICTURES[:, 0, :1, :1, None]).all()  # flat pictures stay flat
    assert images.max() > 200
    assert (dataset.factors(rows) == CLASSES).all()
    assert (dataset.splits["train"] == rows[:HALF]).all()
    assert (dataset.splits["test"] == rows[HALF:]).all()
    assert set(dataset.factors(dataset.splits["train"])[:, 1]) == {1, 3}


@pytest.mark.usefixtures("small")
def test_rows_can_be_read_again_from_any_place(tmp_path):
    write(tmp_path)
    source = smallnorb.source(smallnorb.SmallNORBSettings(path=tmp_path))
    for start, stop in [(HALF - 2, HALF + 3), (5, 9), (2 * HALF - 1, 2 * HALF), (0, 1)]:
        assert (source.read(start, stop).pixels[:, 0, 0, 0] == PICTURES[start:stop, 0, 0, 0]).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("case", ["twice", "odd", "range"])
def test_wrong_labels_are_refused(tmp_path, case):
    classes = CLASSES.copy()
    if case == "twice":
        classes[HALF:] = classes[:HALF]
    elif case == "range":
        classes[3, 4] = 2
    write(tmp_path, classes)
    if case == "odd":
        info = CLASSES[:HALF, 1:].copy()
        info[7, 2] = 3
        save(tmp_path / f"{smallnorb.TRAIN}-info.mat", info)
    message = {
        "twice": "72 combinations of the factors are missing and 72 are there twice",
        "odd": r"training-info\.mat\.gz: azimuths must be even",
        "range": r"training-info\.mat\.gz and those of the test set: lighting must be in 0\.\.1, got 2",
    }[case]
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_named(tmp_path, zipped):
    write(tmp_path, zipped=zipped)
    name = f"{smallnorb.TEST}-dat.mat{'.gz' if zipped else ''}"
    whole = (tmp_path / name).read_bytes()
    for content, message in {
        b"": "is cut short: 8 bytes are missing",
        b"hello, this is text": "is damaged: Not a gzipped file" if zipped else "not in the binary matrix format",
        whole[: len(whole) // 2]: "is damaged: Compressed file ended" if zipped else "is cut short",
        whole[:-6] + bytes(6): "is damaged: CRC check failed" if zipped else None,
        whole + b"more": "is damaged: Not a gzipped file" if zipped else "goes on after its last row",
    }.items():
        (tmp_path / name).write_bytes(content)
        if message:
            with pytest.raises(ValueError, match=rf"testing-dat\.mat(\.gz)? .*{message}"):
                load(tmp_path)


@pytest.mark.usefixtures("small")
def test_other_types_and_shapes_are_named(tmp_path):
    write(tmp_path)
    for what, array, message in [
        ("cat", CLASSES[:HALF, 0].astype(np.uint8), "holds uint8 .*, expected int32"),
        ("dat", PICTURES[:HALF, :1], r"holds uint8 \[72, 1, 96, 96\], expected uint8 \[72, 2, 96, 96\]"),
        ("info", CLASSES[:HALF, 1:4].copy(), r"holds int32 \[72, 3\], expected int32 \[72, 4\]"),
    ]:
        write(tmp_path)
        save(tmp_path / f"{smallnorb.TRAIN}-{what}.mat", array)
        with pytest.raises(ValueError, match=rf"training-{what}\.mat\.gz {message}"):
            load(tmp_path)


def test_files_that_are_not_there_are_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    with pytest.raises(SettingsError, match=r"training-dat\.mat or .*dat\.mat\.gz.*unweave data get smallnorb"):
        smallnorb.build(smallnorb.SmallNORBSettings())
    (tmp_path / "a.mat").write_bytes(b"x")
    with pytest.raises(SettingsError, match="expected the folder of the six files"):
        load(tmp_path / "a.mat")
