import shutil
from pathlib import Path

import pytest

from unweave.app.own_pictures import data_of


def dropped(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def test_a_folder_of_this_machine_is_taken_as_it_is(tmp_path: Path) -> None:
    assert data_of(f" {tmp_path} ", []) == tmp_path
    with pytest.raises(ValueError, match="there is no folder"):
        data_of(str(tmp_path / "absent"), [])
    with pytest.raises(ValueError, match="name a folder"):
        data_of("  ", [])


def test_an_archive_keeps_its_name_and_none_is_replaced(tmp_path: Path) -> None:
    for name in ("a.zip", "a-2.zip"):
        kept = data_of("", dropped(tmp_path / "up", "a.zip"), tmp_path / "kept")
        assert kept == tmp_path / "kept" / name
    with pytest.raises(ValueError, match="one archive"):
        data_of("", dropped(tmp_path / "up", "b.zip", "1.png"), tmp_path / "kept")


def test_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    folder = data_of("", dropped(tmp_path / "up", "x/1.png", "y/1.png"), tmp_path / "kept")
    assert sorted(path.name for path in folder.iterdir()) == ["1.png", "2-1.png"]


def test_where_there_is_no_room_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "move", full)
    with pytest.raises(OSError, match="No space left"):
        data_of("", dropped(tmp_path / "up", "1.png"), tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []
