from pathlib import Path

import pytest
from tests.conftest import QUICK

import unweave
from unweave.cli import first_looks
from unweave.cli.first_looks import FirstLooks
from unweave.evaluation.report.first_look import UnitLook, is_first_look


def test_looks_are_drawn_and_change_nothing_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(first_looks, "FIRST", 0.0)
    monkeypatch.setattr(first_looks, "AGAIN", 0.0)
    monkeypatch.setattr(first_looks, "SHARE", 0.0)
    monkeypatch.setattr(first_looks.webbrowser, "open", lambda address: opened.append(address) is None)
    training = {"images": 48, "batch": 16, "precision": "float32"}
    options = {"data": {"name": "sprites", "size": 16}, "method": QUICK, "training": training}
    (tmp_path / "looks").mkdir()
    page = tmp_path / "looks" / "page.html"
    page.write_text("mine")
    looked = unweave.train("encdiff", **options, run=tmp_path / "a", callbacks=[FirstLooks(page, True)])
    alone = unweave.train("encdiff", **options, run=tmp_path / "b")
    assert looked.digest() == alone.digest()
    assert is_first_look(page)
    assert "the report is being made" in page.read_text()
    assert (tmp_path / "looks" / "page-1.html").read_text() == "mine"
    assert opened == [page.resolve().as_uri()]


def test_a_look_overwrites_no_report_and_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, looks = tmp_path / "page.html", list[int]()

    def look(*_: object) -> list[UnitLook]:
        looks.append(len(looks))
        if len(looks) == 2:
            page.write_text("a report")  # of another process
        if len(looks) == 3:
            raise RuntimeError("out of memory")
        return []

    for name in ("FIRST", "AGAIN", "SHARE"):
        monkeypatch.setattr(first_looks, name, 0.0)
    monkeypatch.setattr(first_looks, "strongest_units", look)
    messages = list[str]()
    monkeypatch.setattr(first_looks.progress, "message", messages.append)
    training = {"images": 64, "batch": 16, "precision": "float32"}
    options = {"data": {"name": "sprites", "size": 16}, "method": QUICK, "training": training}
    run = unweave.train("encdiff", **options, run=tmp_path / "a", callbacks=[FirstLooks(page, False)])
    assert run.state()["seen"] == 64
    assert len(looks) == 3
    assert (tmp_path / "page-1.html").read_text() == "a report"
    assert is_first_look(page)
    assert len([text for text in messages if "out of memory" in text]) == 1
