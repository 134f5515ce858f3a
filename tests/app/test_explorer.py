import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from tests.evaluation.stored_json import stored

import unweave
from unweave.app import explorer as module
from unweave.app.argument_words import partner_word
from unweave.app.explorer import Explorer
from unweave.app.export import export_folder
from unweave.app.uploads import check_upload_size
from unweave.cli import edit as cli
from unweave.editing import verbs
from unweave.runs.factors import require_factors, write_factors
from unweave.runs.report_facts import ReportFacts
from unweave.runs.run import Run
from unweave.runs.units import unit_names
from unweave.tensors import to_images


@pytest.fixture
def explorer(quick_run: Run, tmp_path: Path) -> Explorer:
    shutil.copytree(quick_run.path, tmp_path / "copy")
    return Explorer(tmp_path / "copy")


def test_sliders_where_the_image_is_change_nothing(explorer: Explorer) -> None:
    picked = explorer.pick(5, None)
    edited, difference, command = explorer.edit(picked, picked.positions)
    assert np.array_equal(edited, module.to_pixels(picked.reconstruction))
    assert not difference.any()
    assert command == f"unweave edit reconstruct {explorer.run.path} 5"


@pytest.mark.parametrize("seed", [None, 0])
def test_the_command_makes_the_same_picture(explorer: Explorer, seed: int | None) -> None:
    picked = explorer.pick(7, seed)
    edited, _, command = explorer.edit(picked, [0.9, *picked.positions[1:]])
    words = shlex.split(command)
    assert words[:5] == ["unweave", "edit", "adjust", str(explorer.run.path), "7"]
    to = cli.parse_places(words[words.index("--to") + 1])
    again = verbs.adjust(words[3], [words[4]], to, seed=seed).images
    assert np.array_equal(module.to_pixels(again), edited)
    assert (again - picked.reconstruction).abs().max() > 0
    assert ("--seed" in words) == (seed is not None)


def test_every_verb_gives_pictures(explorer: Explorer) -> None:
    one, two = explorer.pick(1, None), explorer.pick(2, None)
    indices = range(len(explorer.units))
    swapped = dict(explorer.swap(one, two, indices))
    assert sorted(swapped) == list(indices)
    assert all(picture.shape == (1, 16, 16, 3) for picture in swapped.values())
    assert next(explorer.traverse(one, [0]))[1].shape == (module.STEPS, 16, 16, 3)
    between = explorer.interpolate(one, two)
    assert between.shape == (module.STEPS, 16, 16, 3)
    assert np.abs(between[0].astype(int) - module.to_pixels(one.reconstruction)[0]).max() <= 1
    assert explorer.attention(one, 0).width > 16
    rows = [row for row, _ in explorer.gallery(0, 5)]
    assert len(set(rows)) == 5


def test_the_gallery_rises(explorer: Explorer) -> None:
    rows = np.array([row for row, _ in explorer.gallery(0, 6)])
    images = to_images(explorer.run.dataset().images(rows))
    with torch.inference_mode():
        codes = explorer.method.encode(images)[:, explorer.units[0].units[0], 0].tolist()
    line = explorer.ranges[0]
    signed = [code * float(line.direction[0, 0]) for code in codes]
    assert signed == sorted(signed)


def test_names_are_shown_and_kept(explorer: Explorer) -> None:
    assert explorer.rename(0, "hue")[0] == "hue"
    assert explorer.names()[0] == "hue"
    assert unit_names(explorer.run) == {"hue": explorer.units[0].word}
    with pytest.raises(ValueError, match="name"):
        explorer.rename(1, "7")


def test_the_live_units_of_a_report_come_first(explorer: Explorer) -> None:
    facts = ReportFacts.from_json(stored("report-encdiff"))
    states = [("2", "live"), ("0", "dead"), ("1", "live"), ("0-1", "live")]  # the last is a range that somebody named
    units = [replace(facts.units[0], word=word, state=state) for word, state in states]
    report = replace(facts, weights=explorer.run.digest(), units=units).to_json()
    (explorer.run.path / "report.json").write_text(json.dumps(report))
    assert [unit.word for unit in Explorer(explorer.run).units] == ["2", "1"]
    for other in (json.dumps({**report, "weights": "others"}), "[", "[]", json.dumps({"weights": report["weights"]})):
        (explorer.run.path / "report.json").write_text(other)
        again = Explorer(explorer.run).units
        assert [unit.word for unit in again] == [unit.word for unit in explorer.units]


