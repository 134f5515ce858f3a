import json
from pathlib import Path

import pytest
import torch
from tests.evaluation.shades import FACTORS, Shades, shade_dataset
from typer.testing import CliRunner

from unweave.cli.main import app, main
from unweave.evaluation import verdict_check
from unweave.evaluation.verdict_check import SpoiltTrial, VerdictCheck, check_verdicts, spoil_factors
from unweave.factors.factor import Factor
from unweave.method import Sampling, Start
from unweave.runs.factors import FACTORS_FILE, require_factors
from unweave.runs.run import Run
from unweave.tensors import Images, Units


class Grey(Shades):
    """Draws one and the same picture whatever the units are."""

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return super().decode(torch.zeros_like(units), start, sampling, rng)


def test_what_is_spoilt_is_noticed_and_the_rest_stays() -> None:
    found = spoil_factors(Shades(), shade_dataset(3_000), FACTORS, trials=3)
    assert found.clear == 4
    assert len({trial.turned for trial in found.trials}) == 3
    assert all(len(trial.noticed) == 2 + 1 + 1 + 2 for trial in found.trials)  # turned, doubled, its copy, noise
    assert all(len(trial.kept) == 1 for trial in found.trials)
    assert found.noticed >= 0.8
    assert found.kept == 1.0
    assert json.loads(json.dumps(found.to_json()))["noticed"] == found.noticed


def test_a_run_without_clear_factors_cannot_be_spoilt() -> None:
    with pytest.raises(ValueError, match="0 are clear"):
        spoil_factors(Grey(), shade_dataset(1_000), FACTORS)


def test_a_run_is_spoilt_with_its_stored_factors_or_those_that_are_found(
    factored_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = require_factors(factored_run).factors
    monkeypatch.setattr(verdict_check, "find_factors", lambda *settings: [Factor((0,), 0.1), Factor((1, 2), 0.1)])
    seen = []
    trial = SpoiltTrial((0, 1), 2, [True, True, False, True], [])
    result = VerdictCheck(2, [trial])
    monkeypatch.setattr(
        verdict_check, "spoil_factors", lambda method, dataset, factors, **settings: seen.append(factors) or result
    )
    assert check_verdicts(factored_run) is result
    assert [factor.units for factor in seen[0]] == [factor.units for factor in stored]
    (factored_run.path / FACTORS_FILE).unlink()
    assert check_verdicts(factored_run) is result
    assert [factor.units for factor in seen[1]] == [(0,), (1, 2)]
    monkeypatch.setattr("sys.argv", ["unweave", "report", str(factored_run.path), "--check", "--quiet"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    printed = capsys.readouterr().out
    assert "75%" in printed
    assert "100%" in printed
    assert not Path(factored_run.path, "report.html").exists()


@pytest.mark.parametrize("words", [["--steps", "10"], ["--output", "a.html"], ["--overwrite"]])
def test_what_the_check_does_not_use_is_refused(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["report", "nowhere", "--check", *words])
    assert isinstance(result.exception, ValueError)
    assert "leave out --steps, --output and --overwrite" in str(result.exception)


def test_too_few_images_are_refused_before_factors_are_found(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_check, "dataset_for", lambda *settings: shade_dataset(999))
    with pytest.raises(ValueError, match="1,000 images or more, and shades has 999"):
        check_verdicts(quick_run)
