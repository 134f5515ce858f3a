"""run.json: where, when and how a run was made."""

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from unweave.data.dataset import Dataset
from unweave.devices import accelerator_name
from unweave.files import write_atomically
from unweave.runs.run import Run


def describe(run: Run, precision: str, compiled: bool, accelerator: Accelerator, seen: int, dataset: Dataset) -> None:
    """Write what the training that begins now runs on; a resumed run keeps what was there."""
    before = run.record()
    values = {
        "started": now(),
        **before,
        "command": sys.argv,
        "precision": precision,
        "compiled": compiled,
        "device": processor_name() if accelerator.device.type == "cpu" else accelerator_name(accelerator.device),
        "threads": torch.get_num_threads(),
        "processes": accelerator.num_processes,
        "versions": {name: version(name) for name in ("unweave", "torch", "diffusers", "numpy")},
        "python": platform.python_version(),
        "data": {
            "digest": dataset.digest(),
            **dataset.card._asdict(),
            **({"reading": dataset.reading.model_dump(mode="json")} if dataset.reading else {}),
        },
        "resumed_at": [*before.get("resumed_at", []), *([seen] if seen else [])],
    }
    write_atomically(run.path / "run.json", json.dumps(values, indent=2))


def add(run: Run, **values: Any) -> None:
    """Write these values beside what is there."""
    write_atomically(run.path / "run.json", json.dumps({**run.record(), **values}, indent=2))


def finish(run: Run, seconds: float, images: int, waiting: float | None = None) -> None:
    """Note that training has ended; `waiting` is the share of its last part that it waited for images."""
    share = {} if waiting is None else {"waiting_for_data": round(waiting, 5)}
    add(run, finished=now(), seconds=round(seconds, 1), images=images, **share)


def processor_name() -> str:
    """The name of this machine's CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def now() -> str:
    """This second, in ISO 8601 with UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
