import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import unweave
from unweave.evaluation.report import page, report, unit_facts
from unweave.evaluation.report.page import Pictures
from unweave.method import Sampling
from unweave.runs import units as choosing
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


def test_the_page_stands_alone_and_says_what_the_json_says(copy: Run) -> None:
    choosing.name_unit(copy, 1, "<b>hue & size</b>")
    made = report.report(copy, sampling=FEW)
    text = made.page.read_text()
    shown = Page(text)
    assert shown.open == []
    assert not [tag for tag, _ in shown.seen if tag in ("script", "link", "iframe")]
    images = [attributes for tag, attributes in shown.seen if tag == "img"]
    assert images
    assert all((of["src"] or "").startswith("data:image/") and of["alt"] for of in images)
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert "&lt;b&gt;hue &amp; size&lt;/b&gt;" in text
    assert "<b>hue" not in text
    facts = json.loads(made.json.read_text())
    assert facts == json.loads(json.dumps(made.facts))
    links = {of["href"] for tag, of in shown.seen if tag == "a"}
    anchors = {f"#{of['id']}" for _, of in shown.seen if "id" in of}
    assert links == anchors
    assert len(links) == sum(unit["state"] == "live" for unit in facts["units"])
    assert [unit["amount"] for unit in facts["units"]] == sorted((u["amount"] for u in facts["units"]), reverse=True)
    assert sum(unit["share"] for unit in facts["units"]) == pytest.approx(1)
    for unit in facts["units"]:
        assert sum(unit["histogram"]["counts"]) == facts["settings"]["rows"]
        assert len(unit["correlations"]) == len(facts["units"]) - 1


def test_the_ends_of_a_unit_are_its_ends(quick_run: Run, tmp_path: Path) -> None:
    facts = report.report(quick_run, sampling=FEW, output=tmp_path / "r.html").facts
    codes = unweave.encode(quick_run)["codes"][:, :, 0]
    unit = facts["units"][0]
    column = codes[:, int(unit["word"])]
    assert column[unit["lowest"]].max() < np.quantile(column, 0.05)
    assert column[unit["highest"]].min() > np.quantile(column, 0.95)
    again = report.report(quick_run, sampling=FEW, output=tmp_path / "s.html").facts
    assert {**facts, "seconds": 0} == {**again, "seconds": 0}


def test_a_report_is_kept_when_there_is_a_newer_one(copy: Run, tmp_path: Path) -> None:
    first = report.report(copy, sampling=FEW).page.read_text()
    report.report(copy, sampling=FEW, seed=1)
    assert (copy.path / "report-1.html").read_text() == first
    assert (copy.path / "report-1.json").is_file()
    taken = tmp_path / "page.json"
    taken.write_text("mine")
    with pytest.raises(FileExistsError, match=r"page\.json"):
        report.report(copy, sampling=FEW, output=tmp_path / "page.html")
    assert taken.read_text() == "mine"
    with pytest.raises(ValueError, match=r"\.html"):
        report.report(copy, sampling=FEW, output=tmp_path / "page.pdf")


def test_groups_and_vectors_have_a_card_each(diti_run: Run, disdiff_run: Run, tmp_path: Path) -> None:
    facts = report.report(diti_run, sampling=FEW, output=tmp_path / "diti.html").facts
    assert {unit["word"] for unit in facts["units"]} == set(diti_run.method().groups())
    assert {unit["numbers"] for unit in facts["units"]} == {4, 12, 8}
    facts = report.report(disdiff_run, sampling=FEW, output=tmp_path / "disdiff.html").facts
    assert len(facts["units"]) == 4
    assert all(0 < unit["explained"] <= 1 for unit in facts["units"])


def test_units_that_copy_and_units_that_are_dead_are_folded() -> None:
    rng = np.random.default_rng(0)
    free = rng.normal(size=(500, 2))
    values = np.stack([free[:, 0], -2 * free[:, 0] + 0.01 * free[:, 1], free[:, 1], free[:, 1] ** 2], 1)
    units = [{"word": str(at)} for at in range(4)]
    unit_facts._fold(units, [0, 1, 2, 3], [True, True, True, False], values)
    assert [unit["state"] for unit in units] == ["live", "copy", "live", "dead"]
    assert units[1]["copy of"] == "0"


def test_a_unit_follows_what_it_tells_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 2, 400), rng.integers(0, 40, 400), np.arange(400), np.zeros(400, int)], 1)
    values = np.stack([factors[:, 0] + 0.1 * rng.normal(size=400), rng.normal(size=400)], 1)
    units: list[dict] = [{}, {}]
    unit_facts._follow(units, values, factors, ["two", "forty", "row", "still"])
    assert units[0]["follows"]["factor"] == "two"
    assert units[0]["follows"]["information"] > 0.9
    assert units[0]["follows"]["purity"] > 0.8
    assert set(units[0]["follows"]["all"]) == {"two", "forty"}
    assert "follows" not in units[1]


@pytest.mark.slow
def test_a_page_of_photographs_stays_below_five_megabytes(copy: Run) -> None:
    facts = report.report(copy, sampling=FEW).facts
    photo = load_sample_image("china.jpg")  # 427 x 640: detail everywhere
    shown = np.stack([photo[at : at + 128, 2 * at : 2 * at + 128] for at in range(0, 240, 20)])
    unit, pictures = facts["units"][0], Pictures(under=shown[0])
    words = [str(at) for at in range(unit_facts.MOST)]
    facts["units"] = [{**unit, "word": word, "name": word, "correlations": {}} for word in words]
    for word in words:
        pictures.strips[word] = [shown[: unit_facts.STEPS]] * unit_facts.SHOWN
        pictures.maps[word] = shown[0].mean(2)
        pictures.ends |= {(word, end): shown[: unit_facts.EXTREMES] for end in ("lowest", "highest")}
    assert len(page.page(facts, pictures)) < 5e6


def test_a_method_without_start_says_one_reconstruction(tmp_path: Path) -> None:
    run = unweave.train(
        "betavae",
        data={"name": "sprites", "size": 32},
        training={"images": 64, "batch": 32, "precision": "float32"},
        run=tmp_path / "vae",
    )
    facts = report.report(run).facts
    assert list(facts["reconstruction"]) == ["units alone"]


def test_of_other_images_than_its_own(copy: Run, tmp_path: Path) -> None:
    own = report.report(copy, sampling=FEW)
    np.savez(tmp_path / "others.npz", images=np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8))
    other = report.report(copy, data=str(tmp_path / "others.npz"), sampling=FEW)
    assert other.page == own.page.with_stem("report-others")
    assert copy.own_report() == json.loads(own.json.read_text())
    assert not other.facts["data"]["trained on"]
    assert "not the images that the run was trained on" in other.page.read_text()


def test_what_is_no_run() -> None:
    with pytest.raises(LookupError, match="nowhere"):
        report.report("nowhere")
