import json
from pathlib import Path

import notebooks
import pytest

TEXT = """# %% [markdown]
# # A title
#
# Words.
# %%
x = 1 + 1  # solution
y[:, 0] = 2  # solution


def f(a):
    return a + x  # solution
"""


def test_cells_are_read_and_answers_taken_out(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(TEXT)
    words, code = notebooks.read(tmp_path / "a.py")
    assert words == notebooks.Cell("markdown", "# A title\n\nWords.")
    assert code.has_answers()
    assert code.blank().text == (
        "x = ...  # your turn\ny[:, 0] = ...  # your turn\n\n\ndef f(a):\n    return ...  # your turn"
    )


def test_a_notebook_is_valid(tmp_path: Path) -> None:
    notebooks.write(tmp_path / "a.ipynb", [notebooks.Cell("markdown", "# A"), notebooks.Cell("code", "x = 1\ny = 2")])
    content = json.loads((tmp_path / "a.ipynb").read_text())
    assert content["cells"][1]["source"] == ["x = 1\n", "y = 2"]
    assert content["cells"][0]["cell_type"] == "markdown"


def test_a_file_without_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match="must begin with"):
        notebooks.read(tmp_path / "a.py")
