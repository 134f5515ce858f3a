import numpy as np
import pytest

import unweave
from unweave.data.describe import contact_sheet, describe_dataset, factor_sweep
from unweave.data.factors import FactorGrid


def test_facts_say_what_there_is():
    facts = describe_dataset(unweave.open_data({"name": "sprites", "size": 16}))
    assert facts["images"] == 36_864
    assert np.prod(list(facts["factors"].values())) == 36_864
    assert facts["licence"] == "Apache-2.0"
    assert facts["splits"] == {"train": 29_492, "valid": 3_686, "test": 3_686}


@pytest.mark.parametrize("order", ["row-major", "shuffled", "with gaps"])
def test_a_sweep_changes_one_factor_alone(tmp_path, order):
    grid = FactorGrid(("a", "b"), (3, 25))
    rows = np.arange(len(grid))
    if order != "row-major":
        rows = np.random.default_rng(0).permutation(rows)[: 75 if order == "shuffled" else 60]
    classes = grid.factors(rows)
    images = np.repeat(classes[:, 1].astype(np.uint8)[:, None, None] * 9, 8, 1).repeat(8, 2)
    np.savez(tmp_path / "a.npz", images=images, factors=classes, factor_names=grid.names)
    dataset = unweave.open_data(tmp_path / "a.npz")
    for factor in (0, 1):
        swept = dataset.factors(factor_sweep(dataset, 5, factor))
        start = dataset.factors(np.array([5]))
        assert (np.delete(swept, factor, 1) == np.delete(start, factor, 1)).all()
        assert (np.diff(swept[:, factor]) > 0).all()
        assert 1 <= len(swept) <= 10
    assert len(factor_sweep(dataset, 5, 1)) == 10 or order == "with gaps"


def test_the_contact_sheet_has_a_row_for_each_factor(tmp_path):
    sprites = unweave.open_data({"name": "sprites", "size": 16})
    tall = contact_sheet(sprites)
    np.savez(tmp_path / "a.npz", images=np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8))
    plain = contact_sheet(unweave.open_data(tmp_path / "a.npz"))
    assert tall.height > (1 + len(sprites.factor_names)) * 100
    assert np.asarray(plain).std() > 10
    assert (np.asarray(contact_sheet(sprites)) == np.asarray(tall)).all()


def test_a_notebook_shows_size_factors_and_the_contact_sheet() -> None:
    shown = unweave.open_data({"name": "sprites", "size": 16})._repr_html_()
    assert "36,864" in shown
    assert "shape (3)" in shown
    assert "data:image/png;base64," in shown


def test_each_channel_says_its_range_and_how_much_is_used(tmp_path, caplog):
    numbers = np.random.default_rng(0).integers(0, 4096, (20, 16, 16, 2), dtype=np.uint16)
    np.savez(tmp_path / "a.npz", images=numbers)
    facts = describe_dataset(unweave.open_data(tmp_path / "a.npz"))["channels"]
    assert list(facts) == ["0", "1"]
    assert facts["0"]["white"] - facts["0"]["black"] == pytest.approx(4095, abs=5)
    assert sum(facts["0"]["histogram"]) == pytest.approx(1, abs=0.001)
    assert facts["0"]["used"] > 0.98
    assert not caplog.records
    full = describe_dataset(unweave.open_data(tmp_path / "a.npz", {"range": "full"}))["channels"]
    assert full["0"]["used"] < 0.07
    assert "channel 1 of a uses 6 % of 0 .. 65535: data.range=percentile" in caplog.text
