import io
import json
import logging
import tarfile
from pathlib import Path

import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.reading.shard_labels import number_factors, read_shard_labels
from unweave.data.reading.shards import ShardIndex, tar_index

PICTURE = b"any bytes"


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def labelled_tar(path: Path, rows: list[dict[str, object]]) -> Path:
    """A picture with a class and an object of labels for each row."""
    members: dict[str, bytes] = {}
    for number, row in enumerate(rows):
        members |= {f"{number:03d}.png": PICTURE, f"{number:03d}.cls": b"%d\n" % (number % 2)}
        members |= {f"{number:03d}.json": json.dumps(row).encode()}
    return write_tar(path, members)


def index_of(count: int) -> ShardIndex:
    zeros = np.zeros(count, np.int64)
    return ShardIndex(np.array([f"{row}".encode() for row in range(count)]), zeros, zeros, np.array([count]))


def test_classes_of_all_shards_are_numbered_together(tmp_path: Path) -> None:
    rows = [[{"size": 10}, {"size": 9}], [{"size": 2}, {"size": 10}, {"size": 9}]]
    paths = [labelled_tar(tmp_path / f"{number}.tar", part) for number, part in enumerate(rows)]
    shards = [read_shard_labels(path, tar_index(path), None, tmp_path / f"{path.stem}.npz") for path in paths]
    factors = number_factors(2, lambda number, _: shards[number], None, "set")
    assert dict(zip(factors.names, factors.sizes)) == {"cls": 2, "size": 3}
    assert [factors.table(shard)[:, 1].tolist() for shard in shards] == [[2, 1], [0, 2, 1]]
    assert factors.table(shards[1])[:, 0].tolist() == [0, 1, 0]


def test_what_is_kept_is_read_again_and_damage_is_made_anew(tmp_path: Path) -> None:
    path, kept = labelled_tar(tmp_path / "a.tar", [{"hue": "red"}, {"hue": "blue"}]), tmp_path / "kept.npz"
    first = read_shard_labels(path, tar_index(path), None, kept)
    index = tar_index(path)
    path.rename(tmp_path / "elsewhere.tar")
    again = read_shard_labels(path, index, None, kept)
    assert again.names == first.names
    assert np.array_equal(again.places, first.places)
    kept.write_bytes(b"PK torn")
    (tmp_path / "elsewhere.tar").rename(path)
    assert read_shard_labels(path, index, None, kept).values[1].tolist() == ["blue", "red"]


def test_indices_and_what_is_nested_are_no_factors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows: list[dict[str, object]] = [{"id": number, "hue": number % 3, "box": [0, 1]} for number in range(12)]
    rows[3]["odd"] = 1
    path = labelled_tar(tmp_path / "a.tar", rows)
    with caplog.at_level(logging.WARNING):
        labels = read_shard_labels(path, tar_index(path), None, tmp_path / "all.npz")
    assert labels.names == ("cls", "hue")
    assert "id is left out" in caplog.text
    chosen = read_shard_labels(path, tar_index(path), ("hue", "id"), tmp_path / "chosen.npz")
    assert chosen.names == ("hue", "id")
    assert len(chosen.values[1]) == 12


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (("hues",), SettingsError, r"has no labels 'hues'. Did you mean 'hue'\? It has: cls, hue"),
        (("odd",), ValueError, r"a.tar has no 'odd' for 000.png: give every picture one"),
        (("long",), ValueError, r"a.tar has a 'long' of 300 letters"),
    ],
)
def test_labels_that_cannot_be_used_are_said(
    tmp_path: Path, columns: tuple[str, ...], error: type[Exception], message: str
) -> None:
    rows: list[dict[str, object]] = [{"hue": 1, "long": "x"}, {"hue": 2, "long": 300 * "x", "odd": 1}]
    path = labelled_tar(tmp_path / "a.tar", rows)
    with pytest.raises(error, match=message):
        read_shard_labels(path, tar_index(path), columns, tmp_path / "kept.npz")


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_damaged_file_of_labels_is_named(tmp_path: Path, content: bytes) -> None:
    path = write_tar(tmp_path / "a.tar", {"0.png": PICTURE, "0.json": content})
    with pytest.raises(ValueError, match=r"a.tar: the labels 0.json cannot be read"):
        read_shard_labels(path, tar_index(path), None, tmp_path / "kept.npz")


def test_shards_without_labels_are_said(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"0.png": PICTURE, "1.png": PICTURE, "1.cls": b"3"})
    with pytest.raises(SettingsError, match="has no labels that every picture has"):
        read_shard_labels(path, tar_index(path), None, tmp_path / "kept.npz")


def test_columns_of_parquet_are_labels_where_they_are_numbers_or_words(tmp_path: Path) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    columns = {
        "image": [PICTURE] * 4,
        "shape": arrow.array(["disc", "box", "disc", "box"]).dictionary_encode(),
        "size": [3, 1, 3, 3],
        "flag": [True, False, True, True],
        "box": [[1, 2]] * 4,
        "gap": [1, None, 1, 2],
    }
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    labels = read_shard_labels(tmp_path / "a.parquet", index_of(4), None, tmp_path / "kept.npz")
    assert labels.names == ("shape", "size", "flag")
    assert labels.places.T.tolist() == [[1, 0, 1, 0], [1, 0, 1, 1], [1, 0, 1, 1]]
    with pytest.raises(ValueError, match="has no 'gap' for 1"):
        read_shard_labels(tmp_path / "a.parquet", index_of(4), ("gap",), tmp_path / "gap.npz")


def test_numbers_that_are_not_whole_are_no_classes(tmp_path: Path) -> None:
    path = labelled_tar(tmp_path / "a.tar", [{"size": 0.5}, {"size": 1.0}])
    labels = read_shard_labels(path, tar_index(path), None, tmp_path / "kept.npz")
    with pytest.raises(ValueError, match=r"'size' of set has numbers that are not whole .*data.factors"):
        number_factors(1, lambda number, columns: labels, None, "set")
