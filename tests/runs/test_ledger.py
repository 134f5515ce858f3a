import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import QUICK
from typer.testing import CliRunner

import unweave
from unweave.cli import main
from unweave.runs import codes, ledger
from unweave.runs.data import dataset_for
from unweave.runs.ledger import UnconfirmedError
from unweave.runs.run import Run


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run on a file, trained here, with a ledger of its own."""
    monkeypatch.setenv("UNWEAVE_STATE", str(tmp_path / "state"))
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, factors=np.arange(40)[:, None] % 4)
    training = {"images": 32, "batch": 16, "precision": "float32"}
    data = {"name": "npz", "path": str(tmp_path / "mine.npz"), "size": 16}
    return unweave.train("encdiff", data=data, method=QUICK, training=training, run=tmp_path / "run")


def test_a_run_trained_here_reads_its_data_and_keeps_its_codes(ours: Run) -> None:
    assert ledger.is_trained_here(ours.path)
    assert len(ours.dataset()) == 40
    assert codes.table_folder(ours) == ours.path / "codes"
    unweave.train(ours.path, resume=True)


def test_a_run_from_elsewhere_is_data(ours: Run, tmp_path: Path) -> None:
    theirs = Run(shutil.copytree(ours.path, tmp_path / "copy"))
    path = tmp_path / "mine.npz"

    def scored() -> object:  # by commands that have --data
        return dataset_for(theirs, None, "all")

    for read in (
        theirs.dataset,
        scored,
        lambda: codes.encode(theirs),
        lambda: unweave.train(theirs.path, resume=True),
        lambda: unweave.swap(theirs, images=[0]),
    ):
        with pytest.raises(UnconfirmedError, match=rf"asks? to read {path}.*unweave data confirm") as refused:
            read()
        assert ("--data" in str(refused.value)) == (read is scored)
    assert len(dataset_for(theirs, str(path))) == 40  # --data asks for it
    said = CliRunner().invoke(main.app, ["data", "confirm", str(path)])
    assert said.exit_code == 0, said.output
    assert len(theirs.dataset()) == 40


def test_codes_that_came_with_a_run_are_not_believed(ours: Run, tmp_path: Path) -> None:
    rows, dataset = np.arange(40), ours.dataset()
    table = codes.code_table(ours, dataset, rows, 0, "averaged")
    (file,) = (ours.path / "codes").iterdir()
    np.savez(file, codes=table + 1)
    theirs = Run(shutil.copytree(ours.path, tmp_path / "copy"))
    for _ in range(2):  # made, and read from the cache
        assert (codes.code_table(theirs, dataset, rows, 0, "averaged") == table).all()
    assert not codes.table_folder(theirs).is_relative_to(theirs.path)


def test_changed_settings_are_those_of_somebody_else(ours: Run, tmp_path: Path) -> None:
    settings = ours.path / "settings.toml"
    settings.write_text(settings.read_text().replace("mine.npz", "secret.npz"))
    with pytest.raises(UnconfirmedError, match=r"secret\.npz"):
        Run(ours.path).dataset()


def test_names_that_unweave_knows_are_open(quick_run: Run, tmp_path: Path) -> None:
    theirs = Run(shutil.copytree(quick_run.path, tmp_path / "copy"))
    assert not ledger.is_trained_here(theirs.path)
    assert len(theirs.dataset()) > 0


def test_where_there_is_no_place_for_the_ledger_training_goes_on(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNWEAVE_STATE", str(tmp_path / "file" / "state"))
    ledger.enter(Path(shutil.copytree(quick_run.path, tmp_path / "run")))
    assert "not noted as trained here" in caplog.text
    assert "set UNWEAVE_STATE" in caplog.text
    with pytest.raises(OSError, match=r"cannot be written .*: set UNWEAVE_STATE"):
        ledger.confirm(tmp_path)


@pytest.mark.parametrize("content", ["", '{"runs": {}}', '{"runs": {}, "confirmed": [3]}', "[1]"])
def test_a_damaged_ledger_is_kept_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    monkeypatch.setenv("UNWEAVE_STATE", str(tmp_path))
    (tmp_path / "trained.json").write_text(content)
    assert not ledger.is_trained_here(tmp_path)
    assert "remove it" in caplog.text
    assert (tmp_path / "trained.json").read_text() == content
    ledger.confirm("photos")
    assert f"kept as {tmp_path / 'trained.json.damaged'}" in caplog.text
    assert (tmp_path / "trained.json.damaged").read_text() == content
    assert json.loads((tmp_path / "trained.json").read_text()) == {"runs": {}, "confirmed": ["photos"]}


def test_a_process_that_a_command_starts_opens_what_the_command_was_asked_to_open(
    ours: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, other = (Run(shutil.copytree(ours.path, tmp_path / name)) for name in ("copy", "other"))
    for name, value in ledger.consent(theirs.path).items():
        monkeypatch.setenv(name, value)
    assert len(theirs.dataset()) == 40
    with pytest.raises(UnconfirmedError):
        other.dataset()
