"""One process here; two are in tests/test_several.py."""

import torch
from torch import nn

from unweave.models.gathered import BatchNorm, gather, processes, rank


def test_one_process_gathers_what_it_has() -> None:
    rows = torch.ones(3, 2)
    assert gather(rows) is rows
    assert (processes(), rank()) == (1, 0)


def test_it_is_batch_normalisation() -> None:
    own, theirs = BatchNorm(4), nn.BatchNorm1d(4)
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)) * 3 + 1
    torch.testing.assert_close(own(x), theirs(x))
    torch.testing.assert_close(own.running_var, theirs.running_var)
    torch.testing.assert_close(own.eval()(x), theirs.eval()(x))
