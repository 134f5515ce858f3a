"""archive: the image files in a zip or tar, as RGB squares, read where they are; factors as in `folder`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from unweave.config import Frozen
from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset
from unweave.data.formats.folder import labelled, table
from unweave.data.reading import members
from unweave.data.reading.pixels import ENDINGS, LARGEST, Picture, decode
from unweave.data.reading.source import Part, Source, each, existing

APART = False
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Settings(Frozen):
    path: Path
    size: int = Field(default=64, ge=8, le=4096, description="pixels; the middle square of each image is resized to it")
    labels: Path | Literal["folders"] | None = Field(
        default=None,
        description="a CSV (file name, then a column per factor; looked for beside the archive too), or 'folders': "
        "their names are classes",
    )
    factors: tuple[str, ...] | None = Field(default=None, description="the columns of the CSV to use; all if not set")


def build(settings: Settings) -> Dataset:
    """Rows are in the order of the members' names; in a compressed tar, which has no index, in the archive's own order.

    A member that cannot be read is named in a warning and left out; hidden ones, and archives in the archive, are
    passed over. Raises SettingsError where there is no such file, ValueError where it is damaged, not to be trusted
    (see disk/members.py) or holds no readable image.
    """
    return cache.opened("archive", settings)


def files(settings: Settings) -> list[Path]:
    path = existing(settings.path, f"an archive ({', '.join(ARCHIVES)})")
    return [path, *table(_beside(settings.labels, path))]


def source(settings: Settings) -> Source:
    path, size = settings.path.expanduser(), (settings.size, settings.size)
    archive = members.opened(path, ENDINGS)
    names = [member.name for member in archive.members]
    if not names:
        raise ValueError(f"there is no image in {path}; looked for {', '.join(ENDINGS)}, not in archives inside it.")

    def read(start: int, stop: int) -> Part:
        def picture(row: int) -> Picture:
            return decode(archive.read(archive.members[row], LARGEST), size, 3)

        return each(start, stop, size, picture, lambda row: f"{path}: {names[row]}")

    chosen = _beside(settings.labels, path)
    return Source(
        name=path.name.split(".")[0] or path.name,
        card=Card(title=path.name, source=path.name, licence="unknown to unweave: see where the images come from"),
        shape=(3, *size),
        count=len(names),
        read=read,
        labels=labelled(chosen, settings.factors, _below_top(names) if chosen == "folders" else names, str(path)),
        files=tuple(names),
        in_order=archive.in_order,
    )


def _beside(labels: Path | str | None, path: Path) -> Path | str | None:
    """The CSV of the labels, beside the archive where it is not where the setting says."""
    if labels is None or labels == "folders" or Path(labels).expanduser().exists():
        return labels
    beside = path.parent / labels
    return beside if beside.is_file() else labels


def _below_top(names: list[str]) -> list[str]:
    """The names without the one folder that an archive is often packed in, where all images lie deeper than it."""
    parts = [name.split("/") for name in names]
    if len({part[0] for part in parts}) > 1 or min(map(len, parts)) < 3:
        return names
    return ["/".join(part[1:]) for part in parts]
