"""What an image of a run was read from, at its own size: a file, or a member of an archive."""

from functools import lru_cache
from pathlib import Path

from unweave.data.dataset import Dataset
from unweave.data.reading.archives import Archive, open_archive
from unweave.data.reading.image_files import IMAGE_ENDINGS, MAX_FILE_BYTES, ImageContent
from unweave.data.reading.stored_pictures import stored_shape
from unweave.data.settings import DatasetSettings


def original_of(settings: DatasetSettings, dataset: Dataset | None, source: int | Path | None) -> ImageContent | None:
    """The picture itself; None where there is none: arrays, tiles, pages, sets that are drawn, files that are gone."""
    if isinstance(source, Path):
        return source if source.is_file() else None
    if source is None or dataset is None or settings.name not in ("folder", "archive"):
        return None
    pages = dataset.reading is not None and dataset.reading.pages == "images"
    if pages or dataset.boxes is not None or source >= len(dataset.files):
        return None
    place, name = Path(str(settings.model_dump()["path"])).expanduser(), dataset.files[source]
    if settings.name == "folder":
        return place / name if (place / name).is_file() else None
    try:
        archive = _archive(place, place.stat().st_mtime_ns)
        return archive.read(next(member for member in archive.members if member.name == name), MAX_FILE_BYTES)
    except (OSError, ValueError, StopIteration):
        return None


@lru_cache(maxsize=2)
def _archive(path: Path, changed: int) -> Archive:
    """The archive that the file was when it changed last."""
    return open_archive(path, IMAGE_ENDINGS)


def original_size(content: ImageContent | None) -> tuple[int, int] | None:
    """Height and width; None for none, and for what cannot be read."""
    if content is None:
        return None
    try:
        shape = stored_shape(content)
    except ValueError:
        return None
    return shape.height, shape.width
