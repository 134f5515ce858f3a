"""Encode very large sets on Ray: readers decode pictures part by part, encoders write the codes of each to a file.

A part is a range of rows, encoded in the same batches wherever it is, so the table does not depend on how many
processes there are, nor on which of them die. Ray Data moves parts from readers to encoders, holds readers back where
encoders are slower, and replaces processes. What is written is not encoded again.
"""

import ast
import logging
import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.disk_space import FULL_DISK
from unweave.data.open import dataset_settings
from unweave.method import Method
from unweave.ray_session import (
    ClusterError,
    check_nodes,
    check_resources,
    is_cluster,
    node_resources,
    places_for,
    ray_session,
    thread_environment,
)
from unweave.runs.codes import encode_pixels
from unweave.runs.data import open_as_read, table_as_read
from unweave.runs.run import Run
from unweave.runs.sharded_codes import AboutCodes, begin_codes, finish_codes, write_part
from unweave.types import Rows, Weights

PART_BYTES, PART_ROWS = 32 << 20, 10_000
"""A part has at most so many bytes of pixels, and so many rows."""
OBJECT_STORE = 512 << 20  # bytes of this machine's own Ray
AHEAD = 2  # parts that wait for an encoder, for each of them


@dataclass(frozen=True)
class EncodingOptions:
    """Where codes are made, and what each process takes."""

    address: str | None = None  # of a cluster; this machine if not given
    encoders: int | None = None  # as many as there are cores (GPUs, where there are any) if not given
    cpus: float = 1.0  # of an encoder
    gpus: float | None = None  # of an encoder; one where there are any, if not given
    reader_cpus: float = 0.25  # of a reader
    readers: int | None = None  # at a time; one for each encoder if not given


def encode_on_ray(
    run: Run | str | Path,
    data: str | Mapping[str, Any] | None,
    output: Path,
    *,
    weights: Weights = "averaged",
    options: EncodingOptions | None = None,
) -> AboutCodes:
    """The codes of a data set (a folder, shards, a name; the run's own if None), in the folder `output`.

    A folder that was begun goes on where it was. Raises FileExistsError where `output` is of something else,
    ConnectionError for a cluster that cannot be reached, ClusterError for a node that cannot do its part (a full disk);
    the parts that are done stay.
    """
    run, options = run if isinstance(run, Run) else Run(run), options or EncodingOptions()
    table, output = table_to_stream(run, data), output.resolve()
    dataset = open_as_read(run, table)
    about = describe(run, table, dataset, weights)
    missing = begin_codes(output, about)
    if missing:
        with ray_session(options.address, store=OBJECT_STORE) as ray:
            if is_cluster(ray, options.address):
                source = Path(str(about.data.get("path", run.path)))
                check_nodes(output, run.path, source if source.exists() else run.path)
            _encode_parts(ray, EncodingPlace(str(run.path.resolve()), str(output)), about, missing, options)
    return finish_codes(output, about)


