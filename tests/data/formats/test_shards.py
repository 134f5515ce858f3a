import io
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.dataset import Dataset
from unweave.data.formats import shards
from unweave.data.formats.shards import ShardedDataset
from unweave.data.open import dataset_table, open_data
from unweave.data.reading.shards import read_row_group
from unweave.training.batches import rows_at

SIZE = 16


def png(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def expected(number: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(number))))


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def tars(tmp_path: Path) -> Path:
    """Three shards of 4, 3 and 5 pictures, with the texts that WebDataset keeps beside them."""
    folder, number = tmp_path / "tars", 0
    folder.mkdir()
    for shard, count in enumerate((4, 3, 5)):
        members: dict[str, bytes] = {}
        for _ in range(count):
            members |= {f"{number:06d}.png": png(number), f"{number:06d}.json": b"{}"}
            number += 1
        write_tar(folder / f"shard-{shard}.tar", members)
    return folder


def opened(folder: Path) -> Dataset:
    return open_data({"name": "shards", "path": folder, "size": SIZE})


def test_pictures_of_tars_are_rows_in_the_order_of_the_shards(tars: Path) -> None:
    assert dataset_table(str(tars))["name"] == "shards"
    dataset = opened(tars)
    assert (len(dataset), dataset.blocks, dataset.shape) == (12, (4, 3, 5), (3, SIZE, SIZE))
    rows = np.array([11, 0, 4, 4, 7])
    assert np.array_equal(dataset.images(rows), np.stack([expected(row) for row in rows]))
    assert isinstance(dataset, ShardedDataset)
    assert dataset.file(4) == "shard-1.tar/000004.png"
    assert opened(tars).digest() == dataset.digest()


