import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import unweave
from unweave.data import sampling
from unweave.data.dataset import Card, Dataset
from unweave.evaluation.evaluate import evaluate_isometry
from unweave.evaluation.probe import probe
from unweave.method import Method
from unweave.runs import codes
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run
from unweave.tensors import to_images


class Stripes(Dataset):
    name, shape, factor_names, factor_sizes, card = "stripes", (3, 4, 5), (), (), Card("", "", "")

    def __len__(self):
        return 30

    def images(self, rows):
        return np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)[rows]

    def factors(self, rows):
        return None

    def digest(self):
        return "0"


class Means(Method):
    """One unit per channel; noisy while it trains."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.frozen = nn.Linear(1, 1).eval()
        self.fill = 0.0

    def players(self):
        return []

    def encode(self, images):
        assert torch.is_inference_mode_enabled()
        return self.drop(images.mean((2, 3)))[..., None] + self.fill


def test_codes_are_in_the_order_of_the_rows_whatever_the_batch():
    method, rows = Means(), np.array([4, 0, 29, 4, 7])
    expected = (Stripes().images(rows) / 127.5 - 1).mean((1, 2))[..., None]
    for batch in (1, 2, 5, 250):
        codes = encode_rows(method, Stripes(), rows, batch)
        assert codes.dtype == np.float32
        assert codes == pytest.approx(expected, abs=1e-6)


def test_every_part_is_left_in_its_mode():
    method = Means().train()
    method.frozen.eval()
    encode_rows(method, Stripes(), np.arange(3))
    assert method.training
    assert method.drop.training
    assert not method.frozen.training


def test_the_mode_comes_back_after_an_error_too():
    method = Means().train()
    method.fill = float("nan")
    with pytest.raises(ValueError, match=r"codes of this method .* 9 numbers that are NaN"):
        encode_rows(method, Stripes(), np.arange(3))
    assert method.drop.training


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        encode_rows(Means(), Stripes(), np.arange(0))


def test_images_are_channels_first_in_minus_one_to_one():
    pixels = np.zeros((1, 2, 3, 3), np.uint8)
    pixels[0, 1, 2] = 255, 0, 51
    images = to_images(pixels)
    assert images.shape == (1, 3, 2, 3)
    assert images[0, :, 1, 2].tolist() == pytest.approx([1, -1, -0.6])


# tables on disk

TABLE = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)


def never():
    raise AssertionError("was computed again")


def test_a_table_is_computed_once(tmp_path):
    assert (codes.stored_table(tmp_path / "new", "k", lambda: TABLE) == TABLE).all()
    again = codes.stored_table(tmp_path / "new", "k", never)
    assert again.dtype == TABLE.dtype
    assert (again == TABLE).all()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["codes-k.npz"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:100], lambda b: b"", lambda b: b"\x80junk", lambda b: b[:150] + b"\0" + b[151:]]
)
def test_a_damaged_file_is_computed_again(tmp_path, damage):
    codes.stored_table(tmp_path, "k", lambda: TABLE)
    path = tmp_path / "codes-k.npz"
    path.write_bytes(damage(path.read_bytes()))
    assert (codes.stored_table(tmp_path, "k", lambda: TABLE) == TABLE).all()
    assert (codes.stored_table(tmp_path, "k", never) == TABLE).all()


def test_another_array_under_the_name_is_computed_again(tmp_path):
    np.savez(tmp_path / "codes-k.npz", other=TABLE)
    assert (codes.stored_table(tmp_path, "k", lambda: TABLE) == TABLE).all()
    np.savez(tmp_path / "codes-k.npz", codes=TABLE[0])
    assert (codes.stored_table(tmp_path, "k", lambda: TABLE) == TABLE).all()


def test_a_failed_computation_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError):
        codes.stored_table(tmp_path, "k", never)
    assert not list(tmp_path.iterdir())


def test_a_key_names_all_four():
    keys = {codes.table_key(w, d, n, s) for w in "ab" for d in "ab" for n in (1, 2) for s in (0, 1)}
    assert len(keys) == 16
    assert codes.table_key("a", "b", 1, 0) == codes.table_key("a", "b", 1, 0)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_named_rows_are_different_rising_and_in_range(total, count, seed):
    rows = sampling.sample_rows(total, count, seed)
    assert len(rows) == min(total, count)
    assert (np.diff(rows) > 0).all()
    assert rows[0] >= 0
    assert rows[-1] < total
    assert (rows == sampling.sample_rows(total, count, seed)).all()


@pytest.mark.usefixtures("untyped")
def test_weights_of_another_name_are_refused_everywhere(quick_run: Run) -> None:
    for verb in (unweave.encode, unweave.evaluate, unweave.evaluate_edits, probe, evaluate_isometry):
        with pytest.raises(ValueError, match=r"weights must be 'averaged' or 'raw', got 'average'"):
            verb(quick_run, weights="average")
    with pytest.raises(ValueError, match="got 'average'"):
        quick_run.method("average")
