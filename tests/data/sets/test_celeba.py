import logging

import numpy as np
import pytest
from PIL import Image
from tests.conftest import shared

from unweave.config import SettingsError
from unweave.data.reading import attribute_table
from unweave.data.reading.image_files import read_image
from unweave.data.sets import celeba

NAMES = ("Bald", "Male", "Smiling", "Young")
VALUES = np.random.default_rng(0).integers(0, 2, (10, 4))
PARTS = [0, 0, 0, 0, 0, 0, 1, 1, 2, 2]
FILES = [f"{i + 1:06d}.jpg" for i in range(10)]


def write(folder, files, names, values, parts, anno="", eval_=""):
    """The text files of CelebA."""
    for inside in (anno, eval_):
        (folder / inside).mkdir(parents=True, exist_ok=True)
    lines = [f"{file} {' '.join(' 1' if value else '-1' for value in row)}" for file, row in zip(files, values)]
    (folder / anno / "list_attr_celeba.txt").write_text("\n".join([str(len(files)), " ".join(names) + " ", *lines, ""]))
    (folder / eval_ / "list_eval_partition.txt").write_text("".join(f"{f} {p}\n" for f, p in zip(files, parts)))


def face(i):
    """178 x 218; red says the column, green the row, blue which."""
    picture = np.zeros((218, 178, 3), np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = np.arange(178), np.arange(218)[:, None], 20 * i
    return Image.fromarray(picture)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("celeba")
    write(folder, FILES, NAMES, VALUES, PARTS)
    (folder / "img_align_celeba").mkdir()
    for i, file in enumerate(FILES):
        face(i).save(folder / "img_align_celeba" / file, quality=100, subsampling=0)
    return folder


@pytest.fixture
def copy(original, tmp_path):
    """A folder to damage, its pictures PNG."""
    write(tmp_path / "c", FILES, NAMES, VALUES, PARTS)
    (tmp_path / "c" / "img_align_celeba").mkdir()
    for i, file in enumerate(FILES):
        face(i).save(tmp_path / "c" / "img_align_celeba" / f"{file[:-4]}.png")
    return tmp_path / "c"


def load(path, **settings):
    return celeba.build(celeba.CelebASettings(path=path, **settings))


def test_attributes_splits_and_order(original):
    dataset = load(original)
    assert (len(dataset), dataset.shape, dataset.files) == (10, (3, 64, 64), tuple(FILES))
    assert (dataset.factor_names, dataset.factor_sizes) == (NAMES, (2, 2, 2, 2))
    assert (dataset.factors(np.arange(10)) == VALUES).all()
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {
        "train": [0, 1, 2, 3, 4, 5],
        "valid": [6, 7],
        "test": [8, 9],
    }
    assert abs(dataset.images(np.arange(10))[..., 2].mean((1, 2)) - 20 * np.arange(10)).max() < 2
    assert "10 images in the layout of CelebA, and not its 202,599" in dataset.card.notes
    assert dataset.name == original.name


CORNERS = {"d2c": (25, 57, 153, 185), "tad": (29.67, 48.44, 148.33, 167.69), "centre": (0, 20, 178, 198)}


@pytest.mark.parametrize("crop", CORNERS)
def test_crops_are_the_regions_of_the_papers(copy, crop):
    image = load(copy, crop=crop).images(np.array([0]))[0].astype(float)
    left, top, right, bottom = CORNERS[crop]
    columns = left + (np.arange(64) + 0.5) * (right - left) / 64 - 0.5
    rows = top + (np.arange(64) + 0.5) * (bottom - top) / 64 - 0.5
    inner = slice(3, -3)  # at its border the filter sees less
    assert abs(image[..., 0].mean(0) - columns)[inner].max() < 0.6
    assert abs(image[..., 1].mean(1) - rows)[inner].max() < 0.6


def test_d2c_at_128_is_the_picture_itself(copy):
    expected = np.array(face(4))[57:185, 25:153]
    assert (load(copy, size=128).images(np.array([4]))[0] == expected).all()


def test_folders_as_the_publishers_name_them(copy):
    (copy / "Img").mkdir()
    (copy / "img_align_celeba").rename(copy / "Img" / "img_align_celeba")
    for file in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        (copy / file).unlink()
    write(copy, FILES, NAMES, VALUES, PARTS, "Anno", "Eval")
    dataset = load(copy)
    assert (len(dataset), len(dataset.splits["train"])) == (10, 6)
    (copy / "Eval" / "list_eval_partition.txt").unlink()
    assert load(copy).splits == {}


def test_missing_and_damaged_pictures_are_named_and_left_out(copy, caplog):
    (copy / "img_align_celeba" / "000003.png").unlink()
    (copy / "img_align_celeba" / "000008.png").write_bytes(b"no image")
    with caplog.at_level(logging.INFO, "unweave"):
        dataset = load(copy)
    lines = [record.getMessage() for record in caplog.records]
    assert "000003.jpg cannot be read and is left out: there is no such file" in lines[0]
    assert "000008.png cannot be read" in lines[1]
    assert dataset.files == tuple(file for i, file in enumerate(FILES) if i not in (2, 7))
    assert (dataset.factors(np.arange(8)) == np.delete(VALUES, [2, 7], 0)).all()
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {
        "train": [0, 1, 2, 3, 4],
        "valid": [5],
        "test": [6, 7],
    }


def change(name, old, new):
    def apply(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return apply


TABLE, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
WRONG = {
    "another count": (change(TABLE, "10\n", "11\n"), "announces 11 images and has 10 rows"),
    "no count": (change(TABLE, "10\n", ""), "must begin with a line with the number of images"),
    "a name less": (change(TABLE, "Bald ", ""), "line 3 of .* must be a file and 3 times 1 or -1"),
    "a name twice": (change(TABLE, "Bald", "Male"), "must name every attribute once"),
    "another value": (change(TABLE, "000002.jpg", "000002.jpg 0"), "line 4 of .*000002"),
    "two rows": (change(TABLE, "000002.jpg", "000001.jpg"), "has two rows for '000001.jpg'"),
    "another name": (change(TABLE, "000002.jpg", "x.jpg"), r"1 pictures in .* have no row .* such as 000002\.png"),
    "another split": (
        change(PARTITION, "000009.jpg 2", "000009.jpg 3"),
        r"0 \(train\), 1 \(valid\) or 2 \(test\), got",
    ),
    "a split less": (change(PARTITION, "000009.jpg 2\n", ""), "says nothing of 1 of 10 images, such as '000009.jpg'"),
    "a split twice": (change(PARTITION, "000009.jpg 2", "000001.jpg 2"), "names '000001.jpg' twice, or has other"),
    "empty": (lambda folder: (folder / TABLE).write_text("\n"), "is empty"),
    "no text": (lambda folder: (folder / TABLE).write_bytes(b"\xff\xfe\x00\x81"), "is no text file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_do_not_agree_are_explained(copy, case):
    damage, message = WRONG[case]
    damage(copy)
    with pytest.raises(ValueError, match=message):
        load(copy)


def test_a_missing_set_is_explained(copy, tmp_path):
    with pytest.raises(SettingsError, match=r"celeba needs list_attr_celeba\.txt .* data\.path="):
        load(tmp_path)
    for file in (copy / "img_align_celeba").iterdir():
        file.unlink()
    with pytest.raises(SettingsError, match="needs the folder img_align_celeba of pictures beside"):
        load(copy)
    assert all(remote.login and not remote.urls for remote in celeba.DOWNLOADS)


def test_names_in_the_table_cannot_lead_elsewhere(copy):
    Image.new("RGB", (178, 218), "white").save(copy / "secret.png")
    change(TABLE, "000002.jpg", "../secret.jpg")(copy)
    change(PARTITION, "000002.jpg", "../secret.jpg")(copy)
    (copy / "img_align_celeba" / "000002.png").unlink()
    assert load(copy).bad.keys() == {1}


def test_the_published_sizes_are_demanded_of_the_published_number(monkeypatch, copy):
    monkeypatch.setattr(celeba, "COUNT", 10)
    with pytest.raises(
        ValueError, match=r"CelebA has 40 attributes .* has 4 and \{'train': 6, 'valid': 2, 'test': 2\}"
    ):
        celeba.source(celeba.CelebASettings(path=copy))


def test_real_faces_in_the_layout_of_celeba(tmp_path):
    """The CMU faces, split by person: their factors are the attributes."""
    with np.load(shared("data", "cmu_faces", "cmu_faces.npz")) as data:
        images, factors = data["images"], data["factors"]
    names, values = as_attributes(factors)
    parts = np.select([factors[:, 0] < 14, factors[:, 0] < 17], [0, 1], 2)
    files = [f"{i + 1:06d}.jpg" for i in range(len(images))]
    write(tmp_path, files, names, values, parts)
    (tmp_path / "img_align_celeba").mkdir()
    for file, image in zip(files, images):
        Image.fromarray(image[..., 0]).save(tmp_path / "img_align_celeba" / file, quality=95)
    dataset = load(tmp_path, size=32, crop="centre")
    rows = np.arange(len(images))
    assert (len(dataset), dataset.shape, dataset.factor_names) == (624, (3, 32, 32), names)
    assert (dataset.factors(rows) == values).all()
    people = [set(factors[split, 0]) for split in dataset.splits.values()]
    assert [len(some) for some in people] == [14, 3, 3]
    first = read_image(tmp_path / "img_align_celeba" / files[0], (32, 32))
    assert (dataset.images(rows[:1]) == first).all()
    with pytest.raises(
        ValueError, match=r"is for aligned pictures of 178 x 218, and .*000001\.jpg has 64 x 60.*=centre"
    ):
        load(tmp_path)


def as_attributes(factors):
    """Classes of pose and expression as yes or no each, and the glasses."""
    columns = {f"Pose_{k}": factors[:, 1] == k for k in range(4)} | {f"Look_{k}": factors[:, 2] == k for k in range(4)}
    columns["Sunglasses"] = factors[:, 3] == 1
    return tuple(columns), np.stack(list(columns.values()), axis=1).astype(int)


def test_many_rows_are_parsed_in_reasonable_time(tmp_path):
    count = 20_000
    values = np.random.default_rng(1).integers(0, 2, (count, 40))
    files = [f"{i:06d}.jpg" for i in range(count)]
    write(tmp_path, files, [f"a{i}" for i in range(40)], values, [0] * count)
    table = attribute_table.read_attributes(tmp_path / TABLE)
    assert (table.classes == values).all()
    assert table.files == tuple(files)
