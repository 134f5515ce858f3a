import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from unweave.cli.main import app
from unweave.evaluation.contrast.contrast import contrast
from unweave.evaluation.run_editor import RunEditor
from unweave.factors.factor import Factor
from unweave.factors.measurements import MEASUREMENTS
from unweave.files import UnwritableError
from unweave.method import Sampling
from unweave.methods.lord import LORD
from unweave.runs.data import dataset_for
from unweave.runs.factors import RunFactors, write_factors
from unweave.runs.run import Run

FAST = Sampling("dpmsolver++", 2)
MODULE = "unweave.evaluation.contrast.contrast"


def save(folder: Path, brightness: int, count: int = 12, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for number in range(count):
        plate = folder / f"p{number // 3}"
        plate.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 60, (16, 16, 3), dtype=np.uint8) + np.uint8(brightness)
        Image.fromarray(pixels).save(plate / f"{folder.name}{number}.png")
    return folder


@pytest.fixture(scope="module")
def dark_and_bright(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    top = tmp_path_factory.mktemp("groups")
    return save(top / "dark", 20), save(top / "bright", 180, seed=1)


def test_groups_that_differ_are_told_apart_on_a_page(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = map(str, dark_and_bright)
    found = contrast(quick_run, a, b, sampling=FAST, output=tmp_path / "c.html")
    facts = json.loads((tmp_path / "c.json").read_text())
    assert facts["names"] == ["dark", "bright"]
    assert facts["rows"] == [12, 12]
    assert facts["design"] == "rows"
    assert abs(found.facts.units[0].difference.delta) > 0.4
    assert [unit["adjusted"] for unit in facts["units"]] == sorted(unit["adjusted"] for unit in facts["units"])
    assert found.facts.ceiling.low <= found.facts.ceiling.auroc <= found.facts.ceiling.high
    assert found.facts.units[0].change >= 0
    page = (tmp_path / "c.html").read_text()
    assert page.count("<article>") == len(facts["units"])
    assert "How bright differs from dark" in page
    assert "give --replicate folders" in caplog.text
    with pytest.raises(FileExistsError, match="is there already"):
        contrast(quick_run, a, b, output=tmp_path / "c.html")


def test_pictures_of_both_groups_are_shown_and_rebuilt(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr(f"{MODULE}.render_contrast", lambda facts, pictures, examples: shown.append(examples) or "")
    a, b = map(str, dark_and_bright)
    contrast(quick_run, a, b, sampling=FAST, output=tmp_path / "c.html")
    ((dark, bright),) = shown
    assert [len(row) for row in (*dark, *bright)] == [8] * 4
    assert dark[0].max() < bright[0].min()
    editor = RunEditor(quick_run.method(), dataset_for(quick_run, a), FAST, 0)
    rows = np.random.default_rng(0).permutation(12)[:8]
    assert torch.equal(dark[0], editor.images(rows).cpu())
    assert torch.allclose(dark[1], editor.reconstruct(rows).cpu(), atol=1e-4)


def test_pictures_are_not_rebuilt_without_a_decoder(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr(f"{MODULE}.render_contrast", lambda facts, pictures, examples: shown.append(examples) or "")
    monkeypatch.setattr(f"{MODULE}.Generative", LORD)  # of which this run is none
    contrast(quick_run, *map(str, dark_and_bright), sampling=FAST, output=tmp_path / "c.html")
    assert [len(group) for group in shown[0]] == [1, 1]


def test_what_a_factor_is_named_after_is_measured_in_both_groups(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = map(str, dark_and_bright)
    names = ["brightness of the picture", "brightness of the centre", "hue of the picture", None]
    factors = [Factor((unit,), 0.1, measured=name, agreement=name and 0.9) for unit, name in enumerate(names)]
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))
    write_factors(run, RunFactors(tuple(factors), run.digest(), 200, 0))
    found = contrast(run, a, b, sampling=FAST, output=tmp_path / "c.html").facts
    medians = {unit.word: unit.measured for unit in found.units}
    assert medians.pop("f1") == pytest.approx((50 / 255, 210 / 255), abs=0.01)
    assert set(medians.values()) == {None}
    assert (tmp_path / "c.html").read_text().count("Measured: median") == 1
    units = contrast(run, a, b, single_units=True, sampling=FAST, output=tmp_path / "u.html").facts
    assert (found.kind, units.kind) == ("factors", "units")
    assert {unit.measured for unit in units.units} == {None}


def test_what_is_undefined_in_most_pictures_of_a_group_has_no_median(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = map(str, dark_and_bright)

    def measure(pictures: np.ndarray, regions: np.ndarray) -> np.ndarray:
        table = np.ones((1, len(pictures), len(MEASUREMENTS)))
        table[:, : 7 * len(pictures) // 12] = np.nan
        return table

    monkeypatch.setattr(f"{MODULE}.measure_pictures", measure)
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))
    factor = Factor((0,), 0.1, measured="elongation of the object", agreement=0.9)
    write_factors(run, RunFactors((factor,), run.digest(), 200, 0))
    contrast(run, a, b, sampling=FAST, output=tmp_path / "c.html")
    assert [unit["measured"] for unit in json.loads((tmp_path / "c.json").read_text())["units"]] == [None]


def test_replicates_of_folders_stay_together(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = map(str, dark_and_bright)
    nested = contrast(quick_run, a, b, replicate="folders", sampling=FAST, output=tmp_path / "c.html")
    assert (nested.facts.design, nested.facts.replicates) == ("nested", (4, 4))
    assert nested.facts.smallest_p == pytest.approx(2 / 70)
    table = tmp_path / "plates.csv"
    files = [file for folder in dark_and_bright for file in sorted(folder.rglob("*.png"))]
    table.write_text("file,plate\n" + "".join(f"{file.name},{file.name[:3]}{i // 6}\n" for i, file in enumerate(files)))
    with pytest.raises(ValueError, match="2 and 2 replicates: 3 of each are needed"):
        contrast(quick_run, a, b, replicate=f"{table}:plate", output=tmp_path / "d.html")


def test_pages_are_refused_before_the_work_or_set_aside(
    quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = map(str, dark_and_bright)
    with pytest.raises(ValueError, match=r"must end in \.html"):
        contrast(quick_run, a, b, output=tmp_path / "c.json")
    (tmp_path / "c.json").write_text("mine")
    with pytest.raises(FileExistsError, match=r"c\.json is there already"):
        contrast(quick_run, a, b, output=tmp_path / "c.html")
    first = contrast(quick_run, a, b, sampling=FAST)
    facts = first.json.read_text()
    contrast(quick_run, a, b, seed=1, sampling=FAST)
    assert first.json.with_stem(f"{first.json.stem}-1").read_text() == facts
    assert first.page.with_stem(f"{first.page.stem}-1").is_file()
    monkeypatch.setattr("unweave.files.is_writable", lambda path: False)
    with pytest.raises(UnwritableError):
        contrast(quick_run, a, b, output=tmp_path / "d.html")


def test_facts_of_a_read_only_run_are_given(
    quick_run: Run,
    dark_and_bright: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = set(quick_run.path.iterdir())
    monkeypatch.setattr("unweave.evaluation.contrast.contrast.is_writable", lambda path: False)
    words = ["contrast", str(quick_run.path), *map(str, dark_and_bright), "--steps", "2", "--json"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0
    facts = json.loads(said.stdout)
    assert facts["page"] is None
    assert facts["names"] == ["dark", "bright"]
    assert "--output keeps it elsewhere" in caplog.text
    assert set(quick_run.path.iterdir()) == before


def test_what_cannot_be_compared_is_named(quick_run: Run, dark_and_bright: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a column is named as FILE\.csv:COLUMN"):
        contrast(quick_run, str(dark_and_bright[0]), str(dark_and_bright[1]), replicate="plate")
    with pytest.raises(ValueError, match="are no files, which a table could name"):
        contrast(quick_run, "1", "2", by=f"{tmp_path}/f.csv:size")


def test_the_command_is_there() -> None:
    assert "contrast" in [command.name for command in app.registered_commands]
