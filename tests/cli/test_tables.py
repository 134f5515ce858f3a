"""The tables that are printed, from results that are made up."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from unweave.cli.tables import comparison_table, intervals_table, scores_table, settings_table
from unweave.evaluation.compare import SCORES, ComparedRun, RunComparison
from unweave.evaluation.scores import evaluate_tables
from unweave.evaluation.seeds import Interval
from unweave.runs.plan import plan


def printed(table: Table, width: int = 120) -> str:
    """The text of a table, without the breaks of its lines."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return " ".join(captured.get().split())


def test_scores_say_range_and_direction() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, (3, 2), (240, 2))
    units = np.concatenate([factors + 0.2 * rng.normal(size=(240, 2)), rng.normal(size=(240, 1))], axis=1)
    scores = evaluate_tables(units, factors, protocols=["dci@1", "mig@1"], repeats=1)
    text = printed(scores_table(scores), 200)
    assert "dci@1" in text
    assert "higher is better" in text
    assert f"{scores['protocols']['mig@1']['mig']['value']:.4g}" in text
    scores["data"]["deviations"] = [float(i) for i in range(50)]
    assert "0 to 49, median 24.5, of 50" in printed(scores_table(scores), 200)


def test_intervals_say_of_how_many_runs() -> None:
    three = printed(intervals_table({"mig@1": {"mig": Interval(0.2, 0.1, 0.3, 3)}}))
    assert "3 runs" in three
    assert "0.1" in three
    assert "three or more" in printed(intervals_table({"mig@1": {"mig": Interval(0.2, None, None, 2)}}))


RUN = ComparedRun(
    run="runs/a",
    method="encdiff",
    data="sprites",
    digest="1f",
    seed=0,
    images=192,
    swap_consistency=0.4,
    live_units=3,
    copies=0,
    dead_units=1,
    not_looked_at=0,
    psnr_units_alone=9.5,
    psnr_inverted=20.0,
    orthogonality=0.7,
    orthogonality_turned=0.4,
    centrality=None,
    udr=None,
    scores=dict.fromkeys(SCORES),
)
SCORED = replace(RUN, run="runs/b", scores={**RUN.scores, "dci@1": 0.25})


def test_what_compared_runs_share_is_said_once_and_what_is_unknown_left_out() -> None:
    table = comparison_table(RunComparison([RUN, SCORED], {}))
    heads = [str(column.header).replace("\n", " ") for column in table.columns]
    assert heads[0] == "run"
    assert list(table.columns[0].cells) == ["a", "b"]
    assert "DCI D" in heads
    assert not {"MIG", "UDR", "method", "data", "not looked at"} & set(heads)
    assert str(table.title) == "method encdiff, data sprites, seed 0, images 192"
    assert "told from 4 scored runs on" in str(table.caption)


@pytest.mark.parametrize(
    ("comparison", "caption"),
    [
        (RunComparison([RUN, SCORED], {"swap consistency": 0.5}), "over these runs: swap +0.50"),
        (RunComparison([RUN, RUN], {}), "`unweave evaluate RUN` adds the scores"),
    ],
)
def test_a_comparison_says_how_to_read_it(comparison: RunComparison, caption: str) -> None:
    assert caption in str(comparison_table(comparison).caption)


def test_a_comparison_fits_a_terminal() -> None:
    scores = dict.fromkeys(SCORES) | {"dci@1": 0.25, "factorvae@1": 0.9123, "mig@1": 0.1234}
    first, second = (replace(run, udr=0.51, psnr_inverted=31.41, scores=scores) for run in (RUN, SCORED))
    second = replace(second, method="betatcvae", seed=1, images=1_000_000, not_looked_at=480)
    assert "\u2026" not in printed(comparison_table(RunComparison([first, second], {})))


def test_the_settings_of_a_method_are_those_of_the_preset() -> None:
    settings = plan("encdiff", {"preset": "release"})
    console = Console(width=200)
    with console.capture() as captured:
        console.print(settings_table("method", settings.method, settings.preset))
    lines = captured.get().splitlines()
    assert lines[0].strip() == "[method] with preset=release"
    [units, prediction] = [next(line for line in lines if f"method.{key} " in line) for key in ("units", "prediction")]
    assert " 20 " in units
    assert "'eps'" in prediction
    assert "x0" in repr(plan("encdiff").method.prediction)


@pytest.mark.slow
def test_the_null_of_med_stands_beside_it_and_not_below() -> None:
    factors = np.random.default_rng(0).integers(0, 3, (300, 2))
    units = factors + 0.1 * np.random.default_rng(1).normal(size=(300, 2))
    scores = evaluate_tables(units, factors, protocols=["med@1", "med-null@1"], repeats=1, preparation="standardised")
    text = printed(scores_table(scores))
    null = scores["protocols"]["med-null@1"]
    assert f"{null['top1_disentanglement']['value']:.3f} ± {null['top1_disentanglement_spread']['value']:.3f}" in text
    assert "med-null@1" not in text
    assert "codes were scored standardised" in text
    alone = evaluate_tables(units, factors, protocols=["med-null@1"], repeats=1)
    assert "med-null@1" in printed(scores_table(alone))
