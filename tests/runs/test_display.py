import unweave
from unweave.runs.run import Run


def test_a_run_shows_what_it_is_and_its_newest_preview(quick_run: Run) -> None:
    shown = quick_run._repr_html_()
    assert "encdiff" in shown
    assert "192 of 192" in shown
    assert "data:image/png;base64," in shown


def test_a_score_is_called_by_its_name() -> None:
    shown = unweave.load("builtin:rooms")._repr_html_()
    assert "disentanglement 0.860 (dci@1), eval_accuracy 0.999 (factorvae@1)" in shown
    assert "0.682" not in shown  # completeness, which comes first in the file
