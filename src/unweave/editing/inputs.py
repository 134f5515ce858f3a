"""What every verb begins with: an opened run, the images to edit, and the partners that units come from."""

import logging
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from unweave.editing.start import make_start
from unweave.method import Generative, Sampling, Start
from unweave.models.diffusion.sampling import check_sampling
from unweave.runs.codes import check_generative
from unweave.runs.factors import FACTOR_WORD, are_current, read_factors
from unweave.runs.images import ImageNames, list_images, random_rows, read_images
from unweave.runs.run import Run
from unweave.runs.units import UnitGroup, UnitSelection, select_groups, single_units, unit_names
from unweave.tensors import Images

logger = logging.getLogger(__name__)

SAMPLING = Sampling("dpmsolver++", 20)
"""What edits are drawn with unless something else is asked for."""


@dataclass(frozen=True, eq=False)
class EditInputs:
    run: Run
    method: Generative
    images: Images
    labels: list[str]  # of the images
    partners: Float[Tensor, "..."]  # one for each image; the images themselves where units come from no others

    def units(self, listed: UnitSelection | None) -> list[UnitGroup]:
        """The listed units, ranges, groups, factors and names of the run.

        If none are listed, its factors where they were found with these weights, else its groups or all units.
        """
        factors = read_factors(self.run)
        stale = factors is not None and not are_current(self.run, factors)
        names = unit_names(self.run)
        groups = select_groups(self.method, self.images, listed, names, None if listed is None and stale else factors)
        if stale and any(FACTOR_WORD.fullmatch(group.word) for group in groups):
            logger.warning(
                "the factors are of the weights before further training: `unweave factors %s find` finds them again.",
                self.run.path,
            )
        return groups

    def single_units(self, listed: UnitSelection | None) -> list[int]:
        """The listed units one by one, those of groups and factors among them; if none are listed, all."""
        if listed is None:
            return single_units(select_groups(self.method, self.images, None, {}))
        return single_units(self.units(listed))

    def start(self, sampling: Sampling, seed: int | None) -> Start:
        """Where the images begin: `seed` None is their inverted x_T."""
        return make_start(self.method, self.images, sampling=sampling, seed=seed)


def read_inputs(
    run: Run | str | Path, images: ImageNames | None, count: int, sampling: Sampling = SAMPLING
) -> EditInputs:
    """The named images of a run, or `count` random rows of its data.

    Raises LookupError where the path is no run, TypeError for one without a decoder, ValueError for a sampler that does
    not exist and images that cannot be read.
    """
    run, method = _open(run, sampling)
    first = read_images(run, images if images is not None else random_rows(run, count))
    return EditInputs(run, method, first.images, first.labels, first.images)


def read_pairs(
    run: Run | str | Path, images: ImageNames | None, partners: ImageNames | None, count: int, sampling: Sampling
) -> EditInputs:
    """As `read_inputs`, with partners: random rows for what is not named; one partner serves every image."""
    run, method = _open(run, sampling)
    images, partners = (None if names is None else list_images(names) for names in (images, partners))
    if images is None:
        images = random_rows(run, count if partners is None or len(partners) == 1 else len(partners), seed=0)
    if partners is None:
        partners = random_rows(run, len(images), seed=1)
    first, second = read_images(run, images), read_images(run, partners)
    partner_images = second.images.expand_as(first.images) if len(second.labels) == 1 else second.images
    return EditInputs(run, method, first.images, first.labels, partner_images)


def _open(run: Run | str | Path, sampling: Sampling) -> tuple[Run, Generative]:
    check_sampling(sampling)
    run = run if isinstance(run, Run) else Run(run)
    return run, check_generative(run.method(), run)
