import logging

import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.sets import lfw

NAMES = ("Male", "Wearing Hat", "5 o' Clock Shadow")
PEOPLE = [("Ann de Lee", 2), ("J. P. Suarez", 1), ("Zed", 3)]
ROWS = [(person, number) for person, count in PEOPLE for number in range(1, count + 1)]
SCORES = np.random.default_rng(0).normal(size=(6, 3)).round(6)


def write(folder, rows=ROWS, scores=SCORES):
    lines = ["\t".join([person, str(n), *map(str, row)]) for (person, n), row in zip(rows, scores.tolist())]
    header = ["# lfw_attributes.txt v1.2", "\t".join(["#", "person", "imagenum", *NAMES])]
    (folder / "lfw_attributes.txt").write_text("\n".join([*header, *lines]) + "\n")


@pytest.fixture
def folder(tmp_path):
    """Six scored pictures of three people, a seventh without scores, and the lists of people."""
    for i, (person, number) in enumerate([*ROWS, ("Zed", 4)]):
        name = person.replace(" ", "_")
        picture = Image.new("RGB", (250, 250), "white")
        picture.paste((30 * i,) * 3, (50, 50, 200, 200))
        (tmp_path / "lfw_funneled" / name).mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "lfw_funneled" / name / f"{name}_{number:04d}.jpg", quality=100)
    write(tmp_path)
    (tmp_path / "peopleDevTrain.txt").write_text("2\nAnn_de_Lee\t2\nJ._P._Suarez\t1\n")
    (tmp_path / "peopleDevTest.txt").write_text("1\nZed\t4\n")
    return tmp_path


def load(path, **settings):
    return lfw.build(lfw.LFWSettings(path=path, **settings))


def test_scored_pictures_and_the_signs_of_their_scores(folder):
    dataset = load(folder)
    rows = np.arange(6)
    assert (len(dataset), dataset.shape, dataset.factor_names) == (6, (3, 64, 64), NAMES)
    assert (dataset.factors(rows) == (SCORES > 0)).all()
    assert dataset.files[0] == "Ann_de_Lee/Ann_de_Lee_0001.jpg"
    assert abs(dataset.images(rows)[:, 32, 32, 0].astype(int) - 30 * rows).max() <= 2
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {"train": [0, 1, 2], "test": [3, 4, 5]}
    assert "1 pictures without scores are left out" in dataset.card.notes
    assert "6 images in the layout of LFW" in dataset.card.notes


def test_the_crop_is_the_middle(folder):
    assert load(folder, size=16).images(np.array([0])).max() == 255
    assert load(folder, size=16, crop=120).images(np.array([0])).max() < 5


def test_missing_pictures_are_named_and_left_out(folder, caplog):
    (folder / "lfw_funneled" / "Zed" / "Zed_0002.jpg").unlink()
    with caplog.at_level(logging.INFO, "unweave"):
        dataset = load(folder)
    assert "Zed_0002.jpg cannot be read and is left out: there is no such file" in caplog.text
    assert dataset.splits["test"].tolist() == [3, 4]
    for file in ("peopleDevTrain.txt", "peopleDevTest.txt"):
        (folder / file).unlink()
    assert load(folder).splits == {}


def change(name, old, new):
    def apply(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return apply


TABLE, TRAIN = "lfw_attributes.txt", "peopleDevTrain.txt"
WRONG = {
    "a score less": (lambda folder: write(folder, scores=SCORES[:, :2]), "a number and 3 scores, by tabs: got 'Ann"),
    "a word": (change(TABLE, str(SCORES[1, 1]), "high"), "a number and 3 scores"),
    "not finite": (change(TABLE, str(SCORES[1, 1]), "nan"), "a number and 3 scores"),
    "a number less": (change(TABLE, "Zed\t2", "Zed\ttwo"), "a person, a number"),
    "a path": (change(TABLE, "Zed\t2", "../Zed\t2"), "a person, a number"),
    "a blank line": (change(TABLE, "Zed\t2", "x\nZed\t2"), "a person, a number .* got 'x'"),
    "twice": (change(TABLE, "Zed\t2", "Zed\t1"), "has two lines for Zed/Zed_0001.jpg"),
    "no header": (change(TABLE, "person\timagenum", "who\tnumber"), "the second line of .* must be: #, person"),
    "another count": (change(TRAIN, "2\n", "3\n"), "must begin with the number of its people, 2: got '3'"),
    "no tab": (change(TRAIN, "Lee\t2", "Lee 2"), "must be a person, a tab and a number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_text_files_that_cannot_be_used_are_explained(folder, case):
    damage, message = WRONG[case]
    damage(folder)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_a_missing_set_is_explained(folder, tmp_path):
    with pytest.raises(SettingsError, match=r"lfw needs lfw_attributes\.txt"):
        load(tmp_path / "none")
    (folder / "lfw_funneled").rename(folder / "other")
    with pytest.raises(SettingsError, match="lfw needs the folder lfw_funneled beside"):
        load(folder)


def test_people_become_files():
    assert lfw.picture_name("Ann  de Lee", 12) == "Ann_de_Lee/Ann_de_Lee_0012.jpg"
    for person, number in (("a/b", 1), ("..", 1), ("", 1), ("Ann", 0)):
        with pytest.raises(ValueError, match="nobody's picture"):
            lfw.picture_name(person, number)
