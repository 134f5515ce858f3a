import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unweave.app.explorer import Explorer
from unweave.app.many import EditedPicture, edit_many, lines_of, shown, sources_of, write_zip
from unweave.app.pair import by_what_matters, differences, way
from unweave.runs.run import Run


def test_an_edit_is_carried_over_to_many_and_a_damaged_picture_says_so(factored_run: Run, tmp_path: Path) -> None:
    explorer = Explorer(factored_run)
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").touch()
    sources = sources_of(explorer, 3, str(tmp_path), [])
    assert sources == [tmp_path / "a.png", tmp_path / "b.png"]
    good, bad = edit_many(explorer, sources, {1: 0.9}, 0, tmp_path)
    picked = explorer.pick(tmp_path / "a.png", 0)
    alone = explorer.edit(picked, [picked.positions[0], 0.9, *picked.positions[2:]])[0][0]
    assert good.path is not None
    assert np.array_equal(np.asarray(Image.open(good.path)), alone)
    assert bad.path is None
    assert "b.png" in bad.error
    with zipfile.ZipFile(write_zip(tmp_path / "z.zip", [good, bad], "import unweave")) as archive:
        assert archive.namelist() == ["again.py", "001-a.png"]
    lines = lines_of(explorer, [good, bad], {1: 0.9}, 0)
    assert "{'f2': 0.9}" in lines
    assert "a.png" in lines
    assert "b.png" not in lines


def test_edits_are_of_the_size_of_the_originals_where_asked_for(factored_run: Run, tmp_path: Path) -> None:
    explorer = Explorer(factored_run)
    Image.new("RGB", (500, 400), "red").save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    large, row = edit_many(explorer, [tmp_path / "a.png", 2], {1: 0.9}, 0, tmp_path / "out", full=True)
    assert large.path is not None
    assert row.path is not None
    assert [Image.open(path).size for path in (large.path, shown(large.path))] == [(500, 400), (256, 205)]
    assert shown(row.path) == row.path
    assert "unweave.full_size" in lines_of(explorer, [large], {1: 0.9}, 0, full=True)
    assert "edits.png" in lines_of(explorer, [large, row], {1: 0.9}, 0, full=True)


def test_one_that_the_model_fails_on_is_passed_by(
    factored_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = Explorer(factored_run)
    edit = explorer.edit

    def failing(picked: Any, positions: Any) -> Any:
        if picked.name == "1":
            raise RuntimeError("out of memory")
        return edit(picked, positions)

    monkeypatch.setattr(explorer, "edit", failing)
    edited = list(edit_many(explorer, [0, 1, 2], {1: 0.9}, 0, tmp_path))
    assert [each.error for each in edited] == ["", "out of memory", ""]


def test_names_in_the_zip_lead_nowhere(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "edited.png")
    pictures = [EditedPicture(Path(name), tmp_path / "edited.png") for name in ("..\\..\\a.png", "b.png")]
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


def test_both_pictures_have_units_of_the_other(factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    picked, partner = explorer.pick(3, 0), explorer.partner(9)
    everything = list(range(explorer.factor_count))
    here, there = explorer.exchange(picked, partner, everything)
    assert (
        np.abs(here.astype(int) - explorer.pixels(explorer.prepare(partner.image, 0, "9").reconstruction)[0]).max() <= 1
    )
    assert np.abs(there.astype(int) - explorer.pixels(picked.reconstruction)[0]).max() <= 1
    with pytest.raises(ValueError, match="at most once"):
        explorer.exchange(picked, partner, [0, 0])
