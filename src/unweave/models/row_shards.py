"""A table with a row for every image, of which each process holds a part: rows looked up wherever they lie.

Process p of P has the rows from p · rows / P on. A table that is whole on every process (of one process, or of several
that were not told to split it) is read as it is.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unweave.models.gathered import gather, processes, rank, total

RowTable = Float[Tensor, "row number"]


def own_rows(rows: int) -> slice:
    """The rows of a whole table that this process holds."""
    return slice(rank() * rows // processes(), (rank() + 1) * rows // processes())


def lookup(table: RowTable, rows: int, index: Int[Tensor, "batch"]) -> Float[Tensor, "batch number"]:
    """The rows with these numbers of a table of `rows` rows; each process asks for as many.

    The gradient of a row is the sum over processes divided by their number, as what Accelerate makes of others. What
    travels is the rows of the batch.
    """
    if len(table) == rows:
        return table[index]
    first, every = own_rows(rows).start, gather(index[:, None]).squeeze(1)
    place = every - first
    here = (place >= 0) & (place < len(table))
    found = table[place.clamp(0, len(table) - 1)] * here[:, None]
    part = slice(rank() * len(index), (rank() + 1) * len(index))
    mine = total(found)[part]
    return mine / processes() + mine.detach() * (1 - 1 / processes())


def mean_and_deviation(table: RowTable, rows: int) -> tuple[Float[Tensor, "number"], Float[Tensor, "number"]]:
    """Of each number over all rows, without gradient; the deviation is that of the rows themselves (not n - 1)."""
    table = table.detach()
    if len(table) == rows:
        deviation, mean = torch.std_mean(table, dim=0, correction=0)
        return mean, deviation
    mean = total(table.sum(0)) / rows
    return mean, (total((table - mean).square().sum(0)) / rows).sqrt()


def whole(table: RowTable, rows: int) -> RowTable:
    """The table with the rows of all processes, which all must ask for."""
    if len(table) == rows:
        return table.detach()
    complete = table.new_zeros(rows, *table.shape[1:])
    complete[own_rows(rows)] = table.detach()
    return total(complete)
