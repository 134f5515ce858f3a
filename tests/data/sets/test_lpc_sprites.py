from itertools import product

import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.sets import lpc_sprites

COUNTS = {"train": 2, "test": 1}


def write(folder, divisor=256):
    """The 36 files as frame_to_npy.py writes them, with 2 sequences for training and 1 for testing each."""
    rng, frames, wear = np.random.default_rng(0), [], []
    (folder / "npy").mkdir(parents=True)
    for split, action, direction in product(COUNTS, lpc_sprites.ACTIONS, lpc_sprites.DIRECTIONS):
        pixels = rng.integers(0, 256, (COUNTS[split], 8, 64, 64, 3))
        kinds = rng.integers(0, 6, (COUNTS[split], 4))
        one_hot = np.broadcast_to(np.eye(6)[kinds][:, None], (COUNTS[split], 8, 4, 6))
        start = folder / "npy" / f"{action}_{direction}"
        np.save(f"{start}_frames_{split}.npy", pixels.astype("f") / np.float32(divisor))
        np.save(f"{start}_attributes_{split}.npy", one_hot.astype("f"))
        frames.append(pixels.reshape(-1, 64, 64, 3))
        wear.append(np.repeat(kinds, 8, axis=0))
    return np.concatenate(frames), np.concatenate(wear)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return tmp_path


def load(path):
    return lpc_sprites.build(lpc_sprites.LPCSpritesSettings(path=path))


def test_every_frame_is_a_row_with_the_bytes_it_was_made_from(tmp_path):
    frames, wear = write(tmp_path)
    dataset = load(tmp_path)
    rows = np.arange(len(dataset))
    assert (len(dataset), dataset.shape) == ((2 + 1) * 9 * 8, (3, 64, 64))
    assert (dataset.images(rows) == frames).all()
    assert dataset.factor_names == ("body", "bottomwear", "topwear", "hair", "action", "direction", "frame")
    assert dataset.factor_sizes == (6, 6, 6, 6, 3, 3, 8)
    factors = dataset.factors(rows)
    assert (factors[:, :4] == wear).all()
    acts = list(product(range(3), range(3)))
    expected = [act for count in COUNTS.values() for act in acts for _ in range(count * 8)]
    assert factors[:, 4:6].tolist() == [list(act) for act in expected]
    assert (factors[:, 6] == rows % 8).all()
    assert {name: (rows[0], rows[-1]) for name, rows in dataset.splits.items()} == {
        "train": (0, 143),
        "test": (144, 215),
    }
    assert "216 frames, and not the 93,312" in dataset.card.notes


def test_reading_in_any_pieces_gives_the_same(folder):
    source = lpc_sprites.source(lpc_sprites.LPCSpritesSettings(path=folder / "npy"))
    whole = source.read(0, source.count).pixels
    for start, stop in ((13, 40), (0, 1), (140, 150), (215, 216)):
        assert (source.read(start, stop).pixels == whole[start:stop]).all()


def test_one_is_255(tmp_path):
    frames, _ = write(tmp_path, divisor=255)
    pixels = lpc_sprites.source(lpc_sprites.LPCSpritesSettings(path=tmp_path)).read(0, 16).pixels
    assert abs(pixels.astype(int) - frames[:16]).max() <= 1


ONE = "walk_left_frames_train.npy"
MARKS = "walk_left_attributes_train.npy"
WRONG = {
    "integers": (ONE, np.zeros((2, 8, 64, 64, 3), int), r"must be floats \[sequences, 8, 64, 64, 3\]: it is int64"),
    "another shape": (ONE, np.zeros((2, 8, 32, 32, 3), "f"), r"it is float32 \[2, 8, 32, 32, 3\]"),
    "none": (ONE, np.zeros((0, 8, 64, 64, 3), "f"), r"it is float32 \[0, 8"),
    "0 to 255": (ONE, np.full((2, 8, 64, 64, 3), 200, "f"), r"must hold numbers in \[0, 1\], got 200 to 200"),
    "not a number": (ONE, np.full((2, 8, 64, 64, 3), np.nan, "f"), r"must hold numbers in \[0, 1\], got nan"),
    "another number": (
        ONE,
        np.zeros((3, 8, 64, 64, 3), "f"),
        "has 3 sequences, and walk_left_attributes_train.npy has 2",
    ),
    "no mark": (MARKS, np.zeros((2, 8, 4, 6), "f"), "must hold one 1 and five 0"),
    "objects": (MARKS, np.full((2, 8, 4, 6), None, object), "holds pickled objects"),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_cannot_be_used_are_explained(folder, case):
    name, array, message = WRONG[case]
    np.save(folder / "npy" / name, array)
    with pytest.raises(ValueError, match=message) as error:
        load(folder)
    assert name in str(error.value)


def test_damaged_and_missing_files_are_explained(folder):
    path = folder / "npy" / ONE
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:50], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{ONE} must be floats"):
            load(folder)
    path.unlink()
    with pytest.raises(SettingsError, match=f"needs 36 files in .* 1 are missing, such as {ONE}"):
        load(folder)
    with pytest.raises(SettingsError, match=r"lpc_sprites needs npy/walk_front_frames_train\.npy"):
        load(folder / "none")
