import json
import subprocess
import sys

import numpy as np
import pytest
from tests.conftest import Recorder

from unweave import progress
from unweave.evaluation.protocols import ATTRIBUTES, DEFAULT, PROTOCOLS, Evidence
from unweave.evaluation.scores import COSTS, evaluate_tables
from unweave.files import write_json

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (3, 2), (240, 2))
UNITS = np.concatenate([FACTORS + 0.2 * RNG.normal(size=(240, 2)), RNG.normal(size=(240, 1))], axis=1)
QUICK = ("mig@1", "factorvae@1")


@pytest.fixture(scope="module")
def scores():
    return evaluate_tables(UNITS, FACTORS, repeats=2)


def test_every_default_protocol_has_intervals_around_its_value(scores):
    assert tuple(scores["protocols"]) == DEFAULT
    for name, intervals in scores["protocols"].items():
        assert set(intervals) == set(PROTOCOLS[name].means)
        for interval in intervals.values():
            assert interval["low"] <= interval["value"] <= interval["high"]


def test_says_what_was_measured(scores):
    assert scores["rows"] == 240
    assert scores["rows_used"]["dci@1"] == {"train": 160, "test": 80}
    assert scores["rows_used"]["mig@1"] == {"rows": 240}
    assert scores["data"]["units"] == 3
    assert scores["data"]["factor_sizes"] == [3, 2]
    assert scores["data"]["factor_names"] == ["factor 0", "factor 1"]
    assert scores["data"]["deviations"] == pytest.approx(UNITS.std(0), rel=1e-3)
    assert scores["weights"] is None
    assert "over 2 repeats" in scores["interval"]
    assert "not training noise" in scores["interval"]


def test_one_repeat_has_no_width():
    measured = evaluate_tables(UNITS, FACTORS, protocols=QUICK, repeats=1)
    for scores in measured["protocols"].values():
        assert all(one["low"] == one["value"] == one["high"] for one in scores.values())


def test_a_repeat_is_a_seed():
    one, two, both = (
        evaluate_tables(UNITS, FACTORS, protocols=["factorvae@1"], repeats=repeats, seed=seed)["protocols"][
            "factorvae@1"
        ]["train_accuracy"]
        for repeats, seed in ((1, 5), (1, 6), (2, 5))
    )
    assert both["value"] == one["value"]
    assert {both["low"], both["high"]} == {one["value"], two["value"]}


def test_progress_is_told_before_each_repeat():
    recorder = Recorder()
    with progress.use(recorder):
        evaluate_tables(UNITS, FACTORS, protocols=QUICK, repeats=2)
    names = ("mig@1", "factorvae@1", "mig@1", "factorvae@1")
    assert [(update.task, update.total, update.note) for update in recorder.updates] == [
        ("scoring", 100, name) for name in names
    ]
    mig, factorvae = COSTS["mig@1"], COSTS["factorvae@1"]
    shares = [0, mig, mig + factorvae, 2 * mig + factorvae]
    assert [update.done for update in recorder.updates] == [
        round(50 * share / (mig + factorvae), 1) for share in shares
    ]


def test_an_unknown_protocol_names_the_nearest():
    with pytest.raises(LookupError, match=r"no protocol 'dci-2k'\. Did you mean 'dci-2k@1'\? There are: mig@1"):
        evaluate_tables(UNITS, FACTORS, protocols=["mig@1", "dci-2k"])


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="got 0"):
        evaluate_tables(UNITS, FACTORS, repeats=0)


def test_the_file_comes_back_and_is_the_same_for_the_same_scores(scores, tmp_path):
    path = tmp_path / "new" / "scores.json"
    write_json(path, scores)
    assert json.loads(path.read_text()) == scores
    before = path.read_bytes()
    write_json(path, dict(reversed(scores.items())))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["scores.json"]


def test_a_score_that_json_cannot_hold_leaves_the_old_file(scores, tmp_path):
    write_json(tmp_path / "scores.json", scores)
    before = (tmp_path / "scores.json").read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "scores.json", scores | {"seed": float("nan")})
    assert (tmp_path / "scores.json").read_bytes() == before


