"""From a run or a pile of images to a run: images are trained on first, or their run goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unweave import registry
from unweave.data.open import open_data
from unweave.runs import builtin
from unweave.runs.plan import default_run_dir, plan
from unweave.runs.run import Run
from unweave.training.size_choice import choose_size, is_open
from unweave.training.train import train
from unweave.training.trainer import Callback


def run_or_train(
    what: Run | str | Path,
    *tables: Mapping[str, Any],
    method: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """The run, or one that is trained on these images: a data set, a folder, a file.

    A run of `method` (EncDiff, its `laptop` preset, which the tables change: {"training": {"images": 20_000}}) is
    trained; of files at a size that `choose_size` chooses, unless the tables do. The same call again goes on with that
    run, and images that have changed get a new one. Raises what `train` raises, ValueError for settings or a method
    beside a run and for fewer than two images, LookupError for a folder of runs and for what is not there.
    """
    folder = what.path if isinstance(what, Run) else builtin.run_dir(what)
    if isinstance(what, Run) or (folder / "settings.toml").is_file():
        if tables or method is not None:
            raise ValueError(
                f"{folder} is a run, which is trained already: settings and a method go with images, not with a run."
            )
        return what if isinstance(what, Run) else Run(what)
    if folder.is_dir() and any((folder / inside).exists() for inside in ("checkpoints", "units.safetensors")):
        raise LookupError(f"{folder} looks like a run, but has no settings.toml.")
    if folder.is_dir() and (runs := sorted(path.parent for path in folder.glob("*/settings.toml"))):
        raise LookupError(f"{folder} is a folder of runs: name one, such as {runs[0]}.")
    method = method or "encdiff"
    if method not in registry.names("methods"):
        raise LookupError(f"there is no method {method!r}; there is: {', '.join(registry.names('methods'))}.")
    tables = ({"data": str(what)}, *tables)
    settings = plan(method, *tables)
    dataset = open_data(settings.data)
    if len(dataset) < 2:
        raise ValueError(f"{what} has {len(dataset)} image: there is nothing that varies.")
    if is_open(settings, tables):
        tables = (*tables, choose_size(method, tables, dataset))
        settings = plan(method, *tables)
        dataset = open_data(settings.data)
    run_dir = default_run_dir(settings, resume=True)
    if run_dir.exists():
        trained_on = Run(run_dir).record().get("data", {}).get("digest")
        if trained_on not in (None, dataset.digest()):
            run_dir = default_run_dir(settings)  # images came or went since
    return train(method, *tables, run=run_dir, resume=True, callbacks=callbacks)


def train_on_both(a: str | Path, b: str | Path, *, tables: Sequence[Mapping[str, Any]] = ()) -> Run:
    """A run of the images of two folders, which links in runs/both/A-B join.

    Raises ValueError for what is no folder, and what `run_or_train` raises.
    """
    folders = [Path(place).expanduser().resolve() for place in (a, b)]
    missing = next((folder for folder in folders if not folder.is_dir()), None)
    if missing is not None:
        raise ValueError(f"{missing} is no folder of images: to compare other things, train a run and name it first.")
    names = [folder.name for folder in folders] if folders[0].name != folders[1].name else ["a", "b"]
    both = Path("runs") / "both" / "-".join(names)
    both.mkdir(parents=True, exist_ok=True)
    for name, folder in zip(names, folders):
        link = both / name
        if link.is_symlink() and link.resolve() != folder:
            link.unlink()
        if not link.is_symlink():
            link.symlink_to(folder, target_is_directory=True)
    return run_or_train(both, *tables)
