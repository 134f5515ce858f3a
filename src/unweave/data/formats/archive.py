"""archive: the image files in a zip or tar, as squares, read where they are; factors as in `folder`.

Which archives are read, and what is refused, is said in reading/archives.py.

Rows are in the order of the members' names; in a compressed tar, which has no index, in the archive's own order.

A member that cannot be read is named in a warning and left out; hidden ones, and archives in the archive, are passed
over. `build` raises SettingsError where there is no such file, ValueError where it is damaged, not to be trusted (see
`open_archive`) or holds no readable image.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.formats.folder import label_files, read_labels
from unweave.data.reading.archives import open_archive
from unweave.data.reading.image_files import IMAGE_ENDINGS, MAX_FILE_BYTES
from unweave.data.reading.image_source import ImageSource, Labels, existing_file
from unweave.data.reading.picture_files import PictureFiles, picture_source
from unweave.data.settings import FileSettings

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class ArchiveSettings(FileSettings):
    name: Literal["archive"] = "archive"
    path: Path


def files(settings: ArchiveSettings) -> list[Path]:
    path = existing_file(settings.path, f"an archive ({', '.join(ARCHIVES)})")
    return [path, *label_files(_beside(settings.labels, path))]


def source(settings: ArchiveSettings) -> ImageSource:
    path = settings.path.expanduser()
    archive = open_archive(path, IMAGE_ENDINGS)
    members = archive.members
    if not members:
        looked_for = ", ".join(IMAGE_ENDINGS)
        raise ValueError(f"there is no image in {path}; looked for {looked_for}, not in archives inside it.")
    files = PictureFiles(
        name=path.name.split(".")[0] or path.name,
        card=Card(title=path.name, source=path.name, licence="unknown to unweave: see where the images come from"),
        total=len(members),
        names=[member.name for member in members],
        content=lambda file: archive.read(members[file], MAX_FILE_BYTES),
        say=lambda file: f"{path}: {members[file].name}",
        in_order=archive.in_order,
    )
    labels = _beside(settings.labels, path)

    def label(names: Sequence[str]) -> Labels | None:
        where = _below_top(names) if labels == "folders" else names
        return read_labels(labels, settings.factors, where, str(path))

    return picture_source(files, settings, label)


def _beside(labels: Path | str | None, path: Path) -> Path | str | None:
    """The CSV of the labels, beside the archive where it is not where the setting says."""
    if labels is None or labels == "folders" or Path(labels).expanduser().exists():
        return labels
    beside = path.parent / labels
    return beside if beside.is_file() else labels


def _below_top(names: Sequence[str]) -> Sequence[str]:
    """The names without the one folder that an archive is often packed in, where all images lie deeper than it."""
    parts = [name.split("/") for name in names]
    if len({part[0] for part in parts}) > 1 or min(map(len, parts)) < 3:
        return names
    return ["/".join(part[1:]) for part in parts]


DATASET = DatasetDefinition(settings=ArchiveSettings, build=build, files=files, source=source, version=4)
