import numpy as np
import pytest

from unweave import registry
from unweave.data.open import build, table
from unweave.settings import SettingsError


def test_the_family_is_complete():
    assert registry.names("data") == ["folder", "npz", "rooms", "sprites"]


def test_names_and_paths_become_tables(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, images=np.full((2, 8, 8), 9, np.uint8))
    assert table("rooms") == {"name": "rooms"}
    assert table(str(path)) == {"name": "npz", "path": str(path.resolve())}
    assert table(str(tmp_path)) == {"name": "folder", "path": str(tmp_path.resolve())}
    assert len(build(table(str(path)))) == 2


def test_a_name_goes_before_a_folder(tmp_path, monkeypatch):
    (tmp_path / "rooms").mkdir()
    monkeypatch.chdir(tmp_path)
    assert table("rooms")["name"] == "rooms"
    assert table("./rooms")["name"] == "folder"
    assert table(f"{tmp_path}/rooms")["path"] == str(tmp_path / "rooms")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("room", r"no data set 'room'\. Did you mean 'rooms'\? There is: rooms, sprites\. A path to an \.npz"),
        ("npz", "no data set 'npz'"),
        ("", "no data set ''"),
        ("mine.npz", r"no file or folder 'mine\.npz'"),
        ("a/b", "no file or folder 'a/b'"),
    ],
)
def test_what_is_neither_is_explained(text, message):
    with pytest.raises(LookupError, match=message):
        table(text)


def test_another_file_is_explained(tmp_path):
    (tmp_path / "a.h5").write_text("")
    with pytest.raises(LookupError, match=r"is a file, but not an \.npz"):
        table(str(tmp_path / "a.h5"))


def test_build_reads_settings():
    assert build({"name": "sprites", "size": 16}).shape == (3, 16, 16)
    with pytest.raises(SettingsError, match=r"data\.sise is not a setting\. Did you mean 'size'"):
        build({"name": "sprites", "sise": 16})
    with pytest.raises(SettingsError, match=r"data\.path is missing"):
        build({"name": "npz"})
    with pytest.raises(SettingsError, match=r"data\.name is missing"):
        build({"size": 16})
    with pytest.raises(LookupError, match="Did you mean 'sprites'"):
        build({"name": "sprite"})
