"""Small trained models that come with the package: builtin:NAME wherever a run is asked for."""

import os
import shutil
from pathlib import Path

MODELS = Path(__file__).parent / "models"
RUNS = Path("runs")
PREFIX = "builtin:"


def names() -> list[str]:
    """The models there are, as a run's name."""
    return [f"{PREFIX}{path.parent.name}" for path in sorted(MODELS.glob("*/settings.toml"))]


def place(path: Path | str) -> Path:
    """The run directory of builtin:NAME, runs/builtin-NAME, copied from the package on first use; others as they are.

    A copy, so that pictures and scores have a place of the user's own. Raises LookupError for a name that is not there,
    FileExistsError where the directory holds something else.
    """
    text = str(path)
    if not text.startswith(PREFIX):
        return Path(path)
    if text not in names():
        raise LookupError(f"there is no {text!r}; the package has: {', '.join(names()) or 'none'}.")
    source, target = MODELS / text.removeprefix(PREFIX), RUNS / text.replace(":", "-")
    if not target.exists():
        temporary = target.with_name(f".{target.name}-{os.getpid()}")
        shutil.copytree(source, temporary)
        temporary.rename(target)
    elif not _same(source / "digests.json", target / "digests.json"):
        raise FileExistsError(f"{target} is not a copy of {text!r} of this version of unweave: move it away.")
    return target


def _same(first: Path, second: Path) -> bool:
    return second.is_file() and first.read_bytes() == second.read_bytes()
