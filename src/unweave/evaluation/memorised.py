"""Whether a run has learned its images by heart: what it draws anew, and what it makes of images it has not seen."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.data.views import held_out
from unweave.evaluation.factor_names import EncodedRows
from unweave.evaluation.metrics.image.copies import PictureDistances, copies, more_often, pixel_distances
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import shuffled
from unweave.runs.report_facts import Memorised
from unweave.tensors import to_images, to_pixels
from unweave.types import Rows

PICTURES = 64  # that are drawn, and as many real ones that are rebuilt
CHUNK = 250  # training pictures that are compared with at a time

AnyPictures = UInt8[np.ndarray, "picture height width channel"]
"""Pictures of any origin."""


def measure_memorised(
    editor: RunEditor, encoded: EncodedRows, groups: Sequence[Sequence[int]], seed: int
) -> Memorised | None:
    """Copies of encoded training images (`metrics.image.copies`) among pictures drawn anew, each group of units from
    another image, and among real images that are no training images; None for fewer than ten images.

    Those are images that the run's view leaves out. Where it leaves none out, they are training images, each without
    itself. Of images that are left out it is also counted how many are rebuilt to something that is nearer to a
    training image than to themselves, and the same of training images and the other ones. A complete grid of factors,
    of which every combination is a training image, is never known by heart.
    """
    rows, dataset = encoded.rows, editor.dataset
    if len(rows) < 10:
        return None
    unseen = held_out(dataset)
    own = shuffled(rows, seed)[:PICTURES]
    positions = np.searchsorted(rows, own)
    with progress.task("looking for copies", PICTURES if unseen is None else 3 * PICTURES, "images") as task:
        drawn = copies(_distances(to_pixels(editor.mix(own, groups, seed)), dataset, rows))
        task.update(PICTURES)
        if unseen is None:
            real = copies(_without(_distances(dataset.images(own), dataset, rows), positions))
            by_heart = more_often(drawn, real) and not _is_grid(dataset)
            return Memorised(len(own), _share(drawn), _share(real), 0, None, None, by_heart, len(rows))
        pictures = unseen.images(sample_rows(len(unseen), PICTURES, seed))
        real = copies(_distances(pictures, dataset, rows))
        rebuilt = to_pixels(editor.rebuild(to_images(pictures, editor.device)))
        strayed = _distances(rebuilt, dataset, rows).min(1) < _difference(rebuilt, pictures)
        task.update(2 * PICTURES)
        known = to_pixels(editor.reconstruct(own))
        others = _without(_distances(known, dataset, rows), positions)
        reference = others.min(1) < _difference(known, dataset.images(own))
    by_heart = more_often(drawn, real) or more_often(strayed, reference)
    shares = _share(strayed), _share(reference)
    return Memorised(len(own), _share(drawn), _share(real), len(pictures), *shares, by_heart, len(rows))


def _is_grid(dataset: Dataset) -> bool:
    return bool(dataset.factor_sizes) and math.prod(dataset.factor_sizes) == len(dataset)


def _distances(pictures: AnyPictures, dataset: Dataset, rows: Rows) -> PictureDistances:
    """Of each picture to the images at these rows."""
    flat = _flat(pictures)
    parts = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    return np.concatenate([pixel_distances(flat, _flat(dataset.images(part))) for part in parts], axis=1)


def _without(distances: PictureDistances, positions: Rows) -> Float[np.ndarray, "picture others"]:
    """The distances of each picture but for the one to the image at its own position."""
    kept = np.ones(distances.shape, bool)
    kept[np.arange(len(positions)), positions] = False
    return distances[kept].reshape(len(distances), -1)


def _difference(pictures: AnyPictures, others: AnyPictures) -> Float[np.ndarray, "picture"]:
    return np.sqrt(np.square(_flat(pictures) - _flat(others)).mean(1))


def _flat(pictures: AnyPictures) -> Float[np.ndarray, "picture number"]:
    return pictures.reshape(len(pictures), -1).astype(np.float32) / 255


def _share(each: np.ndarray) -> float:
    return float(each.mean())
