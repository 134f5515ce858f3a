import re
from dataclasses import replace

import pytest
from tests.evaluation.stored_json import stored

from unweave.evaluation.report.learning import has_risen, learning_of, learning_part, warnings
from unweave.runs.report_facts import Learning, Memorised, ReportFacts

FACTS = ReportFacts.from_json(stored("report-encdiff"))
HISTORY = [
    {"seen": 100.0 * i, "encdiff/denoising": 1.0, "encdiff/unweighted": 1 / i}
    | ({"held_out/encdiff/denoising": 1.0, "held_out/encdiff/unweighted": held} if held else {})
    for i, held in enumerate([0, 0.8, 0.5, 0.4, 0, 0.9], 1)
]


def test_the_curve_is_of_the_records_that_have_both() -> None:
    learning = learning_of(HISTORY)
    assert learning is not None
    assert learning.term == "encdiff/unweighted"
    assert learning.seen == [200, 300, 400, 600]
    assert learning.held_out == [0.8, 0.5, 0.4, 0.9]
    assert learning.trained_on == pytest.approx([1 / 2, 1 / 3, 1 / 4, 1 / 6])
    assert learning.lowest_at == 2
    assert Learning.from_json(learning.to_json()) == learning
    assert learning_of([{"seen": 1, "encdiff/denoising": 1.0}]) is None
    assert learning_of([{"seen": 1, "held_out/encdiff/denoising": 1.0}]) is None
    points = re.findall(r'points="([^"]+)"', learning_part(replace(FACTS, learning=learning)))
    ends = [(line.split()[0].split(",")[0], line.split()[-1].split(",")[0]) for line in points]
    assert ends == [("0.0", "640.0")] * 2  # as the words below the axis, from 200 images to 600
    once = replace(FACTS, learning=Learning("vae/kl", [5], [1.0], [1.0]))
    assert learning_part(once).count("<polyline") == 2


def test_a_loss_that_rises_again_and_copies_are_said_first() -> None:
    learning = learning_of(HISTORY)
    assert learning is not None
    assert has_risen(learning)
    facts = replace(FACTS, learning=learning, memorised=Memorised(64, 0.5, 0.0, 64, 0.25, 0.0, True, 5_000))
    assert ReportFacts.from_json(facts.to_json()) == facts
    assert "learns its images by heart" in warnings(facts)
    assert "lowest, 0.4, after 400 images" in warnings(facts)
    assert "50% are copies of a training image" in warnings(facts)
    many, all_of_them = (replace(facts, data=replace(FACTS.data, images=count)) for count in (50_000, 5_000))
    assert "looked for among 5,000 of 50,000" in warnings(many)
    assert "looked for" not in warnings(all_of_them)
    assert "25% are rebuilt nearer" in learning_part(facts)
    assert learning_part(facts).count("<polyline") == 2


def test_a_fair_run_has_no_warning_and_a_small_set_a_hint() -> None:
    fair = Memorised(64, 0.02, 0.02, 0, None, None, False, 400)
    small = replace(FACTS, memorised=fair, data=replace(FACTS.data, images=400))
    assert warnings(small) == ""
    assert "data.view.split=train" in learning_part(small)
    assert "data.view.split=train" not in learning_part(replace(small, data=replace(small.data, images=4_000)))
    falling = Learning("vae/kl", [1, 2], [3.0, 2.0], [3.0, 2.5])
    assert not has_risen(falling)
    assert warnings(replace(FACTS, learning=falling)) == ""
    assert learning_part(FACTS) == ""
