"""folder: every image file below a folder, as squares; factors from folder names or a table, where wanted.

Rows are in the order of the relative paths. A file that cannot be read is named in a warning and left out.

`build` raises SettingsError where there is no such folder, ValueError where it holds no readable image.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.reading import labels
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.data.reading.image_source import ImageSource, Labels
from unweave.data.reading.picture_files import PictureFiles, picture_source
from unweave.data.settings import FileSettings

logger = logging.getLogger(__name__)


class FolderSettings(FileSettings):
    name: Literal["folder"] = "folder"
    path: Path


def files(settings: FolderSettings) -> list[Path]:
    path = settings.path.expanduser()
    if not path.is_dir():
        problem = "is a file" if path.exists() else "does not exist"
        raise SettingsError(f"data.path: {path} {problem}; expected a folder of images.")
    images = image_paths(path, warn=True)
    if not images:
        raise ValueError(f"there is no image in {path} or below it; looked for {', '.join(IMAGE_ENDINGS)}.")
    return images + label_files(settings.labels)


def label_files(setting: Path | str | None) -> list[Path]:
    """The CSV of the labels, if there is one. Raises SettingsError where it is not there."""
    if setting is None or setting == "folders":
        return []
    path = Path(setting).expanduser()
    if not path.is_file():
        raise SettingsError(f"data.labels: there is no file {path}; expected a table (CSV or TSV), or 'folders'.")
    return [path]


def image_paths(path: Path, warn: bool = False) -> list[Path]:
    """The image files below a folder, sorted by relative path; links are followed, hidden files left out.

    With `warn`, folders that may not be read and links that lead nowhere are named in warnings.
    """

    def say(error: OSError) -> None:
        if warn:
            logger.warning("%s cannot be read and is left out: %s", error.filename, error.strerror or error)

    names, visited = [], set()
    for folder, subfolders, files in os.walk(path, followlinks=True, onerror=say):
        resolved = os.path.realpath(folder)
        if resolved in visited:  # a link led back
            subfolders.clear()
            continue
        visited.add(resolved)
        subfolders[:] = [name for name in sorted(subfolders) if not name.startswith(".")]
        relative = Path(folder).relative_to(path)
        names += [(relative / name).as_posix() for name in files if is_image_name(name)]
    found = [path / name for name in sorted(names)]
    dead = [file for file in found if not file.exists()]
    if dead and warn:
        named = ", ".join(map(str, dead[:3])) + (" ..." if len(dead) > 3 else "")
        logger.warning("%d links lead nowhere and are left out: %s", len(dead), named)
    return [file for file in found if file.is_file()]


def is_image_name(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_ENDINGS


def source(settings: FolderSettings) -> ImageSource:
    path = settings.path.expanduser()
    images = image_paths(path)
    files = PictureFiles(
        name=path.resolve().name,
        card=Card(title=path.name, source=path.name, licence="unknown to unweave: see where the images come from"),
        total=len(images),
        names=[file.relative_to(path).as_posix() for file in images],
        content=images.__getitem__,
        say=lambda file: str(images[file]),
    )
    return picture_source(
        files, settings, lambda names: read_labels(settings.labels, settings.factors, names, str(path))
    )


def read_labels(
    setting: Path | str | None, factors: Sequence[str] | None, names: Sequence[str], where: str
) -> Labels | None:
    """The factors that the settings `labels` and `factors` ask for, of files with these relative paths."""
    if setting is None:
        return None
    if setting == "folders":
        return labels.from_folders(names, where)
    return labels.from_csv(Path(setting).expanduser(), names, factors)


DATASET = DatasetDefinition(settings=FolderSettings, build=build, files=files, source=source, version=4)
