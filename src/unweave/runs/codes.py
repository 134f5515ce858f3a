"""Images of a data set -> the codes of a method. The only file of the evaluation that needs torch."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress
from torch import nn

from unweave.data.dataset import Dataset
from unweave.evaluation.metrics import checks
from unweave.method import Method, evaluating
from unweave.tensors import to_images
from unweave.types import Rows


def represent(method: Method, dataset: Dataset, rows: Rows, batch: int = 250) -> Float[np.ndarray, "rows unit dim"]:
    """The codes of the images at these rows, in float32, on the device of the method's parameters.

    The method encodes in eval mode; afterwards every sub-module is in the mode it was in. A progress bar appears on
    stderr after three seconds. Raises ValueError where there are no rows or codes are not finite.
    """
    if not len(rows):
        raise ValueError("there are no rows to represent.")
    device = next((tensor.device for tensor in _tensors(method)), torch.device("cpu"))
    parts = []
    with evaluating(method):
        for part in _shown(np.split(rows, range(batch, len(rows), batch))):
            units = method.encode(to_images(dataset.images(part), device))
            parts.append(units.float().cpu().numpy())
    codes = np.concatenate(parts)
    checks.finite(codes, "codes of this method")
    return codes


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _shown(parts: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The parts, with a progress bar on an interactive stderr once three seconds have passed."""
    console = Console(stderr=True)
    began = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("encoding", total=len(parts), visible=False)
        for part in parts:
            yield part
            progress.update(task, advance=1, visible=time.monotonic() - began > 3)