def table_to_stream(run: Run, data: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The complete [data] table of what is encoded: a folder of pictures is read where it lies, not converted."""
    if data is None:
        run.check_data()
        return run.settings.data.model_dump(mode="json", exclude_none=True)
    table = table_as_read(run, data)
    if table["name"] == "folder":
        table = {**table, "name": "shards"}
    return dataset_settings(table).model_dump(mode="json", exclude_none=True)


def describe(run: Run, table: Mapping[str, Any], dataset: Dataset, weights: Weights) -> AboutCodes:
    """What the codes will be of, with the shape of one of them."""
    rows = max(1, min(PART_ROWS, PART_BYTES // int(np.prod(dataset.shape))))
    example = encode_pixels(run.method(weights), dataset.images(np.arange(1)))
    return AboutCodes(
        run=run.digest(), weights=weights, data=table, data_digest=dataset.digest(), rows=len(dataset), part_rows=rows,
        units=(example.shape[1], example.shape[2]), factor_names=dataset.factor_names,
        factor_sizes=tuple(dataset.factor_sizes),
    )  # fmt: skip


@dataclass(frozen=True)
class EncodingPlace:
    """Where processes find the run, and put codes."""

    run: str
    output: str


class Reader:
    """A process of Ray that decodes parts."""

    def __init__(self, place: EncodingPlace, about: AboutCodes) -> None:
        self.place, self.about = place, about

    @cached_property
    def dataset(self) -> Dataset:
        """As this node sees it. Raises ValueError where that is another one."""
        dataset = open_as_read(Run(self.place.run), self.about.data)
        if dataset.digest() != self.about.data_digest:
            raise ValueError(f"{dataset.name} has changed, or is another one there: choose another -o for it.")
        return dataset

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One part: its pixels, rows and factors, or why they cannot be read."""
        part = int(batch["part"][0])
        try:
            pixels, rows, bad = self.dataset.readable_images(np.array(self.about.rows_of(part)))
            factors = self.dataset.factors(rows) if self.about.factor_names else None
        except Exception as error:
            return {**_nothing(part), "failed": [failure(error)]}
        empty = np.zeros((len(rows), 0), np.int64)
        return {
            "part": [part], "pixels": [pixels], "rows": [rows],
            "factors": [empty if factors is None else factors], "bad": [repr(bad)], "failed": [""],
        }  # fmt: skip


def _nothing(part: int) -> dict[str, Any]:
    none = np.zeros((0, 0), np.int64)
    return {"part": [part], "pixels": [none.astype(np.uint8)], "rows": [none[:, :0]], "factors": [none], "bad": ["{}"]}


class Encoder:
    """A process of Ray that encodes parts and writes their codes."""

    def __init__(self, place: EncodingPlace, about: AboutCodes) -> None:
        if not torch.accelerator.is_available():
            torch.set_num_threads(1)
        self.place, self.about = place, about

    @cached_property
    def method(self) -> Method:
        """The network."""
        return Run(self.place.run).method(self.about.weights)  # type: ignore[arg-type]

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One part: how many codes it has, or why it has none."""
        part, failed, rows = int(batch["part"][0]), str(batch["failed"][0]), np.asarray(batch["rows"][0], np.int64)
        try:
            if not failed:
                self._write(part, rows, batch)
        except Exception as error:
            failed = failure(error)
        return {"part": [part], "count": [len(rows)], "failed": [failed]}

    def _write(self, part: int, rows: Rows, batch: dict[str, Any]) -> None:
        pixels, factors = np.asarray(batch["pixels"][0], np.uint8), np.asarray(batch["factors"][0], np.int64)
        codes = encode_pixels(self.method, pixels) if len(rows) else np.zeros((0, *self.about.units), np.float32)
        named = dict(zip(self.about.factor_names, factors.reshape(len(rows), -1).T))
        write_part(Path(self.place.output), part, codes, rows, named, ast.literal_eval(str(batch["bad"][0])))


def failure(error: Exception) -> str:
    """What is said where a process cannot do its part; its node, as others may be well. The log has the stack."""
    traceback.print_exception(error)
    node = os.uname().nodename
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return f"a disk of {node} is full ({error}): free some space; the same command goes on."
    return f"{node} cannot do its part: {str(error).rstrip('.') or type(error).__name__}. What is written stays."


def encoder_count(options: EncodingOptions, gpus: float, nodes: Sequence[Mapping[str, float]]) -> int:
    """How many encoders work at a time, each with its reader: those asked for, or as many as the nodes have room for.

    Raises ValueError where one fits on no node, or those asked for do not, for which Ray would wait for ever.
    """
    each = {"CPU": options.cpus, "GPU": gpus}
    check_resources(each, nodes)
    places = places_for(each, nodes)
    if options.encoders and options.encoders > places:
        raise ValueError(
            f"{options.encoders} encoders, each with {options.cpus:g} CPUs and {gpus:g} GPUs, were asked for, and "
            f"there is room for {places}: ask for fewer (--encoders), or for less for each (--cpus, --gpus)."
        )
    return options.encoders or places


def _encode_parts(
    ray: Any, place: EncodingPlace, about: AboutCodes, missing: list[int], options: EncodingOptions
) -> None:
    import ray.data as ray_data

    context = ray_data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    nodes = node_resources(ray)
    gpus = options.gpus if options.gpus is not None else float(any(node.get("GPU", 0) >= 1 for node in nodes))
    encoders = min(len(missing), encoder_count(options, gpus, nodes))
    readers = min(len(missing), options.readers or encoders)
    environment = thread_environment(max(1, int(options.cpus)))
    arguments: dict[str, Any] = {"fn_constructor_args": (place, about), "batch_size": 1, "runtime_env": environment}
    parts = ray_data.from_items([{"part": part} for part in missing], override_num_blocks=len(missing))
    done = (
        parts.map_batches(
            Reader, num_cpus=options.reader_cpus, compute=ray_data.ActorPoolStrategy(size=readers), **arguments
        )
        .map_batches(
            Encoder, num_cpus=max(0.01, options.cpus - options.reader_cpus * readers / encoders), num_gpus=gpus,
            compute=ray_data.ActorPoolStrategy(size=encoders, max_tasks_in_flight_per_actor=AHEAD), **arguments,
        )
    )  # fmt: skip
    before = about.rows - sum(len(about.rows_of(part)) for part in missing)
    with progress.task("encoding", about.rows, "images", before) as task:
        encoded = before
        for result in done.iter_rows():
            if result["failed"]:
                raise ClusterError(result["failed"])
            encoded += len(about.rows_of(int(result["part"])))
            task.update(encoded)
