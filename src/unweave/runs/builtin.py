"""Small trained models that come with the package: builtin:NAME wherever a run is asked for."""

import atexit
import logging
import shutil
import tempfile
from functools import cache
from pathlib import Path

from unweave.files import read_json
from unweave.runs import ledger

logger = logging.getLogger("unweave")

MODELS = Path(__file__).parent / "builtin_weights"
RUNS = Path("runs")
PREFIX = "builtin:"


def names() -> list[str]:
    """The models there are, as a run's name."""
    return [f"{PREFIX}{path.parent.name}" for path in sorted(MODELS.glob("*/settings.toml"))]


def run_dir(path: Path | str) -> Path:
    """The run directory of builtin:NAME, runs/builtin-NAME, copied from the package on first use; others as they are.

    A copy, so that pictures and scores have a folder of the user's own and the package stays as it is; where the
    current folder is read-only it is a temporary one, and a warning says so. Raises LookupError for a name that is not
    there, FileExistsError where the directory holds something else or only a part.
    """
    text = str(path)
    if not text.startswith(PREFIX):
        return Path(path)
    if text not in names():
        raise LookupError(f"there is no {text!r}; the package has: {', '.join(names()) or 'none'}.")
    source, target = MODELS / text.removeprefix(PREFIX), RUNS / text.replace(":", "-")
    if not target.exists():
        try:
            _copy(source, target)
        except OSError as error:
            return _for_this_process(source, error)
        ledger.enter(target)  # all of it came from the package
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


@cache
def _temporary_copy(source: Path) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="unweave-")
    atexit.register(folder.cleanup)
    target = Path(folder.name) / f"builtin-{source.name}"
    _copy(source, target)
    return target


def _for_this_process(source: Path, error: OSError) -> Path:
    logger.warning(
        "%s cannot be written (%s), so builtin:%s is copied to a temporary folder: what is not given an --output is "
        "gone when this ends", RUNS, error.strerror or error, source.name,
    )  # fmt: skip
    return _temporary_copy(source)


def _same(source: Path, target: Path) -> bool:
    """Whether every file of the model is there, and of this version; factors may have been found anew."""
    digests = source / "digests.json"
    if not all((target / name).is_file() for name in (*read_json(digests), digests.name)):
        return False
    return digests.read_bytes() == (target / digests.name).read_bytes()
