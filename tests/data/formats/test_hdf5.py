import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t

from unweave.config import SettingsError
from unweave.data.formats import _image_arrays, hdf5

GREY = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 12, 10, 3), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        path = tmp_path / "mine.h5"
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name.replace("__", "/")] = array
        return path

    return save


def source(path, **settings):
    return hdf5.source(hdf5.HDF5Settings(path=path, **settings))


def test_images_and_factors_are_converted_in_a_child(saved, monkeypatch):
    names = np.array(["a", "b"], dtype="S")
    factors = np.array([[10, -1], [30, 5], [10, 5], [20, 7]], np.int16)
    path = saved(images=GREY, factors=factors, factor_names=names)
    monkeypatch.setattr(h5py, "File", None)  # this process does not open it
    dataset = hdf5.build(hdf5.HDF5Settings(path=path))
    assert (dataset.name, dataset.shape, len(dataset)) == ("mine", (1, 8, 8), 4)
    assert (dataset.images(np.array([2, 0]))[..., 0] == GREY[[2, 0]]).all()
    assert (dataset.factor_names, dataset.factor_sizes) == (("a", "b"), (3, 3))
    assert dataset.factors(np.arange(4)).tolist() == [[0, 0], [2, 1], [0, 1], [1, 2]]


def test_errors_of_the_child_keep_their_words(saved):
    path = saved(images=GREY)
    with pytest.raises(SettingsError, match=r"data\.key: .*mine\.h5 has no 'imgs'\. Did you mean data\.key=images\?"):
        hdf5.build(hdf5.HDF5Settings(path=path, key="imgs"))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"mine\.h5 is cut short"):
        hdf5.build(hdf5.HDF5Settings(path=path))


@pytest.mark.parametrize("chunks", [None, (1, 12, 10, 3), (7, 12, 10, 3), (60, 12, 10, 3), (13, 5, 4, 2)])
def test_parts_in_any_order_whatever_the_chunks(tmp_path, chunks):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("deep/er/x", data=NOISE, chunks=chunks, compression=chunks and "gzip", shuffle=bool(chunks))
    image_source = source(tmp_path / "a.h5", key="/deep/er/x")
    assert (image_source.shape, image_source.count, image_source.labels, image_source.in_order) == (
        (3, 12, 10),
        60,
        None,
        False,
    )
    for start, stop in ((50, 60), (0, 1), (3, 41)):
        assert (image_source.read(start, stop).pixels == NOISE[start:stop]).all()


def test_size_gives_squares_by_few_images_at_once(saved, monkeypatch):
    path = saved(images=NOISE)
    whole = source(path, size=8).read(0, 60).pixels
    assert whole.shape == (60, 8, 8, 3)
    monkeypatch.setattr(_image_arrays, "READ_BYTES", 1000)
    assert (source(path, size=8).read(0, 60).pixels == whole).all()


def test_large_chunks_are_read_by_one_process_and_larger_ones_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, rows in (("large", 30_000), ("huge", 400_000)):
            file.create_dataset(name, (rows, 64, 64), np.uint8, chunks=(rows, 64, 64), compression="gzip")
            if name == "large":
                file[name][0] = 1
    assert source(tmp_path / "a.h5", key="large").in_order
    with pytest.raises(ValueError, match=r"chunks of 1\.6 GB .*h5repack -l /huge:CHUNK=1x64x64 OLD"):
        source(tmp_path / "a.h5", key="huge")


def test_factors_beside_the_images_or_where_they_are_said_to_be(saved):
    factors = np.arange(8).reshape(4, 2)
    path = saved(a__images=GREY, a__factors=factors, b__images=GREY, labels=factors[:, ::-1].copy())
    assert source(path, key="a/images").labels.names == ("factor_0", "factor_1")
    assert source(path, key="b/images").labels is None
    with h5py.File(path, "a") as file:
        file["labels"].attrs["factor_names"] = ["x", "y"]
    labels = source(path, key="b/images", factors_key="labels").labels
    assert (labels.names, labels.sizes, labels.classes.tolist()) == (("x", "y"), (4, 4), [[i, i] for i in range(4)])
    with pytest.raises(SettingsError, match=r"data\.factors_key: .* has no 'label'\. Did you mean 'labels'\? It has:"):
        source(path, key="b/images", factors_key="label")


