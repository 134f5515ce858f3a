from pathlib import Path

import numpy as np
import pytest

from unweave import registry
from unweave.config import SettingsError
from unweave.data.open import FROM_PATH, build, known, table


def test_the_family_is_complete():
    published = [
        "bedroom",
        "cars3d",
        "celeba",
        "celebahq",
        "dsprites",
        "ffhq",
        "lfw",
        "lpc_sprites",
        "mpi3d",
        "shapes3d",
    ]
    readers = ["archive", "folder", "hdf5", "huggingface", "lmdb", "npz"]
    assert registry.names("data") == sorted([*published, "smallnorb", *readers, "rooms", "sprites"])


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
        ("room", r"no data set 'room'\. Did you mean 'rooms'\? There is: bedroom, .* A path is welcome too: a folder"),
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
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(LookupError, match=r"is a file that is no data set; expected a folder of images, \.npz"):
        table(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("a.ZIP", {"name": "archive"}),
        ("a.tar.gz", {"name": "archive"}),
        ("a.h5", {"name": "hdf5"}),
        ("a.npy", {"name": "npz"}),
        ("3dshapes.h5", {"name": "shapes3d"}),
        ("mpi3d_real.npz", {"name": "mpi3d", "kind": "real"}),
        ("dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz", {"name": "dsprites"}),
        ("saved/state.json", {"name": "huggingface"}),
        ("many/data.mdb", {"name": "lmdb"}),
        ("faces/Anno/list_attr_celeba.txt", {"name": "celeba"}),
        ("people/lfw_attributes.txt", {"name": "lfw"}),
    ],
)
def test_files_and_folders_are_recognised(tmp_path, made, expected):
    (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / made).write_text("")
    path = tmp_path / Path(made).parts[0]
    assert table(str(path)) == {**expected, "path": str(path)}


def test_sets_of_the_hub_are_named_by_a_prefix():
    assert table("hf://owner/name") == {"name": "huggingface", "path": "owner/name"}


def test_known_sets_say_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    said = known()
    assert not set(said) & set(FROM_PATH)
    assert said["rooms"] == {"title": "rooms", "here": "built in", "licence": "Apache-2.0"}
    assert said["shapes3d"]["here"] == "no: `unweave data get shapes3d`"
    assert said["celeba"]["here"] == "no: by hand"
    (tmp_path / "shapes3d").mkdir()
    (tmp_path / "shapes3d" / "3dshapes.h5").write_text("")
    assert known()["shapes3d"]["here"] == "yes"


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


def test_build_takes_a_view_of_every_set():
    part = build({"name": "sprites", "size": 16, "view": {"split": "test", "keep": {"shape": [0, 1]}}})
    assert (part.name, part.shape) == ("sprites (test; keep shape 0,1)", (3, 16, 16))
    assert set(part.factors(np.arange(len(part)))[:, 0]) == {0, 1}
    assert len(part) < 0.1 * 36_864
    assert len(build({"name": "sprites", "size": 16, "view": {"split": "all"}})) == 36_864
    with pytest.raises(SettingsError, match=r"data\.view\.slpit is not a setting\. Did you mean 'split'"):
        build({"name": "sprites", "view": {"slpit": "test"}})
    with pytest.raises(SettingsError, match=r"data\.view\.keep: there is no factor 'colr'\. Did you mean 'colour'"):
        build({"name": "sprites", "view": {"keep": {"colr": [0]}}})


def test_a_set_that_is_not_whole_does_not_hide_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    (tmp_path / "cars3d").mkdir()
    (tmp_path / "cars3d" / "a.mat").write_text("")
    assert known()["cars3d"]["here"].startswith("not whole: ")
    assert known()["rooms"]["here"] == "built in"
