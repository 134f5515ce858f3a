"""An experiment: complete settings, and the directory of its run."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unweave import registry
from unweave.config import SettingsError, merge
from unweave.runs import checkpoint
from unweave.runs.lock import check_not_training
from unweave.runs.plan import RESUMABLE, default_run_dir, differing, plan
from unweave.runs.run import Run, create, write_settings
from unweave.runs.settings import RunSettings, settings_of
from unweave.training.augment import check_augment
from unweave.training.recipes import is_finished

BUDGET = "training.images"


@dataclass(frozen=True)
class Experiment:
    """What is to be trained, and where its run goes."""

    settings: RunSettings
    run_dir: Path
    resume: bool = False
    overwrite: bool = False
    longer: bool = False  # a run that is there gets a larger budget

    def is_begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.resume and checkpoint.newest(self.run_dir / "checkpoints", lambda _: None) is not None

    def make_run_dir(self) -> Run:
        """The run directory: new, or one of the same settings to go on with.

        Raises FileExistsError where there is something else, SettingsError for a run with other settings, BusyError
        where one that is to be overwritten is being trained.
        """
        is_run = (self.run_dir / "settings.toml").is_file()
        if self.overwrite and self.run_dir.exists():
            if not is_run:
                raise FileExistsError(
                    f"{self.run_dir} is not a run, so --overwrite leaves it alone: choose another --run."
                )
            check_not_training(self.run_dir)
            shutil.rmtree(self.run_dir)
        elif self.resume and is_run:
            return self._existing(Run(self.run_dir))
        return create(self.run_dir, self.settings)

    def _existing(self, run: Run) -> Run:
        names = differing(run.settings, self.settings)
        free = (*RESUMABLE, *([BUDGET] if self.longer else []))
        fixed = [name for name in names if name not in free]
        if fixed:
            raise SettingsError(
                f"{run.path} was trained with other settings ({', '.join(fixed)}): "
                f"go on as it is with `unweave train {run.path} --resume`, choose another --run, or --overwrite it."
            )
        if names and (self.longer or not is_finished(run.path)):
            write_settings(run.path, run.settings.model_copy(update={"training": self.settings.training}))
        return Run(run.path)


def resolve(
    what: str | Path,
    *tables: Mapping[str, Any],
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Experiment:
    """The complete settings of a name, a file or a run with these tables of changes, and the directory of its run.

    Nothing is made. Raises SettingsError and LookupError for what cannot be used (see `train`).
    """
    if resume and overwrite:
        raise SettingsError("--resume goes on with a run and --overwrite discards it: give one of them.")
    if not _is_directory(what):
        settings = plan(what, *tables)
        check_augment(settings)
        run_dir = Path(run) if run is not None else default_run_dir(settings, resume)
        return Experiment(settings, run_dir, resume, overwrite)
    existing = Run(what)
    if not resume:
        raise SettingsError(f"{what} is a run: go on with it by --resume.")
    existing.check_data()
    changes = [*tables, *([{"run": run}] if run is not None else [])]
    settings = plan_longer(existing, *changes) if any(changes) else existing.settings
    return Experiment(settings, existing.path, resume=True, longer=settings != existing.settings)


def plan_longer(run: Run, *tables: Mapping[str, Any]) -> RunSettings:
    """The settings of a run that goes on: its own, but for a larger training.images.

    The rate follows the schedule of the new budget from where the run is. Raises SettingsError for anything else.
    """
    changes = merge(*tables)
    training = changes.get("training")
    if set(changes) != {"training"} or not isinstance(training, Mapping) or set(training) != {"images"}:
        raise SettingsError(
            f"{run.path} is a run with settings and a place of its own, which a resumed run keeps; it may go on to "
            "more images, training.images=MORE. Threads, saves and previews may change: repeat the command that began "
            f"it, with --run {run.path} --resume."
        )
    settings = settings_of(merge(run.tables, changes))
    before = run.settings.training.images
    if settings.training.images < before:
        raise SettingsError(
            f"training.images={settings.training.images} is less than the {before:,} of {run.path}: a run can be "
            "trained longer, and for less a new one is begun."
        )
    return settings


def _is_directory(what: str | Path) -> bool:
    """Whether a run directory is meant: no name of something that can be trained, and no settings file."""
    if isinstance(what, str) and what in registry.trainable_names():
        return False
    return Path(what).is_dir() or (len(Path(what).parts) > 1 and not str(what).endswith(".toml"))