def test_scoring_tables_never_imports_torch():
    code = "import sys, unweave.evaluation.scores, unweave.runs.reduction\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_matrices_are_kept_for_pictures(scores):
    importance = np.array(scores["matrices"]["dci@1"]["importance"])
    assert importance.shape == (3, 2)
    assert importance.sum(0) == pytest.approx(1, abs=1e-4)
    assert importance.argmax(0).tolist() == [0, 1]
    assert np.array(scores["matrices"]["mig@1"]["information"]).argmax(0).tolist() == [0, 1]


def test_attributes_bring_their_own_protocols():
    attributes = (FACTORS > 0).astype(int)
    measured = evaluate_tables(UNITS, attributes, protocols=None, repeats=1)
    assert tuple(measured["protocols"]) == DEFAULT + ATTRIBUTES
    with pytest.raises(ValueError, match="0"):
        evaluate_tables(UNITS, FACTORS, protocols=["tad@1"])


def test_every_protocol_says_what_each_of_its_scores_means():
    attributes = (FACTORS > 0).astype(int)
    for name, protocol in PROTOCOLS.items():
        units = UNITS.round() if name == "infomec-values@1" else UNITS  # it is for units of few values
        measured = protocol.run(Evidence(units, attributes, units, [[0, 2]]), 0)
        assert set(measured.scores) == set(protocol.means), name
        assert set(measured.rows) <= set(protocol.sizes), name


def test_groups_are_scored_where_they_are_given():
    scores = evaluate_tables(UNITS, FACTORS, protocols=["dci-factors@1", "mig@1"], repeats=1, groups=[[0, 2]])
    assert scores["groups"] == [[0, 2]]
    assert scores["protocols"]["dci-factors@1"]["groups"]["value"] == 2
    without = evaluate_tables(UNITS, FACTORS, protocols=["dci-factors@1", "mig@1"], repeats=1)
    assert "give groups" in without["not_measured"]["dci-factors@1"]


def test_unreduced_codes_are_scored_where_a_protocol_asks_for_them():
    wide = np.concatenate([UNITS, RNG.normal(size=(240, 9))], axis=1)
    reduced, same, other = (
        evaluate_tables(UNITS, FACTORS, unreduced=codes, protocols=[name], repeats=1)["protocols"][name]
        for codes, name in ((wide, "med@1"), (None, "med-unreduced@1"), (wide, "med-unreduced@1"))
    )
    assert reduced == same
    assert other["disentanglement"]["value"] < same["disentanglement"]["value"]


def test_names_must_fit():
    with pytest.raises(ValueError, match="2 factors and 1 names"):
        evaluate_tables(UNITS, FACTORS, factor_names=["hue"])


def test_prepared_codes_are_scored_and_said():
    raw, standard = (
        evaluate_tables(UNITS * 1e-3, FACTORS, protocols=["factorvae@1", "mig@1"], repeats=1, preparation=preparation)
        for preparation in ("raw", "standardised")
    )
    assert "preparation" not in raw["data"]
    assert standard["data"]["preparation"] == "standardised"
    active = [scores["protocols"]["factorvae@1"]["active_units"]["value"] for scores in (raw, standard)]
    assert active == [0, 3]
    assert standard["protocols"]["mig@1"]["mig"]["value"] == pytest.approx(raw["protocols"]["mig@1"]["mig"]["value"])
    wide = evaluate_tables(
        UNITS, FACTORS, protocols=["med-unreduced@1"], unreduced=UNITS, repeats=1, preparation="unit-length"
    )
    assert wide["data"]["preparation"] == "unit-length"


def test_a_protocol_that_cannot_be_measured_takes_no_other_with_it():
    measured = evaluate_tables(UNITS, FACTORS, protocols=["mig@1", "tad@1", "irs@1"], repeats=2)
    assert list(measured["protocols"]) == ["mig@1", "irs@1"]
    assert list(measured["not_measured"]) == ["tad@1"]
    assert "0 or 1, got 3 values" in measured["not_measured"]["tad@1"]
    alone = evaluate_tables(UNITS, FACTORS, protocols=["mig@1", "irs@1"], repeats=2)
    assert alone["protocols"] == measured["protocols"]
    assert "not_measured" not in alone
    with pytest.raises(ValueError, match=r"tad-grid-101@1 cannot be measured: .* Nor can tad@1"):
        evaluate_tables(UNITS, FACTORS, protocols=["tad@1", "tad-grid-101@1"], repeats=1)


def test_a_word_is_one_protocol():
    assert list(evaluate_tables(UNITS, FACTORS, protocols="mig@1", repeats=1)["protocols"]) == ["mig@1"]
