import json
from pathlib import Path

import pytest

from unweave.evaluation.evaluate import evaluate
from unweave.runs.run import Run
from unweave.studies import jobs
from unweave.studies.jobs import Job, perform
from unweave.studies.stored import read_rows
from unweave.studies.worker import _job

TABLE = {
    "data": {"name": "sprites", "size": 16},
    "training": {"images": 64, "batch": 32, "precision": "float32", "threads": 1, "preview": 10**9},
}


def of_run(out: Path, protocols: list[str], report: bool = False) -> Job:
    scoring = {"protocols": protocols, "rows": 500, "repeats": 1, "report": report}
    return Job("a", "run", "betavae", TABLE, str(out / "runs" / "a"), (), str(out), "beta", "unweave train", scoring)


def test_a_run_is_trained_and_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    perform(of_run(tmp_path, ["mig@1"]))
    (row,) = read_rows(tmp_path, "a")
    run = Run(tmp_path / "runs" / "a")
    assert (row.label, row.method, row.data, row.images, row.scored_rows) == ("beta", "betavae", "sprites", 64, 500)
    assert row.value == run.scores()["protocols"]["mig@1"]["mig"]["value"]
    assert (row.digest, row.train_command) == (run.digest(), "unweave train")
    asked = []
    evaluate = jobs.evaluate
    monkeypatch.setattr(jobs, "evaluate", lambda run, **options: asked.append(options) or evaluate(run, **options))
    perform(of_run(tmp_path, ["mig@1", "med@1", "med-null@1"]))
    assert [options["protocols"] for options in asked] == [["med@1", "med-null@1"]]
    rows = {(row.protocol, row.score): row for row in read_rows(tmp_path, "a")}
    assert rows["med@1", "disentanglement"].null == rows["med-null@1", "disentanglement"].value
    assert Run(tmp_path / "runs" / "a").digest() == row.digest


def test_scores_of_another_metric_seed_are_measured_anew(tmp_path: Path) -> None:
    perform(of_run(tmp_path, ["mig@1"]))
    run = Run(tmp_path / "runs" / "a")
    value = run.scores()["protocols"]["mig@1"]["mig"]["value"]
    evaluate(run, rows=500, protocols=["mig@1"], repeats=1, seed=7)
    assert run.scores()["seed"] == 7
    perform(of_run(tmp_path, ["mig@1"]))
    assert read_rows(tmp_path, "a")[0].value == value


def test_a_job_is_json_and_has_a_log_of_its_own(tmp_path: Path) -> None:
    job = of_run(tmp_path, ["mig@1"])
    assert _job(json.loads(json.dumps(job))) == job
    assert job.log() == tmp_path / "logs" / "a.log"
