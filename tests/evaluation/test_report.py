import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from unweave.evaluation import report

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (3, 2), (240, 2))
UNITS = np.concatenate([FACTORS + 0.2 * RNG.normal(size=(240, 2)), RNG.normal(size=(240, 1))], axis=1)
QUICK = ("mig@1", "factorvae@1")


@pytest.fixture(scope="module")
def scores():
    return report.evaluate_tables(UNITS, FACTORS, repeats=2)


def test_every_default_protocol_has_intervals_around_its_value(scores):
    assert tuple(scores["protocols"]) == report.DEFAULT
    for name, measured in scores["protocols"].items():
        assert set(measured) == set(report.PROTOCOLS[name].means)
        for interval in measured.values():
            assert interval["low"] <= interval["value"] <= interval["high"]


def test_says_what_was_measured(scores):
    assert scores["rows"] == 240
    assert scores["rows_used"]["dci-2k@1"] == {"train": 160, "test": 80}
    assert scores["rows_used"]["mig@1"] == {"rows": 10_000, "different": 240}
    assert scores["data"] == {"units": 3, "factor_sizes": [3, 2]}
    assert scores["weights"] is None
    assert "over 2 repeats" in scores["interval"]
    assert "not training noise" in scores["interval"]


def test_one_repeat_has_no_width():
    measured = report.evaluate_tables(UNITS, FACTORS, protocols=QUICK, repeats=1)
    for scores in measured["protocols"].values():
        assert all(one["low"] == one["value"] == one["high"] for one in scores.values())


def test_a_repeat_is_a_seed():
    one, two, both = (
        report.evaluate_tables(UNITS, FACTORS, protocols=["mig@1"], repeats=repeats, seed=seed)["protocols"]["mig@1"][
            "mig"
        ]
        for repeats, seed in ((1, 5), (1, 6), (2, 5))
    )
    assert both["value"] == pytest.approx((one["value"] + two["value"]) / 2)
    assert {both["low"], both["high"]} == {one["value"], two["value"]}


def test_progress_is_told_before_each_repeat():
    told = []
    report.evaluate_tables(UNITS, FACTORS, protocols=QUICK, repeats=2, progress=lambda *said: told.append(said))
    assert told == [("mig@1", 0, 4), ("mig@1", 1, 4), ("factorvae@1", 2, 4), ("factorvae@1", 3, 4)]


def test_an_unknown_protocol_names_the_nearest():
    with pytest.raises(LookupError, match=r"no protocol 'dci-2k'\. Did you mean 'dci-2k@1'\? There are: mig@1"):
        report.evaluate_tables(UNITS, FACTORS, protocols=["mig@1", "dci-2k"])


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="got 0"):
        report.evaluate_tables(UNITS, FACTORS, repeats=0)


def test_the_file_comes_back_and_is_the_same_for_the_same_scores(scores, tmp_path):
    path = tmp_path / "new" / "scores.json"
    report.write(scores, path)
    assert json.loads(path.read_text()) == scores
    before = path.read_bytes()
    report.write(dict(reversed(scores.items())), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["scores.json"]


def test_a_score_that_json_cannot_hold_leaves_the_old_file(scores, tmp_path):
    report.write(scores, tmp_path / "scores.json")
    before = (tmp_path / "scores.json").read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        report.write(scores | {"seed": float("nan")}, tmp_path / "scores.json")
    assert (tmp_path / "scores.json").read_bytes() == before


def test_the_table_says_range_and_direction(scores):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(report.table(scores))
    text = captured.get()
    assert "dci-2k@1" in text
    assert "higher is better" in text
    assert f"{scores['protocols']['mig@1']['mig']['value']:.4g}" in text


def test_golden_mig_with_the_references_own_rows():
    golden = Path(__file__).parents[3] / "shared" / "golden"
    if not golden.is_dir():
        pytest.skip(f"no golden tables at {golden}")
    factors = np.stack(np.unravel_index(np.arange(46080), (3, 6, 10, 16, 16)), axis=1)
    units = np.load(golden / "dsprites46k-mixed-4.npy")
    expected = json.loads((golden / "dsprites46k-mixed-4.json").read_text())["mig"]["discrete_mig"]
    measured = report.evaluate_tables(units, factors, protocols=["mig@1"], repeats=1)
    assert measured["protocols"]["mig@1"]["mig"]["value"] == pytest.approx(expected, abs=1e-9)


def test_scoring_tables_never_imports_torch():
    code = (
        "import sys, unweave.evaluation.report, unweave.evaluation.cache, unweave.evaluation.reduce\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
