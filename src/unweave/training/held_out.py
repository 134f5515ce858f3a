"""The loss on images that a run is not trained on, where its data.view leaves some out."""

import numpy as np
import torch

from unweave.data.sampling import sample_rows
from unweave.data.views import View
from unweave.method import Batch, evaluating
from unweave.tensors import to_images
from unweave.training.loop import autocast
from unweave.training.probing import unchanged
from unweave.training.trainer import Trainer
from unweave.types import Rows

ROWS = 128  # of those left out, that are looked at
TIMES = 20  # in a whole training


def held_out_rows(trainer: Trainer) -> Rows:
    """Rows of the full data set that the run never sees, as many for each process; none where it sees all."""
    dataset = trainer.dataset
    if not isinstance(dataset, View):
        return np.arange(0)
    left = np.setdiff1d(np.arange(len(dataset.base)), dataset.rows)
    rows = left[sample_rows(len(left), ROWS, 0)] if len(left) else left
    return rows[: len(rows) - len(rows) % trainer.accelerator.num_processes]


def held_out_terms(trainer: Trainer, rows: Rows) -> dict[str, float]:
    """The terms of every player's loss on these rows of the full set, in eval mode, under held_out/PLAYER/TERM.

    Noise is the same each time; the training is as if nothing had been asked. Every process must ask: each looks at its
    part of the rows, and the terms are means over all of them.
    """
    assert isinstance(trainer.dataset, View)
    accelerator, rank = trainer.accelerator, trainer.accelerator.process_index
    rows = rows[rank :: accelerator.num_processes]
    images = to_images(trainer.dataset.base.images(rows), trainer.device)
    settings = trainer.settings
    terms: dict[str, float] = {}
    index = torch.zeros(len(rows), dtype=torch.int64, device=trainer.device)
    batch = Batch(images, index, trainer.seen, settings.images, settings.seed)
    with unchanged(trainer.state.players), evaluating(trainer.state.method):
        for player in trainer.state.players:
            with autocast(settings.precision, accelerator):
                loss = accelerator.unwrap_model(player.module)(batch, torch.Generator().manual_seed(rank))
            terms |= {f"held_out/{player.name}/{name}": float(value) for name, value in loss.terms.items()}
    means = accelerator.reduce(torch.tensor(list(terms.values()), device=trainer.device), "mean")
    assert isinstance(means, torch.Tensor)
    return dict(zip(terms, means.tolist()))
