"""unweave data ..., as it is typed."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from unweave.cli.data import data_table
from unweave.cli.main import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["unweave", "data", *words])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for person in "ab":
        (tmp_path / "photos" / person).mkdir(parents=True)
        for i in range(4):
            picture = Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
            picture.save(tmp_path / "photos" / person / f"{i}.png")
    return tmp_path / "photos"


def test_info_of_a_folder_with_labels(monkeypatch, capsys, photos, tmp_path):
    sheet = tmp_path / "sheet.png"
    words = [str(photos), "labels=folders", "size=16", "--picture", str(sheet), "--json"]
    assert run(monkeypatch, "info", *words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["images"], printed["factors"], printed["contact sheet"]) == (8, {"folder": 2}, str(sheet))
    assert Image.open(sheet).width > 100
    assert run(monkeypatch, "info", *words) == 1
    assert "sheet.png" in capsys.readouterr().err
    assert run(monkeypatch, "info", str(photos)) == 0
    assert "contact sheet" in capsys.readouterr().out


def test_settings_may_be_written_as_for_training(monkeypatch, capsys, photos):
    assert run(monkeypatch, "info", str(photos), "data.labels=folders", "data.size=16", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["shape"], printed["factors"]) == ([3, 16, 16], {"folder": 2})
    for word in ("path=2024-05-01", "data.path=2024-05-01"):
        assert data_table("rooms", [word])["path"] == "2024-05-01"  # a name, not a date


def test_settings_of_data_are_checked(monkeypatch, capsys, photos):
    assert run(monkeypatch, "info", str(photos), "sise=16") == 1
    assert "data.sise is not a setting. Did you mean 'size'" in capsys.readouterr().err
    assert run(monkeypatch, "info", "romms") == 1
    assert "Did you mean 'rooms'" in capsys.readouterr().err


def test_list_knows_what_is_here(monkeypatch, capsys):
    assert run(monkeypatch, "list", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rooms"]["here"] == "built in"
    assert printed["shapes3d"]["here"].startswith("no")
    assert run(monkeypatch, "list") == 0
    assert "hf://OWNER/NAME" in capsys.readouterr().out


def test_the_cache_is_shown_and_cleared(monkeypatch, capsys, photos, tmp_path):
    monkeypatch.setenv("UNWEAVE_CACHE", str(tmp_path / "cache"))
    assert run(monkeypatch, "info", str(photos)) == 0
    capsys.readouterr()
    assert run(monkeypatch, "cache", "--json") == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["name"], entry["images"], entry["whole"]) == ("photos", 8, True)
    assert run(monkeypatch, "cache", "--clear", "foto") == 1
    assert "It has: photos" in capsys.readouterr().err
    assert run(monkeypatch, "cache", "--clear", "photos") == 0
    assert list((tmp_path / "cache" / "sets").iterdir()) == []


def test_the_doctor_names_a_damaged_file(monkeypatch, capsys, photos):
    (photos / "a" / "9.png").write_bytes(b"no image")
    assert run(monkeypatch, "doctor", str(photos), "--json") == 0
    assert "9.png" in capsys.readouterr().out


def test_findings_are_a_table_with_names_as_they_are(monkeypatch, capsys, tmp_path):
    (tmp_path / "[red]").mkdir()
    Image.new("RGB", (40, 40), (200, 0, 0)).save(tmp_path / "[red]" / "[bold]a.png")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))
    picture.save(tmp_path / "[red]" / "b.png")
    assert run(monkeypatch, "doctor", str(tmp_path / "[red]")) == 0
    printed = capsys.readouterr().out
    assert "[bold]a.png" in printed
    assert "[red]: 2 images; " in printed


def test_a_healthy_folder_has_nothing_wrong(monkeypatch, capsys, photos):
    assert run(monkeypatch, "doctor", str(photos), "size=16") == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_an_unknown_set_cannot_be_got(monkeypatch, capsys):
    assert run(monkeypatch, "get", "shapes3") == 1
    assert "Did you mean 'shapes3d'" in capsys.readouterr().err


def test_a_missing_library_is_named_with_its_remedy(monkeypatch, capsys, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unweave.data.open.open_data", lambda table: absent())
        np.savez(tmp_path / "a.npz", images=np.full((2, 8, 8), 9, np.uint8))
        assert run(monkeypatch, "info", str(tmp_path / "a.npz")) == 1
    assert capsys.readouterr().err == "error: reading HDF5 needs h5py: pip install 'unweave[data]'\n"


def absent():
    raise ImportError("reading HDF5 needs h5py: pip install 'unweave[data]'")
