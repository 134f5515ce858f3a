import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Recorder
from tests.evaluation.shades import Shades, shade_dataset
from tests.evaluation.stored_json import key_tree, stored

import unweave
from unweave import progress
from unweave.evaluation.factor_names import EncodedRows
from unweave.evaluation.report.measure_factors import measure_factors
from unweave.evaluation.report.report import report
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import swaps_of_rows
from unweave.method import Sampling
from unweave.runs.factors import FACTORS_FILE, require_factors, write_factors
from unweave.runs.run import Run

FEW = Sampling("ddim", 2)


class Page(HTMLParser):
    """Tags that are open, and every attribute that was seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


@pytest.fixture
def copy(quick_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(quick_run.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


@pytest.mark.slow
def test_the_page_stands_alone_and_says_what_the_json_says(copy: Run) -> None:
    unweave.name_unit(copy, 1, "<b>hue & size</b>")
    written = report(copy, sampling=FEW)
    assert "<iframe srcdoc=" in written._repr_html_()
    text = written.page.read_text()
    page = Page(text)
    assert page.open == []
    assert not [tag for tag, _ in page.seen if tag in ("script", "link", "iframe")]
    images = [attributes for tag, attributes in page.seen if tag == "img"]
    assert images
    assert all((image["src"] or "").startswith("data:image/") and image["alt"] for image in images)
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert "&lt;b&gt;hue &amp; size&lt;/b&gt;" in text
    assert "<b>hue" not in text
    facts = written.facts
    assert json.loads(written.json.read_text()) == json.loads(json.dumps(facts.to_json()))
    links = {attributes["href"] for tag, attributes in page.seen if tag == "a"}
    anchors = {f"#{attributes['id']}" for _, attributes in page.seen if "id" in attributes}
    assert links == anchors
    assert len(links) == len(facts.in_state("live")) + sum(factor.shown for factor in facts.factors)
    amounts = [unit.swap.amount for unit in facts.units]
    assert amounts == sorted(amounts, reverse=True)
    assert sum(unit.swap.share for unit in facts.units) == pytest.approx(1)
    for unit in facts.units:
        assert sum(unit.values.histogram.counts) == facts.settings.rows
        assert len(unit.values.correlations) == len(facts.units) - 1


@pytest.mark.long
def test_the_ends_of_a_unit_are_its_ends(copy: Run, tmp_path: Path) -> None:
    facts = report(copy, sampling=FEW, output=tmp_path / "r.html").facts
    codes = unweave.encode(copy)["codes"][:, :, 0]
    unit = facts.units[0]
    column = codes[:, int(unit.word)]
    assert column[unit.lowest].max() < np.quantile(column, 0.05)
    assert column[unit.highest].min() > np.quantile(column, 0.95)
    recorder = Recorder()
    with progress.use(recorder):
        again = report(copy, sampling=FEW, output=tmp_path / "s.html").facts
    assert replace(facts, seconds=0.0).to_json() == replace(again, seconds=0.0).to_json()
    updates = recorder.updates_of("looking at units")
    assert [update.done for update in updates] == [64, 128, 192, 256, 256, 352]  # images: four units, those rebuilt
    live = sum(unit.state == "live" for unit in facts.units)
    assert updates[-1].total == 352 + live * 7 * 3
    assert [update.note for update in updates[-2:]] == ["reconstructions", "traversals"]


@pytest.mark.slow
def test_a_report_is_kept_when_there_is_a_newer_one(copy: Run, tmp_path: Path) -> None:
    first = report(copy, sampling=FEW).page.read_text()
    report(copy, sampling=FEW, seed=1)
    assert (copy.path / "report-1.html").read_text() == first
    assert (copy.path / "report-1.json").is_file()
    mine = tmp_path / "page.json"
    mine.write_text("mine")
    with pytest.raises(FileExistsError, match=r"page\.json"):
        report(copy, sampling=FEW, output=tmp_path / "page.html")
    assert mine.read_text() == "mine"
    with pytest.raises(ValueError, match=r"\.html"):
        report(copy, sampling=FEW, output=tmp_path / "page.pdf")


@pytest.mark.long
def test_groups_and_vectors_have_a_card_each(diti_run: Run, disdiff_run: Run, tmp_path: Path) -> None:
    diti_run, disdiff_run = (
        Run(shutil.copytree(run.path, tmp_path / name)) for run, name in ((diti_run, "diti"), (disdiff_run, "disdiff"))
    )
    facts = report(diti_run, sampling=FEW, output=tmp_path / "diti.html").facts
    assert {unit.word for unit in facts.units} == set(diti_run.method().groups())
    assert {unit.size for unit in facts.units} == {4, 12, 8}
    facts = report(disdiff_run, sampling=FEW, output=tmp_path / "disdiff.html").facts
    assert len(facts.units) == 4
    assert all(0 < unit.values.explained <= 1 for unit in facts.units)


@pytest.mark.long
def test_a_method_without_start_says_one_reconstruction(tmp_path: Path) -> None:
    run = unweave.train(
        "betavae",
        data={"name": "sprites", "size": 32},
        training={"images": 64, "batch": 32, "precision": "float32"},
        run=tmp_path / "vae",
    )
    facts = report(run).facts
    assert facts.reconstruction.units_alone.psnr > 0
    assert facts.reconstruction.inverted is None


def test_of_other_images_than_its_own(copy: Run, tmp_path: Path) -> None:
    own = report(copy, sampling=FEW)
    np.savez(tmp_path / "others.npz", images=np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8))
    other = report(copy, data=str(tmp_path / "others.npz"), sampling=FEW)
    assert other.page == own.page.with_stem("report-others")
    assert copy.own_report().to_json() == own.facts.to_json()
    assert not other.facts.data.trained_on
    assert "not the images that the run was trained on" in other.page.read_text()


def test_what_is_no_run() -> None:
    with pytest.raises(LookupError, match="nowhere"):
        report("nowhere")


def test_damaged_factors_are_said_before_anything_is_drawn(copy: Run) -> None:
    (copy.path / FACTORS_FILE).write_text("[")
    recorder = Recorder()
    with progress.use(recorder), pytest.raises(ValueError, match=r"factors\.json is damaged"):
        report(copy, sampling=FEW)
    assert not recorder.updates


def test_without_factors_nothing_is_measured() -> None:
    dataset, rows = shade_dataset(40), np.arange(40)
    encoded = EncodedRows(dataset, rows, np.zeros((40, 4, 1)))
    swaps = swaps_of_rows(RunEditor(Shades(), dataset, FEW, 0), rows)
    recorder = Recorder()
    with progress.use(recorder):
        assert measure_factors([], encoded, swaps, 0) == measure_factors([], encoded, None, 0) == ([], {})
    assert not recorder.updates


def test_the_json_has_the_keys_that_it_had(copy: Run, tmp_path: Path) -> None:
    new = json.loads(report(copy, sampling=FEW, output=tmp_path / "r.html").json.read_text())
    before = stored("report-encdiff")
    new_units, units_before = new.pop("units"), before.pop("units")
    assert {"units", "name", "verdict", "coordinate", "states"} <= new.pop("factors")[0].keys()
    assert {"copies", "real copies", "by heart"} <= new.pop("memorised").keys()
    assert {"drawing", "outliers", "near duplicates"} == new.pop("map").keys()
    assert key_tree(new) == key_tree(before)
    optional = {"copy of", "follows", "lowest", "highest"}
    for unit, unit_before in ((unit, other) for unit in new_units for other in units_before):
        assert unit.keys() | optional == unit_before.keys() | optional
        for key in ("range", "histogram"):
            assert key_tree(unit[key]) == key_tree(unit_before[key])


def test_a_run_keeps_no_report_that_cannot_be_read(copy: Run) -> None:
    facts = report(copy, sampling=FEW).facts
    assert copy.own_report().to_json() == facts.to_json()
    for content in ("[", "[]", "{}", json.dumps({**facts.to_json(), "weights": "others"})):
        (copy.path / "report.json").write_text(content)
        assert copy.own_report() is None


@pytest.mark.slow
def test_factors_are_found_once_named_and_kept(copy: Run, tmp_path: Path) -> None:
    recorder = Recorder()
    with progress.use(recorder):
        facts = report(copy, sampling=FEW).facts
    assert sorted(unit for each in facts.factors for unit in each.factor.units) == list(range(4))
    kept = require_factors(copy)
    assert [factor.units for factor in kept.factors] == [each.factor.units for each in facts.factors]
    states = sum(len(each.factor.states) for each in facts.factors if each.shown)
    shown = sum(each.shown for each in facts.factors)
    assert [update.done for update in recorder.updates_of("looking at units")][:5] == [0] * 5  # drawn to find factors
    assert recorder.updates_of("looking at factors")[0].total == shown * 7 * 3 + states
    write_factors(copy, kept.with_factor(0, kept.factors[0].named("mine")))
    again = report(copy, sampling=FEW, output=tmp_path / "again.html")
    assert again.facts.factors[0].factor.name == "mine"
    assert ">mine" in again.page.read_text()
    assert json.loads(again.json.read_text())["factors"][0]["name"] == "mine"
