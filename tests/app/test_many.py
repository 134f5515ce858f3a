import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unweave.app.explorer import Explorer
from unweave.app.many import EditedPicture, edit_many, lines_of, sources_of, write_zip
from unweave.app.pair import by_what_matters, differences, way
from unweave.runs.run import Run


def test_an_edit_is_carried_over_to_many_and_a_damaged_picture_says_so(factored_run: Run, tmp_path: Path) -> None:
    explorer = Explorer(factored_run)
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").touch()
    sources = sources_of(explorer, 3, str(tmp_path), [])
    assert sources == [tmp_path / "a.png", tmp_path / "b.png"]
    good, bad = edit_many(explorer, sources, {1: 0.9}, 0)
    picked = explorer.pick(tmp_path / "a.png", 0)
    alone = explorer.edit(picked, [picked.positions[0], 0.9, *picked.positions[2:]])[0][0]
    assert good.picture is not None
    assert np.array_equal(good.picture, alone)
    assert bad.picture is None
    assert "b.png" in bad.error
    with zipfile.ZipFile(write_zip(tmp_path / "z.zip", [good, bad], "import unweave")) as archive:
        assert archive.namelist() == ["again.py", "001-a.png"]
    lines = lines_of(explorer, [good, bad], {1: 0.9}, 0)
    assert "{'f2': 0.9}" in lines
    assert "a.png" in lines
    assert "b.png" not in lines


def test_one_that_the_model_fails_on_is_passed_by(factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = Explorer(factored_run)
    edit = explorer.edit

    def failing(picked: Any, positions: Any) -> Any:
        if picked.name == "1":
            raise RuntimeError("out of memory")
        return edit(picked, positions)

    monkeypatch.setattr(explorer, "edit", failing)
    edited = list(edit_many(explorer, [0, 1, 2], {1: 0.9}, 0))
    assert [each.error for each in edited] == ["", "out of memory", ""]


def test_names_in_the_zip_lead_nowhere(tmp_path: Path) -> None:
    pictures = [EditedPicture(Path(name), np.zeros((4, 4, 3), np.uint8)) for name in ("..\\..\\a.png", "b.png")]
    with zipfile.ZipFile(write_zip(tmp_path / "z.zip", pictures, "")) as archive:
        assert archive.namelist() == ["again.py", "001-..-..-a.png", "002-b.png"]


def test_there_must_be_pictures_to_edit(factored_run: Run, tmp_path: Path) -> None:
    explorer = Explorer(factored_run)
    assert len(sources_of(explorer, 5, "", [])) == 5
    for rows, folder in ((0, ""), (5, str(tmp_path)), (5, str(tmp_path / "absent"))):
        with pytest.raises(ValueError, match=r"no pictures|no folder"):
            sources_of(explorer, rows, folder, [])


def test_the_way_ends_where_every_factor_is_taken_over(factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    picked, partner = explorer.pick(3, 0), explorer.partner(9)
    drawn = by_what_matters(list(differences(explorer, picked, partner)))
    assert [each.change for each in drawn] == sorted((each.change for each in drawn), reverse=True)
    steps = list(way(explorer, picked, partner, [each.slider for each in drawn]))
    assert np.array_equal(steps[0], drawn[0].picture)
    whole = explorer.prepare(partner.image, 0, "9")
    assert np.abs(steps[-1].astype(int) - explorer.pixels(whole.reconstruction)[0]).max() <= 1
