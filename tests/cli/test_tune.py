import json

import pytest
from tests.cli.test_cli import run

from unweave.studies import tune as module
from unweave.studies.tune import TRUST, Candidate, Judged, Tuned, TuneOptions
from unweave.studies.watcher import StudyWatcher


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, TuneOptions]]:
    """What the command asks for, of a tuning that trains nothing."""
    calls: list[tuple[str, TuneOptions]] = []

    def tune(data: str, options: TuneOptions, watcher: StudyWatcher) -> Tuned:
        calls.append((data, options))
        chosen = Judged(Candidate("betavae", {"method": {"units": 8}}), 900, 3, 1, 20.0, None, "runs/a")
        return Tuned(chosen, (chosen,), "unweave train betavae 'data.path=my photos'", TRUST, None)

    monkeypatch.setattr(module, "tune", tune)
    return calls


def test_the_command_alone_is_printed_and_the_rest_is_said(
    asked: list[tuple[str, TuneOptions]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = ["--method", "betavae", "--units", "8", "--images", "900", "--seed", "7", "--retry"]
    assert run(monkeypatch, "tune", "photos", *words) == 0
    result = capsys.readouterr()
    assert result.out == "unweave train betavae 'data.path=my photos'\n"
    assert "3 candidates, 2 rounds, 4 runs, no labels" in result.err
    assert "3 clear, 1 mixed, 20.0 dB  betavae method.units=8" in result.err
    assert TRUST.split()[-1] in result.err
    ((data, options),) = asked
    assert (data, options.methods, options.units) == ("photos", ("betavae",), (8,))
    assert (options.images, options.seed, options.retry, options.backend) == (900, 7, True, "local")


def test_the_choice_is_printed_as_json(
    asked: list[tuple[str, TuneOptions]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(monkeypatch, "tune", "photos", "--json", "--quiet", "--backend", "ray", "--address", "h:1") == 0
    chosen = json.loads(capsys.readouterr().out)
    assert (chosen["chosen"], chosen["clear"], chosen["with labels"]) == ("betavae method.units=8", 3, None)
    assert asked[0][1].cluster.address == "h:1"
