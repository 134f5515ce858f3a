import shutil
from pathlib import Path

import pytest

from unweave.runs.run import Run


@pytest.fixture
def copy(quick_run: Run, tmp_path: Path) -> Run:
    """A run of one's own, to write names into."""
    shutil.copytree(quick_run.path, tmp_path / "copy")
    return Run(tmp_path / "copy")
