"""300 mutated files of every kind give a data set or an error of ours; `benchmarks/fuzz_readers.py` tries 10,000."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import patch_dataset

from unweave.data.cache import cache
from unweave.data.formats import folder
from unweave.data.reading import picture_files
from unweave.data.sets import cars3d, smallnorb


@pytest.fixture(scope="module")
def fuzzer():
    path = Path(__file__).parents[2] / "benchmarks" / "fuzz_readers.py"
    spec = importlib.util.spec_from_file_location("fuzz_readers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_readers"] = module
    grids = cars3d.GRID, smallnorb.GRID
    spec.loader.exec_module(module)
    yield module
    cars3d.GRID, smallnorb.GRID = grids  # fuzzing makes them small
    del sys.modules["fuzz_readers"]


@pytest.fixture
def sample(fuzzer, tmp_path, monkeypatch):
    """A whole folder of one image, and a cache of its own."""
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sample").mkdir()
    fuzzer.KINDS["png"].make(tmp_path / "sample", 0, np.random.default_rng(0))
    return tmp_path / "sample"


@pytest.mark.long
def test_mutated_files_give_a_data_set_or_an_error_of_ours(fuzzer, tmp_path):
    report = fuzzer.fuzz(300, seed=20, limit=20.0, keep=tmp_path)
    assert report["wrong"] == [], list(tmp_path.iterdir())
    assert sum(sum(count.values()) for count in report["kinds"].values()) == report["right"] == 300
    assert set(report["kinds"]) == set(fuzzer.kinds())
    assert sum(count.get("a data set", 0) for count in report["kinds"].values()) > 50
    assert sum(count.get("ValueError", 0) for count in report["kinds"].values()) > 100
    assert list(tmp_path.iterdir()) == []


def test_mutations_depend_on_the_case_alone(fuzzer, tmp_path):
    for variant in range(fuzzer.VARIANTS):
        (tmp_path / "whole" / "tiff" / str(variant)).mkdir(parents=True)
        fuzzer.KINDS["tiff"].make(tmp_path / "whole" / "tiff" / str(variant), variant, np.random.default_rng(variant))
    contents = []
    for number in (3, 4, 3, -1):
        target = fuzzer.write(fuzzer.Case("tiff", number, 0), tmp_path / "whole", tmp_path / "sample")
        contents.append(target.read_bytes())
    assert contents[0] == contents[2] != contents[1]
    assert contents[3] == (tmp_path / "whole" / "tiff" / "0" / target.name).read_bytes()


@pytest.mark.parametrize("number", range(12))
def test_each_mutation_takes_any_bytes(fuzzer, number):
    for size in (0, 1, 3, 1000):
        changed = 0
        for seed in range(20):
            data = bytearray(np.random.default_rng(1).bytes(size))
            fuzzer.MUTATIONS[number](data, np.random.default_rng(seed))
            changed += bytes(data) != np.random.default_rng(1).bytes(size)
        assert changed > 10 or size < 1000


def outcome(fuzzer, sample):
    return fuzzer.outcome(fuzzer.KINDS["png"], sample)["what"]


def test_what_is_right(fuzzer, sample):
    assert outcome(fuzzer, sample) == "a data set"
    (sample / "b.png").write_bytes(b"")
    assert outcome(fuzzer, sample) == "ValueError"


def test_what_is_wrong(fuzzer, sample, monkeypatch):
    def broken(*_):
        raise AttributeError("'NoneType' object has no attribute 'x'")

    with monkeypatch.context() as patch:
        patch_dataset(patch, folder, files=broken)
        assert outcome(fuzzer, sample) == "WRONG: AttributeError"
    with monkeypatch.context() as patch:
        patch_dataset(patch, folder, files=lambda _: int("x"))
        assert outcome(fuzzer, sample) == "WRONG: ValueError from test_fuzz.py"
    with monkeypatch.context() as patch:
        patch.setattr(cache.shutil, "rmtree", lambda *_, **__: None)
        patch.setattr(picture_files, "decode_image", broken)
        assert outcome(fuzzer, sample) == "WRONG: it left a damaged cache"
