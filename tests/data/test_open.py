from pathlib import Path

import numpy as np
import pytest

from unweave import registry
from unweave.config import SettingsError
from unweave.data.open import PATH_FORMATS, dataset_table, list_datasets, open_data


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
    readers = ["archive", "folder", "hdf5", "huggingface", "lmdb", "npz", "shards", "zarr"]
    drawn = ["glyphs", "manifolds", "rooms", "sprites"]
    assert registry.names("data") == sorted([*published, "smallnorb", *readers, *drawn])


def test_names_and_paths_become_tables(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, images=np.full((2, 8, 8), 9, np.uint8))
    assert dataset_table("rooms") == {"name": "rooms"}
    assert dataset_table(str(path)) == {"name": "npz", "path": str(path.resolve())}
    assert dataset_table(str(tmp_path)) == {"name": "folder", "path": str(tmp_path.resolve())}
    assert len(open_data(dataset_table(str(path)))) == 2


def test_a_name_goes_before_a_folder(tmp_path, monkeypatch):
    (tmp_path / "rooms").mkdir()
    monkeypatch.chdir(tmp_path)
    assert dataset_table("rooms")["name"] == "rooms"
    assert dataset_table("./rooms")["name"] == "folder"
    assert dataset_table(f"{tmp_path}/rooms")["path"] == str(tmp_path / "rooms")


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
        dataset_table(text)


def test_another_file_is_explained(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(LookupError, match=r"is a file that is no data set; expected a folder of images or of shards"):
        dataset_table(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("file", "expected"),
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
def test_files_and_folders_are_recognised(tmp_path, file, expected):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("")
    path = tmp_path / Path(file).parts[0]
    assert dataset_table(str(path)) == {**expected, "path": str(path)}


def test_sets_of_the_hub_are_named_by_a_prefix():
    assert dataset_table("hf://owner/name") == {"name": "huggingface", "path": "owner/name"}


def test_known_sets_say_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    datasets = list_datasets()
    assert not set(datasets) & set(PATH_FORMATS)
    assert datasets["rooms"] == {"title": "rooms", "here": "built in", "licence": "Apache-2.0"}
    assert datasets["shapes3d"]["here"] == "no: `unweave data get shapes3d`"
    assert datasets["celeba"]["here"] == "no: by hand"
    (tmp_path / "shapes3d").mkdir()
    (tmp_path / "shapes3d" / "3dshapes.h5").write_text("")
    assert list_datasets()["shapes3d"]["here"] == "yes"


def test_open_data_takes_names_paths_and_tables(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.full((3, 8, 8), 9, np.uint8))
    assert len(open_data("sprites")) == 36_864
    assert open_data(tmp_path / "a.npz").shape == (1, 8, 8)
    assert open_data({"name": "npz", "path": tmp_path / "a.npz", "size": 16}).shape == (1, 16, 16)
    assert open_data(tmp_path / "a.npz", {"size": 16}).shape == (1, 16, 16)
    with pytest.raises(TypeError):
        open_data(np.zeros(3))
    with pytest.raises(TypeError):
        open_data("sprites").images([0, 1])
    with pytest.raises(LookupError, match="Did you mean 'sprites'"):
        open_data("sprite")


def test_open_data_reads_settings():
    assert open_data({"name": "sprites", "size": 16}).shape == (3, 16, 16)
    with pytest.raises(SettingsError, match=r"data\.sise is not a setting\. Did you mean 'size'"):
        open_data({"name": "sprites", "sise": 16})
    with pytest.raises(SettingsError, match=r"data\.path is missing"):
        open_data({"name": "npz"})
    with pytest.raises(SettingsError, match=r"data\.name is missing"):
        open_data({"size": 16})
    with pytest.raises(LookupError, match="Did you mean 'sprites'"):
        open_data({"name": "sprite"})


def test_open_data_takes_a_view_of_every_set():
    part = open_data({"name": "sprites", "size": 16, "view": {"split": "test", "keep": {"shape": [0, 1]}}})
    assert (part.name, part.shape) == ("sprites (test; keep shape 0,1)", (3, 16, 16))
    assert set(part.factors(np.arange(len(part)))[:, 0]) == {0, 1}
    assert len(part) < 0.1 * 36_864
    assert len(open_data({"name": "sprites", "size": 16, "view": {"split": "all"}})) == 36_864
    with pytest.raises(SettingsError, match=r"data\.view\.slpit is not a setting\. Did you mean 'split'"):
        open_data({"name": "sprites", "view": {"slpit": "test"}})
    with pytest.raises(SettingsError, match=r"data\.view\.keep: there is no factor 'colr'\. Did you mean 'colour'"):
        open_data({"name": "sprites", "view": {"keep": {"colr": [0]}}})


def test_a_set_that_is_not_whole_does_not_hide_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv("UNWEAVE_DATA", str(tmp_path))
    (tmp_path / "cars3d").mkdir()
    (tmp_path / "cars3d" / "a.mat").write_text("")
    assert list_datasets()["cars3d"]["here"].startswith("not whole: ")
    assert list_datasets()["rooms"]["here"] == "built in"
