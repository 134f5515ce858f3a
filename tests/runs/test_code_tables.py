import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.data import sampling
from unweave.runs import codes

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
