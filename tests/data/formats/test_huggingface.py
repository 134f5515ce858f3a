import io
import json
import logging
import pickle
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, DatasetDict, Features, Image, Sequence, Value
from PIL import Image as Pictures

from unweave.config import SettingsError
from unweave.data.formats import huggingface

CLASSES = ClassLabel(names=["cat", "dog", "owl"])
GREYS = (10, 60, 110, 160, 210)


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def picture(grey):
    data = io.BytesIO()
    Pictures.new("RGB", (30, 20), (grey,) * 3).save(data, "PNG")
    return data.getvalue()


def rows(cells=None, **columns):
    """A data set of five pictures; columns are (feature, values)."""
    cells = cells or [{"bytes": picture(grey), "path": f"{grey}.png"} for grey in GREYS]
    return datasets.Dataset.from_dict(
        {"image": cells, **{name: values for name, (_, values) in columns.items()}},
        features=Features({"image": Image(), **{name: feature for name, (feature, _) in columns.items()}}),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One data set in two splits, and the second of them alone; read only."""
    path = tmp_path_factory.mktemp("saved")
    whole = rows(
        label=(CLASSES, [0, 2, 0, 2, 2]),
        hidden=(CLASSES, [-1] * 5),
        count=(Value("int32"), [7, 9, 9, -3, 7]),
        word=(Value("string"), ["b", "a", "b", "a", "b"]),
        width=(Value("float32"), [0.5, 1, 2, 3, 4]),
        some=(Value("int8"), [None, 1, 1, 1, 1]),
        many=(Sequence(CLASSES), [[0]] * 5),
    )
    DatasetDict({"train": whole, "test": whole.select([4, 1])}).save_to_disk(path / "pets")
    whole.select([4, 1]).save_to_disk(path / "alone")
    return path


def load(path, **settings):
    return huggingface.build(huggingface.HuggingFaceSettings(path=path, size=16, **settings))


def greys(dataset):
    return dataset.images(np.arange(len(dataset)))[:, 8, 8, 1].tolist()


def test_a_saved_folder_with_splits(folder):
    dataset = load(folder / "pets")
    assert (dataset.name, dataset.shape, len(dataset)) == ("pets", (3, 16, 16), 5)
    assert greys(dataset) == list(GREYS)
    assert (dataset.factor_names, dataset.factor_sizes) == (("label",), (2,))
    assert dataset.factors(np.arange(5))[:, 0].tolist() == [0, 1, 0, 1, 1]
    test = load(folder / "pets", split="test")
    assert greys(test) == [210, 60]
    assert greys(load(folder / "alone")) == [210, 60]


def test_parts_are_read_in_any_order(folder):
    source = huggingface.source(huggingface.HuggingFaceSettings(path=folder / "pets", size=8))
    assert [source.read(a, b).pixels[:, 4, 4, 0].tolist() for a, b in ((3, 5), (0, 2))] == [[160, 210], [10, 60]]


def test_only_the_files_of_the_split_name_the_content(folder, tmp_path):
    shutil.copytree(folder / "pets", tmp_path / "pets")
    (tmp_path / "pets" / "train" / "cache-1.arrow").write_bytes(b"made by datasets")
    names = [
        path.relative_to(tmp_path / "pets").as_posix()
        for path in huggingface.files(huggingface.HuggingFaceSettings(path=tmp_path / "pets"))
    ]
    assert names == [
        "dataset_dict.json",
        *(f"train/{x}" for x in ("data-00000-of-00001.arrow", "dataset_info.json", "state.json")),
    ]


def test_factors_are_named(folder):
    dataset = load(folder / "pets", factors=("word", "count", "label"))
    assert dataset.factor_names == ("word", "count", "label")
    assert dataset.factors(np.arange(5)).tolist() == [[1, 1, 0], [0, 2, 1], [1, 2, 0], [0, 0, 1], [1, 1, 1]]
    assert load(folder / "pets", factors=()).factor_names == ()


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ("lable", r"has no 'lable'\. Did you mean 'label'\? It has: label, hidden, count"),
        ("image", "has no 'image'"),
        ("width", r"column 'width' of .* numbers that are not whole \(0\.5\)"),
        ("some", "'some' of .* has rows without a class"),
        ("hidden", "'hidden' of .* has rows without a class"),
        ("many", "'many' is .*; expected classes, integers or words"),
    ],
)
def test_columns_that_are_no_factors_are_explained(folder, factors, message):
    with pytest.raises(ValueError, match=message):
        load(folder / "pets", factors=(factors,))


def test_the_column_of_the_images(folder, tmp_path):
    image = {"bytes": picture(50), "path": None}
    two = rows(second=(Image(), [image] * 5), raw=(Value("binary"), [picture(90)] * 5), n=(Value("int8"), [1] * 5))
    two.save_to_disk(tmp_path / "two")
    assert greys(load(tmp_path / "two", column="second")) == [50] * 5
    assert greys(load(tmp_path / "two", column="raw")) == [90] * 5
    two.select_columns(["n"]).save_to_disk(tmp_path / "none")
    for path, column, message in (
        (
            "two",
            None,
            r"2 columns hold images: say which\. .*two has: image \(Image\), second \(Image\), raw \(binary\)",
        ),
        ("none", None, r"no columns hold images\. .* has: n \(int8\)"),
        ("two", "third", r"there is no 'third'\."),
        ("two", "n", r"'n' holds no image files"),
    ):
        with pytest.raises(SettingsError, match=rf"data\.column: {message}"):
            load(tmp_path / path, column=column)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_cells_that_cannot_be_read_are_named_and_none_is_unpickled(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(huggingface, "MAX_FILE_BYTES", 9_000)
    contents = [picture(10), pickle.dumps(Trap(tmp_path / "sprung")), b"", picture(60)[:50], bytes(9_001), picture(60)]
    cells = [{"bytes": data, "path": None} for data in contents]
    rows([*cells, None]).save_to_disk(tmp_path / "pets")
    with caplog.at_level(logging.INFO, "unweave"):
        assert greys(load(tmp_path / "pets")) == [10, 60]
    assert [f"pets: row {row} cannot be read and is left out: " in caplog.text for row in range(7)] == [
        *(False, True, True, True, True, False, True)
    ]
    assert "it has 9,001 bytes, more than 9,000" in caplog.text
    assert "5 of 7 files could not be read" in caplog.text
    assert not (tmp_path / "sprung").exists()


def test_files_beside_the_table_are_read_and_others_are_not(tmp_path, caplog):
    (tmp_path / "secret.png").write_bytes(picture(1))
    path = tmp_path / "pets"
    names = [
        "in/a.png",
        "../secret.png",
        str(tmp_path / "secret.png"),
        "in/none.png",
        "link.png",
        "https://example.org/a.png",
        "zip://a.png::in/a.zip",
        str(path / "in" / "a.png"),
        "x" * 5000,
        "in",
    ]
    strings = datasets.Dataset.from_dict(
        {"image": [{"bytes": None, "path": name} for name in names]},
        features=Features({"image": {"bytes": Value("binary"), "path": Value("string")}}),
    )
    strings.save_to_disk(path)
    (path / "in").mkdir()
    (path / "in" / "a.png").write_bytes(picture(70))
    (path / "link.png").symlink_to(tmp_path / "secret.png")
    as_image(path)
    with caplog.at_level(logging.INFO, "unweave"):
        assert greys(load(path)) == [70, 70]
    assert caplog.text.count("is not in the data set's folder and is not read") == 3
    assert caplog.text.count("which is not there") == 4
    before = load(path).digest()
    (path / "in" / "a.png").write_bytes(picture(90))
    assert load(path).digest() != before  # the files belong to the content


def as_image(path):
    """Make the column a column of images; save_to_disk would have stored the files' content itself."""
    info = json.loads((path / "dataset_info.json").read_text())
    info["features"] = {"image": {"_type": "Image"}}
    (path / "dataset_info.json").write_text(json.dumps(info))


def test_folders_that_are_not_whole_or_something_else(folder, tmp_path):
    path = tmp_path / "pets"
    for settings, message in (
        ({"path": path}, "does not exist; expected a folder written by datasets' save_to_disk, or OWNER/NAME"),
        ({"path": tmp_path}, r"no state\.json or dataset_dict\.json.*data\.name=folder"),
        ({"path": folder / "pets", "split": "trian"}, r"there is no 'trian'\. Did you mean 'train'\? .*: train, test"),
        ({"path": folder / "alone", "split": "test"}, r"has no splits: leave it out"),
        ({"path": folder / "pets", "revision": "v1"}, r"data\.revision is for data sets on the Hub"),
    ):
        with pytest.raises(SettingsError, match=message):
            huggingface.build(huggingface.HuggingFaceSettings(**settings))
    shutil.copytree(folder / "alone", path)
    table = path / "data-00000-of-00001.arrow"
    whole = table.read_bytes()
    for data in (b"", b"hello", whole[: len(whole) // 2]):
        table.write_bytes(data)
        with pytest.raises(ValueError, match=r"pets (cannot be loaded as a data set|is damaged at rows)"):
            load(path)
    table.unlink()
    with pytest.raises(ValueError, match=r"is not whole: there is no data-00000-of-00001\.arrow"):
        load(path)
    state = json.loads((path / "state.json").read_text())
    for text, message in (
        (json.dumps(state | {"_data_files": [{"filename": "../alone/x.arrow"}]}), "names files in other folders"),
        (json.dumps(state | {"_data_files": []}), "or none"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
    ):
        (path / "state.json").write_text(text)
        with pytest.raises(ValueError, match=rf"state\.json .*{message}"):
            load(path)


def test_a_data_set_of_the_hub(folder, monkeypatch):
    calls = []

    def load_dataset(*words, **settings):
        calls.append((words, settings))
        return datasets.load_from_disk(folder / "pets" / settings["split"])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    dataset = load("owner/pets", split="test", subset="small", revision="v1")
    assert (dataset.name, greys(dataset)) == ("pets", [210, 60])
    assert dataset.card.source == "https://huggingface.co/datasets/owner/pets"
    assert set(map(repr, calls)) == {repr((("owner/pets", "small"), {"split": "test", "revision": "v1"}))}
    assert greys(load("owner/pets")) == list(GREYS)


def test_without_the_hub_the_way_out_is_said(monkeypatch):
    def load_dataset(*words, **settings):
        raise ConnectionError("Couldn't reach 'owner/pets' on the Hub (OfflineModeIsEnabled)\nand more")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(
        ValueError,
        match=r"owner/pets is no folder here, and cannot be had from the Hugging Face Hub: "
        r"Couldn't reach .* \(OfflineModeIsEnabled\)\. Check the name.*save_to_disk\(FOLDER\)",
    ):
        load("owner/pets")
    for name in ("pets", "a/b/c", "../pets", "https://huggingface.co/datasets/owner/pets"):
        with pytest.raises(SettingsError, match="expected a folder written by datasets' save_to_disk"):
            load(name)