def test_parquet_and_loose_files_give_the_same_pictures(tars: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    for kind in ("parquet", "loose"):
        (tmp_path / kind).mkdir()
    for number in range(12):
        (tmp_path / "loose" / f"{number:06d}.png").write_bytes(png(number))
    for shard, rows in enumerate((range(7), range(7, 12))):
        table = arrow.table({"image": [{"bytes": png(row), "path": "x"} for row in rows]})
        parquet.write_table(table, tmp_path / "parquet" / f"{shard}.parquet", row_group_size=3)
    everything = np.arange(12)
    for kind in ("parquet", "loose"):
        assert np.array_equal(opened(tmp_path / kind).images(everything), opened(tars).images(everything))
    table = arrow.table({"picture": [png(0)], "label": [1]})
    parquet.write_table(table, tmp_path / "parquet" / "2.parquet")
    with pytest.raises(ValueError, match=r"2.parquet has other columns .*image, label, picture differ"):
        opened(tmp_path / "parquet")


def test_a_row_group_is_read_once_for_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    for shard in range(2):
        table = arrow.table({"image": [png(12 * shard + row) for row in range(12)]})
        parquet.write_table(table, tmp_path / f"{shard}.parquet", row_group_size=3)
    groups: list[tuple[str, int]] = []

    def counted(path: Path, group: int) -> list[Any]:
        groups.append((path.name, group))
        return read_row_group(path, group)

    monkeypatch.setattr(shards, "read_row_group", counted)
    dataset = opened(tmp_path)
    assert dataset.blocks == (3,) * 8
    groups.clear()
    rows = rows_at(24, 0, 0, 24, dataset.blocks)
    assert np.array_equal(dataset.images(rows), np.stack([expected(row) for row in rows]))
    assert len(groups) == len(set(groups)) <= 8


def test_a_picture_that_is_gone_or_too_large_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    dataset = opened(tmp_path)
    assert isinstance(dataset, ShardedDataset)
    (tmp_path / "1.png").unlink()
    with (tmp_path / "2.png").open("ab") as file:
        file.truncate(10_000)
    monkeypatch.setattr("unweave.data.reading.shards.MAX_FILE_BYTES", 9_000)
    _, rows, bad = dataset.readable_images(np.arange(3))
    assert rows.tolist() == [0]
    assert "No such file" in bad[1]
    assert "10,000 bytes, more than 9,000" in bad[2]


def test_a_damaged_index_is_made_anew(tars: Path) -> None:
    path = next(tars.glob("*.tar"))
    opened(tars)
    shards.index_file(path).write_bytes(b"PK\x03\x04 torn")
    assert len(opened(tars)) == 12


@pytest.mark.parametrize("kind", ["parquet", "loose"])
def test_sets_of_other_pictures_have_other_digests(tmp_path: Path, kind: str) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")

    def write(number: int) -> None:
        if kind == "loose":
            (tmp_path / "0.png").write_bytes(png(number))
        else:
            parquet.write_table(arrow.table({"image": [png(number)]}), tmp_path / "0.parquet")
        os.utime(next(tmp_path.iterdir()), (number, number))

    write(1)
    first = opened(tmp_path).digest()
    assert opened(tmp_path).digest() == first
    write(2)
    assert opened(tmp_path).digest() != first


def test_a_damaged_picture_is_left_out_or_stood_in_for(tars: Path) -> None:
    write_tar(tars / "shard-1.tar", {"a.png": png(4), "b.png": b"no picture", "c.png": png(6)})
    dataset = opened(tars)
    assert isinstance(dataset, ShardedDataset)
    pixels, rows, bad = dataset.readable_images(np.arange(4, 7))
    assert rows.tolist() == [4, 6]
    assert np.array_equal(pixels, np.stack([expected(4), expected(6)]))
    assert list(bad) == [5]
    assert "shard-1.tar/b.png" in bad[5]
    assert np.array_equal(dataset.images(np.array([5]))[0], expected(6))


@pytest.mark.parametrize(
    ("name", "mode", "members", "message"),
    [
        ("z.tar", "w:gz", {"a.png": png(0)}, "z.tar is compressed"),
        ("z.tar", "w", {"a.txt": b"text"}, "z.tar holds no picture"),
    ],
)
def test_a_shard_that_cannot_be_used_is_named(
    tars: Path, name: str, mode: str, members: dict[str, bytes], message: str
) -> None:
    write_tar(tars / name, members, mode)
    with pytest.raises(ValueError, match=message):
        opened(tars)


def test_names_that_are_no_utf_8_are_read(tmp_path: Path) -> None:
    for folder in ("tars", "loose"):
        (tmp_path / folder).mkdir()
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    write_tar(tmp_path / "tars" / "a.tar", {name: png(3)})
    try:
        (tmp_path / "loose" / name).write_bytes(png(3))
    except OSError:
        pytest.skip("file names of this disk are UTF-8")
    for folder in ("tars", "loose"):
        dataset = opened(tmp_path / folder)
        assert np.array_equal(dataset.images(np.array([0]))[0], expected(3))
        assert isinstance(dataset, ShardedDataset)
        assert dataset.file(0).endswith("caf\ufffd.png")


def test_labels_are_factors_where_they_are_asked_for(tars: Path) -> None:
    assert opened(tars).factors(np.arange(2)) is None
    for number, (first, count) in enumerate(((0, 4), (4, 3), (7, 5))):
        members: dict[str, bytes] = {}
        for row in range(first, first + count):
            members |= {
                f"{row:06d}.png": png(row),
                f"{row:06d}.json": b'{"size": %d, "side": "%c"}' % (row % 3, 97 + row % 2),
            }
        write_tar(tars / f"shard-{number}.tar", members)
    settings = {"name": "shards", "path": tars, "size": SIZE, "labels": "shards"}
    dataset = open_data(settings)
    assert (dataset.factor_names, dataset.factor_sizes) == (("size", "side"), (3, 2))
    rows = np.array([11, 0, 4, 4, 7])
    assert np.array_equal(dataset.factors(rows), np.stack([rows % 3, rows % 2], axis=1))
    assert open_data({**settings, "factors": ["side"]}).factor_names == ("side",)
    assert len({dataset.digest(), opened(tars).digest(), open_data({**settings, "factors": ["side"]}).digest()}) == 3
    with pytest.raises(SettingsError, match=r"data.labels of shards are those in them"):
        open_data({**settings, "labels": "folders"})


def test_loose_pictures_have_no_labels_in_shards(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png(0))
    with pytest.raises(SettingsError, match=r"read them by data.name=folder"):
        open_data({"name": "shards", "path": tmp_path, "size": SIZE, "labels": "shards"})


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist; expected a folder"):
        opened(tmp_path / "absent")
    with pytest.raises(ValueError, match="neither a shard"):
        opened(tmp_path)
