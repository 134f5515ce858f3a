"""The trainings of a demonstration, two at a time, one thread each."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import joblib

from unweave import progress

T = TypeVar("T")


def side_by_side(train: Callable[[str], T], arms: Sequence[str], title: str, workers: int = 2) -> dict[str, T]:
    """What `train` gives for each arm; it is sent to other processes. One worker is this process."""
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        found = joblib.Parallel(n_jobs=workers, return_as="generator")(joblib.delayed(train)(arm) for arm in arms)
        results = {}
        with progress.task(title, len(arms), "trainings") as task:
            for arm, result in zip(arms, found, strict=True):
                results[arm] = result
                task.update(len(results), arm)
    return results
