import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from unweave.config import SettingsError
from unweave.data.factors import FactorGrid
from unweave.data.sets import cars3d

SMALL = FactorGrid(cars3d.GRID.names, (4, 3, 5))


def mesh(number, azimuths=3, side=128):
    """`im` of one car: a shaded square whose place and colour say which car and view it is."""
    im = np.full((side, side, 3, azimuths, 4), 255, np.uint8)
    for azimuth in range(azimuths):
        for elevation in range(4):
            im[side // 4 :, : side // 2, :, azimuth, elevation] = np.linspace(0, 90, side // 2)[:, None]
            im[: side // 4, :, 0, azimuth, elevation] = 10 * number + 5
            im[: side // 4, :, 1, azimuth, elevation] = 60 * elevation + 5
            im[: side // 4, :, 2, azimuth, elevation] = 10 * azimuth + 5
    return im


def write(folder, names=tuple(f"car_{i:03d}_mesh" for i in (1, 2, 10, 11, 100)), **options):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        mask = np.zeros((2, 2), np.uint8)
        savemat(folder / f"{name}.mat", {"im": mesh(number, **options), "mask": mask}, do_compression=True)
    return folder


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(cars3d, "GRID", SMALL)


def open_source(path):
    return cars3d.source(cars3d.Cars3DSettings(path=path))


def test_the_grid_is_the_published_one():
    assert len(cars3d.GRID) == 17_568
    assert cars3d.GRID.index(np.array([[3, 2, 7]]))[0] == 3 * 4392 + 2 * 183 + 7


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("inside", ["", "cars", "data/cars", "cars3d/data/cars"])
def test_rows_are_elevation_azimuth_object(tmp_path, inside):
    write(tmp_path / inside)
    source = open_source(tmp_path)
    assert (source.shape, source.count) == ((3, 64, 64), 60)
    pixels = np.concatenate([source.read(start, min(start + 7, 60)).pixels for start in range(0, 60, 7)])
    elevation, azimuth, number = SMALL.factors(np.arange(60)).T
    assert (pixels[:, 5, 60] == np.stack([10 * number + 5, 60 * elevation + 5, 10 * azimuth + 5], axis=1)).all()


def test_resizing_is_that_of_a_pillow_thumbnail(tmp_path, monkeypatch):
    monkeypatch.setattr(cars3d, "GRID", SMALL)
    write(tmp_path)
    small = Image.fromarray(mesh(0)[..., 2, 1])
    small.thumbnail((64, 64), Image.Resampling.LANCZOS)
    assert (cars3d.read_car(tmp_path / "car_001_mesh.mat")[1 * 3 + 2] == np.asarray(small)).all()


@pytest.mark.usefixtures("small")
def test_each_file_is_read_once(tmp_path, monkeypatch):
    write(tmp_path)
    read, read_car = [], cars3d.read_car
    monkeypatch.setattr(cars3d, "read_car", lambda path: read.append(path.name) or read_car(path))
    source = open_source(tmp_path)
    assert read == []
    for start in (40, 0, 20):
        source.read(start, start + 20)
    assert read == [f"car_{i:03d}_mesh.mat" for i in (1, 2, 10, 11, 100)]


@pytest.mark.usefixtures("small")
def test_other_numbers_of_files_are_refused_by_name(tmp_path):
    write(tmp_path / "cars", ("a", "b", "c", "d"))
    with pytest.raises(ValueError, match=r"cars has 4 \.mat files, expected 5: a, b, c, d\."):
        open_source(tmp_path)
    (tmp_path / "cars" / "list.txt").write_text("a\nb\nc\nd\ne\n")
    with pytest.raises(ValueError, match=r"has 4 \.mat files, expected 5: missing: e\."):
        open_source(tmp_path)
    write(tmp_path / "cars", ("e", "sprites"))
    with pytest.raises(ValueError, match=r"has 6 \.mat files, expected 5: not listed: sprites\."):
        open_source(tmp_path)


def test_a_folder_that_is_not_there_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    with pytest.raises(SettingsError, match=r"183 \.mat files .*unweave data get cars3d"):
        cars3d.build(cars3d.Cars3DSettings())
    (tmp_path / "nips2015-analogy-data.tar.gz").write_bytes(b"x")
    with pytest.raises(SettingsError, match="is a file; unpack it"):
        cars3d.build(cars3d.Cars3DSettings(path=tmp_path / "nips2015-analogy-data.tar.gz"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", ["cut", "text", "empty", "zeros", "hdf5"])
def test_damaged_files_are_named(tmp_path, damage):
    path = write(tmp_path) / "car_010_mesh.mat"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:middle],
            "text": b"hello, this is text" * 20,
            "empty": b"",
            "zeros": whole[:200] + bytes(len(whole) - 200),
            "hdf5": b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n",
        }[damage]
    )
    with pytest.raises(ValueError, match=r"car_010_mesh\.mat (cannot be read as a MATLAB file|has no `im`)"):
        open_source(tmp_path).read(0, 1)


@pytest.mark.usefixtures("small")
def test_other_variables_are_refused(tmp_path):
    path = write(tmp_path) / "car_002_mesh.mat"
    for variables, message in [
        ({"mask": np.zeros((4, 4))}, "has no `im`"),
        ({"im": mesh(0).astype(float)}, r"has `im` float64 \[128, 128, 3, 3, 4\]"),
        ({"im": mesh(0, azimuths=2)}, r"has `im` uint8 \[128, 128, 3, 2, 4\]; expected uint8 \[128, 128, 3, 3, 4\]"),
        ({"im": "text"}, "has `im`"),
    ]:
        savemat(path, variables)
        with pytest.raises(ValueError, match=message):
            open_source(tmp_path).read(0, 1)


@pytest.fixture
def whole(tmp_path):
    """183 files of the full layout; the last differs from the others."""
    write(tmp_path, ["car_001_mesh"], azimuths=24, side=64)
    for number in range(2, 183):
        (tmp_path / f"car_{number:03d}_mesh.mat").write_bytes((tmp_path / "car_001_mesh.mat").read_bytes())
    savemat(tmp_path / "car_183_mesh.mat", {"im": mesh(9, azimuths=24, side=64)})
    return tmp_path


def test_what_the_child_says_reaches_the_caller(whole):
    broken = whole / "car_003_mesh.mat"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"car_003_mesh\.mat cannot be read as a MATLAB file"):
        cars3d.build(cars3d.Cars3DSettings(path=whole))


@pytest.mark.slow
def test_the_whole_set_goes_through_the_child(whole):
    dataset = cars3d.build(cars3d.Cars3DSettings(path=whole))
    assert (dataset.name, len(dataset), dataset.factor_sizes) == ("cars3d", 17_568, (4, 24, 183))
    rows = cars3d.GRID.index(np.array([[2, 3, 0], [2, 3, 181], [2, 3, 182]]))
    assert dataset.images(rows)[:, 0, 0].tolist() == [[5, 125, 35], [5, 125, 35], [95, 125, 35]]
