import h5py
import numpy as np
import pytest
from tests.conftest import shared
from tests.data.in_memory import InMemory

from unweave.config import SettingsError
from unweave.data.factors import FactorGrid
from unweave.data.reading.image_source import Labels
from unweave.data.sets import dsprites

SMALL = FactorGrid(dsprites.GRID.names, (3, 2, 3, 2, 4))
ROWS = np.arange(len(SMALL))
SHAPES = np.random.default_rng(0).integers(0, 2, (len(SMALL), 64, 64), dtype=np.uint8)
CLASSES = np.concatenate([np.zeros((len(SMALL), 1), np.int64), SMALL.factors(ROWS)], axis=1)


def write(path, images=SHAPES, classes=CLASSES):
    """An .npz or an .hdf5 with what the publishers' have in it, the pickled metadata too."""
    if path.suffix == ".npz":
        metadata = np.array({"title": "dSprites"}, dtype=object)
        values = classes.astype(np.float64)
        np.savez_compressed(path, metadata=metadata, imgs=images, latents_classes=classes, latents_values=values)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("imgs", data=images, chunks=(100, 2, 4), compression="gzip")
            file["latents/classes"] = classes
            file["latents/values"] = classes.astype(np.float64)
    return path


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(dsprites, "GRID", SMALL)


def open_source(path):
    return dsprites.source(dsprites.DSpritesSettings(path=path))


@pytest.fixture(scope="module")
def plain():
    labels = Labels(SMALL.names, SMALL.sizes, SMALL.factors(ROWS))
    return InMemory("dsprites", SHAPES[..., None] * np.uint8(255), labels, dsprites.CARD)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", dsprites.FILES)
def test_both_original_formats(tmp_path, name):
    write(tmp_path / name)
    source = open_source(tmp_path)
    assert (source.name, source.shape, source.count, source.labels) == ("dsprites", (1, 64, 64), len(SMALL), SMALL)
    assert (source.read(3, 120).pixels[..., 0] == SHAPES[3:120] * 255).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", dsprites.FILES)
def test_another_order_and_other_pixels_are_refused(tmp_path, name):
    swapped = CLASSES.copy()
    swapped[[5, 6]] = swapped[[6, 5]]
    write(tmp_path / name, classes=swapped)
    with pytest.raises(ValueError, match=r"classes in .*: row \d has pos[XY]"):
        open_source(tmp_path)
    write(tmp_path / name, SHAPES * np.uint8(255))
    with pytest.raises(ValueError, match="must be 0 or 1, got 255"):
        open_source(tmp_path).read(0, 9)
    write(tmp_path / name, SHAPES[:, :32])
    with pytest.raises(ValueError, match=r"must be uint8 \[144, 64, 64\], got uint8 \[144, 32, 64\]"):
        open_source(tmp_path)


def test_what_the_child_says_reaches_the_caller(tmp_path, monkeypatch):
    path = write(tmp_path / dsprites.FILES[0])
    with pytest.raises(ValueError, match=r"must be uint8 \[737280, 64, 64\], got uint8 \[144, 64, 64\]"):
        dsprites.build(dsprites.DSpritesSettings(path=path, variant="colour"))
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"dsprites needs dsprites_ndarray.*npz or .*hdf5"):
        dsprites.build(dsprites.DSpritesSettings())


def test_all_variants_use_one_conversion(plain, monkeypatch):
    calls = []
    monkeypatch.setattr(dsprites.cache, "open_cached", lambda name, settings: calls.append((name, settings)) or plain)
    names = [dsprites.build(dsprites.DSpritesSettings(variant=v, seed=3)).name for v in ("plain", "colour", "noisy")]
    assert names == ["dsprites", "dsprites_colour", "dsprites_noisy"]
    assert calls == [("dsprites", dsprites.DSpritesSettings())] * 3


def painted(plain, variant, seed=0):
    return dsprites.PaintedSprites(plain, variant, seed)