REFUSED = {
    "complex": ({"images": GREY * 1j}, "got complex128"),
    "one image": ({"images": GREY[0]}, r"must be \[N, H, W, C\]"),
    "a number": ({"images": np.uint8(3)}, r"got shape \[\]"),
    "no shape": ({"images": h5py.Empty("u1")}, r"got shape \[\]"),
    "no images": ({"images": GREY[:0]}, r"hold no image: their shape is \[0, 8, 8\]"),
    "alpha": ({"images": np.stack([GREY] * 4, -1)}, "4 channels, the last is probably alpha"),
    "channels first": ({"images": np.stack([GREY] * 3, 1)}, r"store images\.transpose\(0, 2, 3, 1\)"),
    "many channels": ({"images": np.zeros((2, 8, 9, 65), np.uint8)}, "must have 1 to 64 channels last"),
    "words": ({"images": ["a", "b"]}, "got objects of varying length"),
    "records": ({"images": np.zeros((2, 8, 8), [("a", "u1")])}, "got records"),
    "a group": ({"images__a": GREY}, r"'images' in .* is a group, not an array\. It has: images/a uint8 \[4, 8, 8\]"),
    "another key": ({"x": GREY, "y": np.zeros(3)}, r"has no 'images'\. Did you mean data\.key=x\? It has: x uint8 \[4"),
    "two other keys": ({"x": GREY, "y": GREY}, r"has no 'images'\. It has: x uint8 \[4, 8, 8\], y uint8 \[4, 8, 8\]"),
    "nothing": ({}, r"has no 'images'\. It has no arrays"),
    "float factors": ({"images": GREY, "factors": np.zeros((4, 1))}, "must be integers .* got float64"),
    "short factors": ({"images": GREY, "factors": np.zeros((3, 1), int)}, "got 3 rows for 4 images"),
    "flat factors": ({"images": GREY, "factors": np.zeros(4, int)}, r"factors\[:, None\]"),
    "words as factors": ({"images": GREY, "factors": ["a"] * 4}, "must be integers, got objects of varying length"),
    "few names": ({"images": GREY, "factors": np.zeros((4, 2), int), "factor_names": ["a"]}, "must be 2 strings"),
    "no names": ({"images": GREY, "factors": np.zeros((4, 2), int), "factor_names": [1, 2]}, r"strings, got \[1, 2\]"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_explained(saved, case):
    arrays, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as error:
        source(saved(**arrays))
    assert "mine.h5" in str(error.value)


def test_images_that_were_never_written_or_are_packed_in_another_way(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", (9, 8, 8), np.uint8, chunks=(1, 8, 8))
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((1, 8, 8))
        properties.set_filter(32_001, h5py.h5z.FLAG_OPTIONAL, (1, 2))  # blosc
        h5d.create(file.id, b"other", h5t.NATIVE_UINT8, h5s.create_simple((9, 8, 8)), properties)
    with pytest.raises(ValueError, match=r"were never written: \[9, 8, 8\] are announced"):
        source(tmp_path / "a.h5")
    with pytest.raises(ValueError, match=r"compressed by filter 32001 .* h5repack -f /other:GZIP=4"):
        source(tmp_path / "a.h5", key="other")


def test_links_in_the_file_are_followed_and_links_out_of_it_are_not(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["images"] = GREY
        file["deep/images"] = GREY
    (tmp_path / "raw.bin").write_bytes(GREY.tobytes())
    layout = h5py.VirtualLayout(GREY.shape, np.uint8)
    layout[:] = h5py.VirtualSource("secret.h5", "images", GREY.shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["groups/mine"] = GREY
        file["soft"] = h5py.SoftLink("/groups/mine")
        file["groups/near"] = h5py.SoftLink("mine")
        file["chain"] = h5py.SoftLink("groups/near")
        file["circle"] = h5py.SoftLink("/circle")
        file["dangling"] = h5py.SoftLink("/none")
        file["out"] = h5py.ExternalLink("secret.h5", "/images")
        file["door"] = h5py.ExternalLink("secret.h5", "/deep")
        file["through"] = h5py.SoftLink("/door/images")
        file.create_dataset("raw", GREY.shape, np.uint8, external=[(str(tmp_path / "raw.bin"), 0, GREY.nbytes)])
        file.create_virtual_dataset("virtual", layout)
        file["factors"] = h5py.ExternalLink("secret.h5", "/images")
    path = tmp_path / "a.h5"
    assert (source(path, key="groups/near").read(0, 4).pixels[..., 0] == GREY).all()
    for key in ("out", "door/images", "through"):
        with pytest.raises(ValueError, match=r"leads to another file, 'secret\.h5', which is not read"):
            source(path, key=key)
    for key in ("raw", "virtual"):
        with pytest.raises(ValueError, match="has its numbers in other files, which are not read"):
            source(path, key=key)
    for key in ("circle", "dangling", "groups/mine/more", ""):
        with pytest.raises(SettingsError, match=r"data\.key"):
            source(path, key=key)
    with pytest.raises(ValueError, match=r"'factors' in .* leads to another file"):
        source(path, key="soft")
    with h5py.File(path, "a") as file:
        del file["factors"]
    assert (source(path, key="chain").read(0, 4).pixels[..., 0] == GREY).all()


def test_files_that_are_no_hdf5_or_cut_short_or_not_there(saved, tmp_path):
    with pytest.raises(SettingsError, match="does not exist; expected an HDF5 file"):
        source(tmp_path / "none.h5")
    with pytest.raises(SettingsError, match="is a folder"):
        source(tmp_path)
    whole = saved(images=NOISE).read_bytes()
    for data in (b"", b"hello, this is text", whole[: len(whole) // 2], whole[:-1]):
        (tmp_path / "mine.h5").write_bytes(data)
        with pytest.raises(ValueError, match=r"mine\.h5 is (no HDF5 file|cut short)"):
            source(tmp_path / "mine.h5")


def test_damaged_chunks_are_named_by_their_rows(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        images = file.create_dataset("images", data=NOISE, chunks=(10, 12, 10, 3), compression="gzip")
        chunk = images.id.get_chunk_info(3)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset + 100)
        file.write(bytes(200))
    image_source = source(path)
    assert (image_source.read(0, 30).pixels == NOISE[:30]).all()
    with pytest.raises(ValueError, match=r"a\.h5 cannot be read at rows 20\.\.59; it is probably damaged"):
        image_source.read(20, 60)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_nothing_is_unpickled(tmp_path):
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = np.void(trap)
        file["more"] = GREY
        file["factors"] = np.array([np.void(trap)] * 4)
        file.attrs["factor_names"] = np.void(trap)
    for key in ("images", "more"):
        with pytest.raises(ValueError, match="got records"):
            source(tmp_path / "a.h5", key=key)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(saved):
    path = saved(images=GREY)
    path.chmod(0)
    with pytest.raises(PermissionError):
        source(path)


def test_reading_parts_of_chunks_takes_no_more_memory_with_every_read(tmp_path):
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file.create_dataset("images", (200 * 64, 64, 64, 3), "u1", chunks=(64, 64, 64, 3), fillvalue=7)
        file["images"][::64, 0, 0, 0] = 9
    source = hdf5.source(hdf5.HDF5Settings(path=tmp_path / "many.h5"))
    source.read(0, 10)
    before = anonymous()
    for start in range(60, 190 * 64, 64):
        source.read(start, start + 8)
    assert anonymous() - before < 30


def anonymous() -> float:
    """MB of anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))
