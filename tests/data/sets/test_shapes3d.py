import h5py
import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.factors import FactorGrid
from unweave.data.reading import published_arrays
from unweave.data.sets import shapes3d

SMALL = FactorGrid(shapes3d.GRID.names, (3, 2, 2, 3, 2, 3))
ROWS = np.arange(len(SMALL))
PIXELS = np.random.default_rng(0).integers(0, 256, (len(SMALL), 64, 64, 3), dtype=np.uint8)
VALUES = (np.arange(3) / 10, np.arange(2) / 10, np.arange(2) / 10, [0.75, 1, 1.25], [0, 1], [-30, 0, 30])
LABELS = np.stack([np.array(values)[column] for values, column in zip(VALUES, SMALL.factors(ROWS).T)], axis=1)


def write(path, images=PIXELS, labels=LABELS, chunks=(50, 4, 4, 1)):
    """An HDF5 as the publishers': compressed chunks over many rows and few pixels; labels are float64."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=chunks, compression="gzip", compression_opts=1)
        if labels is not None:
            file.create_dataset("labels", data=labels)
    return path


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(shapes3d, "GRID", SMALL)


def open_source(path):
    return shapes3d.source(shapes3d.Shapes3DSettings(path=path))


def read(source, step):
    parts = [source.read(start, min(start + step, source.count)).pixels for start in range(0, source.count, step)]
    return np.concatenate(parts)


def test_the_grid_is_the_published_one():
    assert len(shapes3d.GRID) == 480_000
    assert shapes3d.GRID.index(np.array([[0, 0, 0, 0, 0, 14], [0, 0, 0, 0, 1, 0], [9, 9, 9, 7, 3, 14]])).tolist() == [
        14,
        15,
        479_999,
    ]


@pytest.mark.usefixtures("small")
def test_an_hdf5_in_the_original_format(tmp_path):
    source = open_source(write(tmp_path / "3dshapes.h5"))
    assert (source.shape, source.count, source.labels) == ((3, 64, 64), len(SMALL), SMALL)
    assert (read(source, 37) == PIXELS).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("chunks", [None, (1, 64, 64, 3), (50, 4, 4, 1), (64, 7, 64, 3), (144, 64, 64, 3)])
def test_tall_chunks_are_unpacked_once(tmp_path, monkeypatch, chunks):
    monkeypatch.setattr(published_arrays, "MAX_UNPACKED_BYTES", 1 << 16)
    source = open_source(write(tmp_path / "a.h5", chunks=chunks))
    assert (read(source, 37) == PIXELS).all()
    assert (source.read(3, 60).pixels == PIXELS[3:60]).all()


@pytest.mark.usefixtures("small")
def test_each_strip_is_asked_for_once():
    slices = []

    def get(where):
        slices.append(where)
        return PIXELS[where]

    rows = published_arrays.rows_by_block(get, PIXELS.shape, PIXELS.dtype, (500, 32, 4, 1))
    for start in range(0, len(SMALL), 10):
        assert (rows(start, min(start + 10, len(SMALL))) == PIXELS[start : start + 10]).all()
    strips = [(part[0].start, part[1].start) for part in slices if isinstance(part, tuple)]
    assert len(strips) == len(set(strips))


@pytest.mark.usefixtures("small")
def test_an_npz_in_the_same_order(tmp_path):
    np.savez(tmp_path / "3dshapes.npz", images=PIXELS)
    assert (read(open_source(tmp_path), 50) == PIXELS).all()
    np.savez(tmp_path / "3dshapes.npz", images=PIXELS, labels=LABELS[::-1])
    with pytest.raises(ValueError, match=r"labels in .*3dshapes\.npz: the values of floor_hue must rise"):
        open_source(tmp_path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("case", ["shuffled", "last", "falling", "columns", "nan", "short", "words"])
def test_another_order_is_refused(tmp_path, case):
    labels = LABELS.copy()
    if case == "shuffled":
        labels = np.random.default_rng(0).permutation(labels)
    elif case == "last":
        labels[[-1, -2]] = labels[[-2, -1]]
    elif case == "falling":
        labels[:, 0] = 1 - labels[:, 0]
    elif case == "columns":
        labels = labels[:, [1, 0, 2, 3, 4, 5]]
    elif case == "nan":
        labels[7, 2] = np.nan
    elif case == "short":
        labels = labels[:-1]
    else:
        labels = np.full(labels.shape, b"a")
    message = {
        "last": "row 214 has orientation 30, and the published order has 0",
        "falling": "values of floor_hue must rise",
        "nan": "row 7 has object_hue nan",
        "short": r"must be numbers \[216, 6\], got float64 \[215, 6\]",
        "words": r"must be numbers \[216, 6\], got \|S1",
    }.get(case, "rows were shuffled or sorted")
    with pytest.raises(ValueError, match=message):
        open_source(write(tmp_path / "3dshapes.h5", labels=labels))


@pytest.mark.usefixtures("small")
def test_other_images_are_refused(tmp_path):
    for images in (PIXELS[:-1], PIXELS[:, :32], PIXELS.astype(np.uint16)):
        with pytest.raises(ValueError, match=r"must be uint8 \[216, 64, 64, 3\], got"):
            open_source(write(tmp_path / "3dshapes.h5", images, chunks=None))
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["pictures"] = PIXELS[:1]
        file.create_group("images")
    with pytest.raises(ValueError, match=r"3dshapes\.h5 has no `images`"):
        open_source(tmp_path)


@pytest.mark.usefixtures("small")
def test_damage_inside_is_named(tmp_path):
    path = write(tmp_path / "3dshapes.h5")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"3dshapes\.h5 cannot be read"):
        read(open_source(path), 100)


def test_what_the_child_says_reaches_the_caller(tmp_path):
    path = write(tmp_path / "3dshapes.h5", PIXELS[:60], None)
    with pytest.raises(ValueError, match=r"must be uint8 \[480000, 64, 64, 3\], got uint8 \[60, 64, 64, 3\]"):
        shapes3d.build(shapes3d.Shapes3DSettings(path=tmp_path))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ValueError, match=r"3dshapes\.h5 cannot be read, or is cut short: .*truncated"):
        shapes3d.build(shapes3d.Shapes3DSettings(path=tmp_path))


def test_a_file_that_is_not_there_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    with pytest.raises(SettingsError, match=r"unweave data get shapes3d"):
        shapes3d.build(shapes3d.Shapes3DSettings())
    (tmp_path / "shapes3d").mkdir()
    (tmp_path / "shapes3d" / "3dshapes.h5").write_bytes(b"")
    assert shapes3d.files(shapes3d.Shapes3DSettings()) == [tmp_path / "shapes3d" / "3dshapes.h5"]


def test_scratch_room_has_no_name_and_is_refused_on_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path))
    with published_arrays.scratch_file(30) as file:
        room = np.memmap(file, np.uint8, "w+", shape=(10, 3))
    room[4] = 7
    assert room.sum() == 21
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="no space left"):
        published_arrays.scratch_file(1 << 50)


@pytest.mark.usefixtures("small")
def test_links_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = PIXELS
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["images"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "images")
    with pytest.raises(ValueError, match="is a link, which the published file does not have"):
        shapes3d.source(shapes3d.Shapes3DSettings(path=tmp_path / "3dshapes.h5"))
