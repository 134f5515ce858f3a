import json
import shutil
from pathlib import Path

import pytest

import unweave
from unweave.config import SettingsError
from unweave.runs import checkpoint
from unweave.runs.records import StateRecord, check_kind, made_by
from unweave.runs.run import Run
from unweave.runs.units import unit_names


@pytest.fixture
def run(quick_run: Run, tmp_path: Path) -> Run:
    return Run(shutil.copytree(quick_run.path, tmp_path / "run"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"data": 3}', '{"versions": {"unweave": 1}}', "[" * 100_000])
def test_a_damaged_record_is_named_with_its_remedy(run: Run, content: str) -> None:
    (run.path / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run\.json .*move it away"):
        run.record()


@pytest.mark.parametrize("content", ["", '{"protocols": 1}', '{"protocols": {"mig@1": {"mig": 3}}, "rows": 5}'])
def test_damaged_scores_are_named_and_kept_beside_new_ones(run: Run, content: str) -> None:
    (run.path / "scores.json").write_text(content)
    with pytest.raises(ValueError, match=r"scores\.json .*unweave evaluate"):
        run.scores()
    unweave.evaluate(run, rows=50, protocols=["mig@1"], repeats=1)
    assert (run.path / "scores-1.json").read_text() == content
    assert Run(run.path).own_scores() is not None


def test_scores_of_a_newer_unweave_keep_what_is_not_known_here(run: Run) -> None:
    unweave.evaluate(run, rows=50, protocols=["mig@1"], repeats=1)
    scores = json.loads((run.path / "scores.json").read_text())
    (run.path / "scores.json").write_text(json.dumps({**scores, "verdicts": {"f1": "one thing"}}))
    assert run.scores() == {**scores, "verdicts": {"f1": "one thing"}}


def test_settings_that_are_empty_or_newer_are_named(run: Run) -> None:
    path = run.path / "settings.toml"
    whole, record = path.read_text("utf-8"), run.record()
    path.write_text("")
    with pytest.raises(SettingsError, match=r"settings\.toml is empty"):
        _ = Run(run.path).settings
    path.write_text(whole.replace("[training]", "[training]\nwarp = 3"), "utf-8")
    (run.path / "run.json").write_text(json.dumps({**record, "versions": {"unweave": "99.0"}}))
    with pytest.raises(SettingsError, match=r"(?s)settings\.toml: training\.warp .*made by unweave 99\.0"):
        _ = Run(run.path).settings
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        _ = Run(run.path).tables


def test_an_odd_log_is_read_as_far_as_it_is_one(run: Run) -> None:
    count = len(run.history())
    with run.log.open("ab") as file:
        file.write(b'\xff\n[1, 2]\n{"seen": "many"}\n{"seen": 1e3, "loss": 0.5}\n')
    assert [record["seen"] for record in run.history()[count:]] == [1_000]


def test_a_state_of_other_types_is_damaged(run: Run) -> None:
    path = run.checkpoint()
    record = {**checkpoint.read(path), "sha256": {"../../secret": "0"}}
    with pytest.raises(ValueError, match="sha256"):
        check_kind(record, StateRecord)
    checkpoint.write_record(path, record)
    with pytest.raises(checkpoint.DamagedError):
        checkpoint.read(path)


def test_the_range_of_units_has_a_digest(run: Run) -> None:
    path = run.path / "units.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"units\.safetensors is not the file .*--resume"):
        run.statistics()
    path.unlink()
    assert unweave.train(run.path, resume=True).statistics().quantiles.shape == (101, 4)


def test_damaged_names_are_named(run: Run) -> None:
    (run.path / "names.json").write_text("")
    with pytest.raises(ValueError, match=r"names\.json is damaged"):
        unit_names(run)


def test_who_made_a_run_is_said_where_it_was_another_version() -> None:
    assert made_by({"unweave": "99.0"}).startswith(" It was made by unweave 99.0")
    assert made_by({"unweave": unweave.__version__}) == made_by(None) == ""
