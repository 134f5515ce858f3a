"""Small trained models that come with the package: builtin:NAME wherever a run is asked for."""

import shutil
import tempfile
from pathlib import Path

MODELS = Path(__file__).parent / "builtin_weights"
RUNS = Path("runs")
PREFIX = "builtin:"


def names() -> list[str]:
    """The models there are, as a run's name."""
    return [f"{PREFIX}{path.parent.name}" for path in sorted(MODELS.glob("*/settings.toml"))]


def run_dir(path: Path | str) -> Path:
    """The run directory of builtin:NAME, runs/builtin-NAME, copied from the package on first use; others as they are.

    A copy, so that pictures and scores have a folder of the user's own and the package stays as it is. Raises
    LookupError for a name that is not there, FileExistsError where the directory holds something else or only a part.
    """
    text = str(path)
    if not text.startswith(PREFIX):
        return Path(path)
    if text not in names():
        raise LookupError(f"there is no {text!r}; the package has: {', '.join(names()) or 'none'}.")
    source, target = MODELS / text.removeprefix(PREFIX), RUNS / text.replace(":", "-")
    if not target.exists():
        _copy(source, target)
    if not _same(source, target):
        raise FileExistsError(f"{target} is not a copy of {text!r} of this version of unweave: move it away.")
    return target


def original_of(path: Path) -> str | None:
    """The name of the model that a run directory is a copy of; None for other runs."""
    name = path.name.replace("-", ":", 1)
    return name if name in names() else None


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all; another process may be doing the same."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        copy = Path(temporary) / target.name
        for path in sorted(source.rglob("*")):
            if path.is_file():  # copyfile: a package that is read-only makes a copy that is not
                file = copy / path.relative_to(source)
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, file)
        try:
            copy.rename(target)
        except OSError:
            if not target.exists():
                raise


def _same(source: Path, target: Path) -> bool:
    """Whether every file of the model is there, and of this version."""
    names = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    if not all((target / name).is_file() for name in names):
        return False
    return (source / "digests.json").read_bytes() == (target / "digests.json").read_bytes()
