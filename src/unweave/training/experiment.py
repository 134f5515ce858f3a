"""An experiment: complete settings, and the directory of its run."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unweave import registry
from unweave.config import SettingsError
from unweave.runs import checkpoint
from unweave.runs.lock import check_not_training
from unweave.runs.plan import RESUMABLE, default_run_dir, differing, plan
from unweave.runs.run import Run, create, write_settings
from unweave.runs.settings import RunSettings
from unweave.training.recipes import is_finished


@dataclass(frozen=True)
class Experiment:
    """What is to be trained, and where its run goes."""

    settings: RunSettings
    run_dir: Path
    resume: bool = False
    overwrite: bool = False

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
        fixed = [name for name in names if name not in RESUMABLE]
        if fixed:
            raise SettingsError(
                f"{run.path} was trained with other settings ({', '.join(fixed)}): "
                f"go on as it is with `unweave train {run.path} --resume`, choose another --run, or --overwrite it."
            )
        if names and not is_finished(run.path):
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
        run_dir = Path(run) if run is not None else default_run_dir(settings, resume)
        return Experiment(settings, run_dir, resume, overwrite)
    existing = Run(what)
    if not resume:
        raise SettingsError(f"{what} is a run: go on with it by --resume.")
    if any(tables) or run is not None:
        raise SettingsError(
            f"{what} is a run with settings and a place of its own, which a resumed run keeps. Threads, saves and "
            f"previews may change: repeat the command that began it, with --run {what} --resume."
        )
    existing.check_data()
    return Experiment(existing.settings, existing.path, resume=True)


def _is_directory(what: str | Path) -> bool:
    """Whether a run directory is meant: no name of something that can be trained, and no settings file."""
    if isinstance(what, str) and what in registry.trainable_names():
        return False
    return Path(what).is_dir() or (len(Path(what).parts) > 1 and not str(what).endswith(".toml"))
