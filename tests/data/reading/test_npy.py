import io
import zipfile

import numpy as np
import pytest

from unweave.data.reading import npy

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(params=["npy", "npz", "compressed", "lzma"])
def rows(request, tmp_path):
    """The same rows, however they are stored."""
    path = tmp_path / f"a.{request.param[:3]}"
    if request.param == "npy":
        np.save(path, IMAGES)
        return npy.ArrayRows(path)
    methods = {"npz": zipfile.ZIP_STORED, "compressed": zipfile.ZIP_DEFLATED, "lzma": zipfile.ZIP_LZMA}
    content = io.BytesIO()
    np.save(content, IMAGES)
    with zipfile.ZipFile(path, "w", methods[request.param]) as archive:
        archive.writestr("images.npy", content.getvalue())
    return npy.ArrayRows(path, "images")


def test_rows_forwards_backwards_and_far(rows):
    assert (len(rows), rows.shape, rows.dtype) == (20, (20, 8, 8, 3), np.uint8)
    for start, stop in ((0, 3), (3, 4), (10, 12), (2, 20), (19, 20), (5, 5)):
        assert (rows.read(start, stop) == IMAGES[start:stop]).all()


def test_far_rows_take_no_memory(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (4000, 1000, 1000)}
        )
        file.truncate(file.tell() + 4000 * 1000 * 1000)  # 4 GB, of which the disk holds nothing
    import tracemalloc

    tracemalloc.start()
    assert npy.ArrayRows(tmp_path / "a.npy").read(3999, 4000).shape == (1, 1000, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


@pytest.mark.parametrize("order", ["C", "F"])
def test_small_arrays_in_any_order(tmp_path, order):
    factors = np.asarray(np.arange(12).reshape(4, 3), order=order)
    np.savez(tmp_path / "a.npz", factors=factors, names=np.array(["x", "yy"]), one=np.array(7))
    assert (npy.read_whole(tmp_path / "a.npz", "factors") == factors).all()
    assert npy.read_whole(tmp_path / "a.npz", "names").tolist() == ["x", "yy"]
    assert npy.read_whole(tmp_path / "a.npz", "one") == 7
    assert npy.array_names(tmp_path / "a.npz") == ["factors", "names", "one"]


def header(tmp_path, text, data=b"\0" * 4096):
    """An .npy with this header."""
    content = text.encode() + b"\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\0" + len(content).to_bytes(2, "little") + content + data)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-4, 8, 8)}", "no array"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4, -8, -8)}", "no array"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4294967296, 4294967296)}", "ends after row 0 of 4"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (99, 8, 8)}", "ends after row 64 of 99"),
        ("{'descr': '|V0', 'fortran_order': False, 'shape': (4, 8, 8)}", "no array"),
        ("{'descr': ('|u1', (3,)), 'fortran_order': False, 'shape': (4, 8, 8)}", "no array|cannot be read"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (4, 8, 8)}", "pickled objects"),
        ("{'descr': '|u1', 'fortran_order': True, 'shape': (4, 8, 8)}", "column by column"),
        ("{'descr': '|u1', 'shape': (4, 8, 8)}", "header cannot be read"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 8)", "header cannot be read"),
        ("(" * 500, "header cannot be read"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': " + "-" * 5000 + "1}", "header cannot be read"),
        ("'" + "a" * 20, "header cannot be read"),
        ("{'descr': 'no', 'fortran_order': False, 'shape': ()}", "header cannot be read"),
    ],
)
def test_headers_that_are_no_array_of_rows(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        npy.ArrayRows(header(tmp_path, text))


def test_damage_is_a_value_error_whatever_it_is(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=IMAGES, factors=np.arange(2000)[:, None])
    content = path.read_bytes()
    outcomes = set()
    for position in range(0, len(content), 23):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            names = npy.array_names(path)
            images = npy.ArrayRows(path, "images").read(0, 20) if "images" in names else None
            factors = npy.read_whole(path, "factors") if "factors" in names else None
        except ValueError:
            outcomes.add("error")
        else:
            assert images is None or (images == IMAGES).all()
            assert factors is None or (factors[:, 0] == np.arange(2000)).all()
            outcomes.add("whole")
    assert outcomes == {"error", "whole"}


def test_rows_after_damage_begin_again(tmp_path):
    images = np.tile(IMAGES, (10, 1, 1, 1))
    np.save(tmp_path / "a.npy", images)
    rows = npy.ArrayRows(tmp_path / "a.npy")
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-100])
    with pytest.raises(ValueError, match="it ends before row 200 of 200 is whole"):
        rows.read(198, 200)
    with pytest.raises(ValueError, match="it ends after row 199 of 200"):
        rows.read(0, 1)
    (tmp_path / "a.npy").write_bytes(content)
    assert (rows.read(0, 200) == images).all()


def test_an_array_that_is_too_large_to_be_small(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", factors=np.zeros((200, 2), np.int64))
    monkeypatch.setattr(npy, "MAX_WHOLE_BYTES", 3199)
    with pytest.raises(ValueError, match="factors has 3,200 bytes, more than 3,199"):
        npy.read_whole(tmp_path / "a.npz", "factors")


def test_what_is_no_npz(tmp_path):
    np.save(tmp_path / "a.npz.npy", IMAGES)
    (tmp_path / "b").write_bytes(b"\x80\x04pickle")
    (tmp_path / "c").write_bytes(b"hello")
    for name, message in (("a.npz.npy", "single array"), ("b", "pickled objects"), ("c", "no .npz, or is cut short")):
        with pytest.raises(ValueError, match=message):
            npy.array_names(tmp_path / name)