def test_uploads_are_images_of_a_size_or_refused(explorer: Explorer, tmp_path: Path) -> None:
    Image.new("L", (90, 50), 200).save(tmp_path / "grey.png")
    assert explorer.pick(tmp_path / "grey.png", 0, "grey.png").image.shape == (1, 3, 16, 16)
    (tmp_path / "evil.png").write_bytes(b"\x80\x04\x95cos\nsystem\n")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "program.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for name in ("evil.png", "empty.jpg", "program.png", "absent.png"):
        with pytest.raises(ValueError, match=name):
            explorer.pick(tmp_path / name, 0)
    bomb = tmp_path / "bomb.png"
    Image.new("1", (9_000, 9_000)).save(bomb, pnginfo=PngImagePlugin.PngInfo())
    with pytest.raises(ValueError, match="81,000,000 pixels"):
        explorer.pick(bomb, 0)
    for row in (-1, 10**9):
        with pytest.raises(ValueError, match="no row"):
            explorer.pick(row, 0)


def test_a_run_without_its_data_is_edited_all_the_same(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    picked = explorer.pick(1, 0)

    def no_dataset(self: Run) -> None:
        raise LookupError("gone")

    monkeypatch.setattr(Run, "dataset", no_dataset)
    dataless = Explorer(explorer.run)
    assert dataless.dataset is None
    assert dataless.examples() == []
    assert dataless.gallery(0) == []
    assert dataless.edit(picked, [0.5] * len(dataless.units))[0].shape == (1, 16, 16, 3)


def without_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Explorer:
    """The explorer of an exported folder, where the data are gone."""

    def no_dataset(self: Run) -> None:
        raise LookupError("gone")

    monkeypatch.setattr(Run, "dataset", no_dataset)
    return Explorer(unweave.from_pretrained(str(folder / "run")))


def test_an_exported_run_needs_neither_report_nor_data(
    diti_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = Explorer(diti_run)
    picked = explorer.pick(3, 0)
    expected = explorer.edit(picked, [0.9, *picked.positions[1:]])[0]
    folder = export_folder(explorer, tmp_path / "space")
    exported = without_data(folder, monkeypatch)
    assert [unit.word for unit in exported.units] == [unit.word for unit in explorer.units]
    assert len(exported.examples()) == 12
    again = exported.edit(exported.prepare(picked.image, 0, "3"), [0.9, *picked.positions[1:]])[0]
    assert np.abs(again.astype(int) - expected).max() <= 2  # its weights are halved


def test_commands_of_an_exported_folder_are_typed_in_it(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export_folder(Explorer(quick_run), tmp_path / "space")

    def no_dataset(self: Run) -> None:
        raise LookupError("gone")

    monkeypatch.setattr(Run, "dataset", no_dataset)
    monkeypatch.chdir(folder)
    exported = Explorer(unweave.from_pretrained(str(folder / "run")))
    command = exported.edit(exported.pick(exported.examples()[3][0], 0), [0.5] * len(exported.units))[2]
    words = shlex.split(command)
    assert words[3:5] == ["run", "run/examples/03.png"]
    to = cli.parse_places(words[words.index("--to") + 1])
    assert verbs.adjust(words[3], [words[4]], to, seed=0).images.shape[0] == 1


def test_groups_without_data_are_single_units(diti_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_dataset(self: Run) -> None:
        raise LookupError("gone")

    monkeypatch.setattr(Run, "dataset", no_dataset)
    words = [int(unit.word) for unit in Explorer(diti_run).units]
    assert words
    assert set(words) <= set(range(24))


def test_size_is_known_before_pixels_are_decoded(
    explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (9_000, 9_000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match="81,000,000 pixels"):
        explorer.pick(tmp_path / "bomb.png", 0)


def test_commands_of_odd_names_are_read_back(explorer: Explorer) -> None:
    picked = explorer.prepare(explorer.pick(1, 0).image, 0, "-my cat, big.png")
    words = shlex.split(explorer.command("swap", picked, ["--partners", partner_word(picked.name)]))
    assert words[4] == "./-my cat, big.png"
    assert cli.split_commas(words[words.index("--partners") + 1]) == ["./-my cat, big.png"]
    assert words[-2:] == ["--seed", "0"]


def test_commands_of_groups_move_groups(diti_run: Run) -> None:
    explorer = Explorer(diti_run)
    picked = explorer.pick(3, 0)
    _, frames = next(explorer.traverse(picked, [1]))
    word = explorer.units[1].word
    again = verbs.traverse(diti_run, [3], [word], seed=0).images
    assert np.array_equal(module.to_pixels(again[0, :, 0]), frames)


def test_groups_have_a_slider_each_and_methods_without_maps_say_so(diti_run: Run) -> None:
    explorer = Explorer(diti_run)
    assert [unit.word for unit in explorer.units] == list(diti_run.method().groups())
    picked = explorer.pick(3, 0)
    assert "--to" in explorer.edit(picked, [0.9, *picked.positions[1:]])[2]
    assert "diti has no attention maps" in explorer.why_no_attention()
    with pytest.raises(ValueError, match="no attention maps"):
        explorer.attention(picked, 0)


def test_more_units_than_there_are_are_not_swapped(explorer: Explorer) -> None:
    picked, partner = explorer.pick(0, 0), explorer.partner(1)
    for indices in ([0] * 300, range(300), [-1]):
        with pytest.raises(ValueError, match="at most once"):
            next(explorer.swap(picked, partner, indices))
        with pytest.raises(ValueError, match="at most once"):
            next(explorer.traverse(picked, indices))


def test_factors_come_first_and_move_whole(factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    assert [explorer.kind(index) for index in range(4)] == ["clear", "clear", "leftover", "unit"]
    assert [unit.word for unit in explorer.units[: explorer.factor_count]] == ["f1", "f2", "f3"]
    assert sorted(unit.word for unit in explorer.units[3:]) == ["0", "2"]  # units 1 and 3 are factors by themselves
    assert explorer.slider_labels()[:2] == ["f1 ↻", "f2, size"]
    picked = explorer.pick(7, 0)
    assert len(set(explorer.steps(0, 2))) == 2
    positions = [0.3, 0.9, *picked.positions[2:]]
    edited, _, command = explorer.edit(picked, positions)
    words = shlex.split(command)
    assert words[words.index("--to") + 1] == "f1=0.30,f2=0.90"
    assert "{'f1': 0.3, 'f2': 0.9})" in explorer.python_lines(picked, positions)
    again = verbs.adjust(words[3], [words[4]], cli.parse_places("f1=0.30,f2=0.90"), seed=0).images
    assert np.array_equal(module.to_pixels(again), edited)
    positions[2 + [unit.word for unit in explorer.units[2:]].index("0")] = 0.99
    assert not np.array_equal(explorer.edit(picked, positions)[0], edited)  # a unit goes before its factor
    _, frames = next(explorer.traverse(picked, [0]))
    _, half = next(explorer.traverse(picked, [0], 2))
    assert len(frames) == module.STEPS
    assert np.array_equal(frames[0], half[0])
    assert len(explorer.gallery(0, 5)) == 5


def test_states_are_places_of_the_slider(factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    assert explorer.states(0) == explorer.states(2) == []
    assert np.array(explorer.states(1)) == pytest.approx(np.array([[0.25, 0.4], [0.75, 0.6]]))
    picked = explorer.pick(7, 0)
    drawn = explorer.draw_at(picked, 1, [quantile for quantile, _ in explorer.states(1)])
    again = verbs.adjust(factored_run, [7], {"f2": "state2"}, seed=0).images
    assert np.abs(drawn[1].astype(int) - module.to_pixels(again)[0]).max() <= 1


def test_factors_are_named_here_and_never_by_a_word_that_has_moved(factored_run: Run) -> None:
    explorer = Explorer(factored_run)
    assert explorer.rename(0, "hue")[0] == "hue"
    found = require_factors(factored_run)
    assert found.factors[0].name == "hue"
    write_factors(factored_run, replace(found, factors=found.factors[1:]))
    assert explorer.names()[:2] == ["f1", "f1, size"]
    with pytest.raises(ValueError, match="changed since"):
        explorer.rename(0, "wall")


def test_an_exported_run_keeps_its_factors(factored_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = Explorer(factored_run)
    folder = export_folder(explorer, tmp_path / "space")
    exported = without_data(folder, monkeypatch)
    assert [unit.word for unit in exported.units] == [unit.word for unit in explorer.units]
    assert exported.slider_labels() == explorer.slider_labels()
    np.testing.assert_allclose(exported.states(1), explorer.states(1))


def test_factors_of_earlier_weights_have_no_sliders(factored_run: Run) -> None:
    write_factors(factored_run, replace(require_factors(factored_run), weights="0" * 16))
    assert Explorer(factored_run).factor_count == 0


def test_a_small_file_of_many_pages_is_no_small_upload(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(
        tmp_path / "many.tif", np.zeros((40, 2_000, 2_000), np.uint8), photometric="minisblack", compression="zlib"
    )
    assert (tmp_path / "many.tif").stat().st_size < 1 << 20
    with pytest.raises(ValueError, match="the image has 53,333,333 pixels; at most"):
        check_upload_size(tmp_path / "many.tif")
