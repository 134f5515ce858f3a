import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.factors import FactorGrid
from unweave.data.sets import mpi3d

FINAL = FactorGrid(mpi3d.NAMES, (3, 3, 1, 1, 1, 2, 3))
CHALLENGE = FactorGrid(mpi3d.NAMES, (2, 2, 1, 1, 1, 2, 3))


def pixels(count):
    return np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(mpi3d, "GRIDS", (FINAL, CHALLENGE))


def load(path, **settings):
    return mpi3d.build(mpi3d.MPI3DSettings(path=path, **settings))


def test_the_two_releases_and_their_order():
    assert [len(grid) for grid in mpi3d.GRIDS] == [1_036_800, 460_800]
    one = np.array([[1, 1, 1, 1, 1, 1, 1]])
    # the publishers' formula for the challenge's release
    assert mpi3d.CHALLENGE.index(one)[0] == 115_200 + 28_800 + 14_400 + 4_800 + 1_600 + 40 + 1
    assert mpi3d.FINAL.index(one)[0] == 172_800 + 28_800 + 14_400 + 4_800 + 1_600 + 40 + 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("name", "grid"), [("mpi3d_toy", FINAL), ("mpi3d_toy", CHALLENGE)])
def test_the_length_tells_the_release(tmp_path, name, grid):
    np.savez(tmp_path / f"{name}.npz", images=pixels(len(grid)))
    dataset = load(tmp_path)
    assert (dataset.name, dataset.shape, dataset.factor_sizes) == ("mpi3d_toy", (3, 64, 64), grid.sizes)
    rows = np.arange(len(grid))
    assert (dataset.images(rows) == pixels(len(grid))).all()
    assert (dataset.factors(rows) == grid.factors(rows)).all()


@pytest.mark.usefixtures("small")
def test_kinds_are_found_by_name_in_their_folders(tmp_path):
    for kind, file in {
        "toy": "mpi_toy/mpi3d_toy.npz",
        "realistic": "sim_realistic_64x_ordered_without_heldout_factors.npz",
        "real": "mpi3d_real/mpi3d_real.npz",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        np.savez(tmp_path / file, images=pixels(len(CHALLENGE)))
        assert load(tmp_path, kind=kind).name == f"mpi3d_{kind}"
    np.savez(tmp_path / "mine.npz", images=pixels(len(FINAL)))
    assert len(load(tmp_path / "mine.npz", kind="real")) == len(FINAL)


def test_other_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    with pytest.raises(SettingsError, match=r"needs mpi3d_real\.npz, which is not in"):
        mpi3d.build(mpi3d.MPI3DSettings(kind="real"))
    path = tmp_path / "mpi3d_toy.npz"
    np.savez(path, images=pixels(7))
    with pytest.raises(ValueError, match=r"7 images; the releases of MPI3D have 1,036,800 .* or 460,800"):
        load(tmp_path)
    np.savez(path, pictures=pixels(7))
    with pytest.raises(ValueError, match="has no `images`"):
        load(tmp_path)
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"mpi3d_toy\.npz cannot be read, or is cut short"):
        load(tmp_path)
    np.savez(tmp_path / "mpi3d_real_complex.npz", images=pixels(7))
    with pytest.raises(SettingsError, match="another set than mpi3d_real"):
        load(tmp_path / "mpi3d_real_complex.npz", kind="real")


@pytest.mark.usefixtures("small")
def test_wrong_sizes_and_short_files_are_refused(tmp_path):
    path = tmp_path / "mpi3d_toy.npz"
    np.savez(path, images=pixels(len(FINAL))[:, :32])
    with pytest.raises(ValueError, match=r"must be uint8 \[54, 64, 64, 3\], got uint8 \[54, 32, 64, 3\]"):
        load(tmp_path)
    np.savez(path, images=pixels(len(FINAL)))
    path.write_bytes(path.read_bytes()[:300_000])
    with pytest.raises(ValueError, match=r"mpi3d_toy\.npz cannot be read, or is cut short"):
        load(tmp_path)
