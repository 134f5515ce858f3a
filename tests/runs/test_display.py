from unweave.runs.run import Run


def test_a_run_shows_what_it_is_and_its_newest_preview(quick_run: Run) -> None:
    shown = quick_run._repr_html_()
    assert "encdiff" in shown
    assert "192 of 192" in shown
    assert "data:image/png;base64," in shown