@pytest.mark.parametrize("variant", ["colour", "noisy"])
def test_a_row_is_always_the_same_picture(plain, variant):
    dataset = painted(plain, variant)
    rows = np.random.default_rng(1).integers(0, len(SMALL), 50)
    images = dataset.images(rows)
    assert (dataset.shape, images.dtype, images.shape) == ((3, 64, 64), np.uint8, (50, 64, 64, 3))
    assert (images == painted(plain, variant).images(ROWS)[rows]).all()
    assert (images[9:10] == dataset.images(rows[9:10].astype(np.int32))).all()
    assert dataset.images(rows[:0]).shape == (0, 64, 64, 3)
    assert (images != painted(plain, variant, 1).images(rows)).any((1, 2, 3)).all()
    assert (dataset.factors(rows) == plain.factors(rows)).all()
    with pytest.raises(IndexError, match="got 144"):
        dataset.images(np.array([144]))


def test_colours_are_uniform_in_the_upper_half_and_the_ground_stays_black(plain):
    images = painted(plain, "colour").images(ROWS)
    assert (images[SHAPES == 0] == 0).all()
    colours = images.max((1, 2))
    assert ((images == colours[:, None, None]) | (images == 0)).all()
    assert 127 <= colours.min() < 131
    assert 252 < colours.max() <= 255
    many = (dsprites.random_numbers(np.arange(30_000), 3, 0) >> np.uint64(11)) * 2.0**-53
    assert abs(np.histogram(many, 10, (0, 1))[0] / many.size - 0.1).max() < 0.004
    assert abs(np.corrcoef(many.T) - np.eye(3)).max() < 0.02
    assert abs(np.corrcoef(many[1:, 0], many[:-1, 0])[0, 1]) < 0.02


def test_noise_is_uniform_and_the_shape_stays_white(plain):
    images = painted(plain, "noisy").images(ROWS)
    assert (images[SHAPES == 1] == 255).all()
    noise = images[SHAPES == 0]
    counts = np.bincount(noise.ravel(), minlength=256) / noise.size
    assert abs(counts * 256 - 1).max() < 0.08
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.01
    flat = images.reshape(len(images), -1).astype(float)
    ground = (SHAPES[0] == 0) & (SHAPES[1] == 0)
    both = flat[:2].reshape(2, 64, 64, 3)[:, ground].reshape(2, -1)
    assert abs(np.corrcoef(both)[0, 1]) < 0.05


def test_the_generator_is_splitmix64():
    # the first outputs for the seed 0 that are published with the generator
    counter = np.arange(1, 4, dtype=np.uint64) * dsprites.STEP
    assert [hex(number) for number in dsprites.splitmix64(counter)] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_variants_and_seeds_have_digests_of_their_own(plain):
    datasets = [plain, *(painted(plain, variant, seed) for variant in ("colour", "noisy") for seed in (0, 1))]
    assert len({dataset.digest() for dataset in datasets}) == 5
    assert painted(plain, "noisy").digest() == painted(plain, "noisy").digest()
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        dsprites.DSpritesSettings(seed=-1)


@pytest.fixture(scope="module")
def real():
    with np.load(shared("data", "dsprites_grid46k", "dsprites_grid46k.npz")) as file:
        return {name: file[name] for name in ("images", "factors", "original_indices", "latents_values")}


def test_the_grid_is_that_of_the_real_set(real):
    classes = real["factors"] * [1, 1, 4, 2, 2]  # every 4th orientation, every 2nd place
    assert (dsprites.GRID.factors(real["original_indices"]) == classes).all()
    assert (dsprites.GRID.index(classes) == real["original_indices"]).all()
    angles = np.linspace(0, 2 * np.pi, 40)  # so that classes 0 and 39 are one angle
    assert np.allclose(real["latents_values"][:, 2], angles[classes[:, 2]], atol=1e-4)


def test_real_pictures_in_the_original_format(real, tmp_path, monkeypatch):
    grid = FactorGrid(dsprites.GRID.names, (3, 6, 10, 4, 4))
    selected = (real["factors"][:, 3:] % 4 == 0).all(axis=1)
    images = real["images"][selected]
    monkeypatch.setattr(dsprites, "GRID", grid)
    classes = np.concatenate([np.zeros((len(grid), 1), np.int64), grid.factors(np.arange(len(grid)))], axis=1)
    write(tmp_path / dsprites.FILES[0], images[..., 0] // 255, classes)
    assert (open_source(tmp_path).read(0, len(grid)).pixels == images).all()
    area = (images > 0).sum((1, 2, 3)).reshape(grid.sizes).mean((2, 3, 4))
    assert (np.diff(area, axis=1) > 0).all()  # larger scale, larger shape
