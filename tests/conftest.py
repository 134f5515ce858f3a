"""Shared: a quick EncDiff, a denoiser to stand on, a run made once, and one thread so that tests do not fight."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, VQModel
from jaxtyping import config
from safetensors.torch import load_file, save_file

import unweave
from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.models.diffusion import noising
from unweave.models.foundation import Foundation, FrozenDenoiser
from unweave.models.latents import LatentSpace
from unweave.models.unet import UNetShape, unconditional_unet
from unweave.progress import Progress, Task
from unweave.runs import checkpoint
from unweave.runs.factors import RunFactors, write_factors
from unweave.runs.run import Run

torch.set_num_threads(1)
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")  # nor do they start processes for what takes a moment

QUICK = {
    "units": 4,
    "encoder_width": 16,
    "channels": (16, 16),
    "attention": (True, False),
    "encoder_halvings": 4,
    "heads": 2,
    "groups": 4,
    "token": 8,
}
"""An EncDiff small enough for a test."""


class TaskUpdate(NamedTuple):
    """What a task was told: how much is done of how much, and what is going on."""

    task: str
    done: float | int
    total: float | int | None
    note: str


class RecordedTask(Task):
    def __init__(self, name: str, total: float | int | None, updated: Callable[[TaskUpdate], None]) -> None:
        self.name, self.total, self.updated = name, total, updated

    def update(self, done: float | int, note: str = "", total: float | int | None = None) -> None:
        self.total = self.total if total is None else total
        self.updated(TaskUpdate(self.name, done, self.total, note))


class Recorder(Progress):
    """Keeps what is told of every task, and may do something after a step of a training."""

    def __init__(self, after_step: Callable[[int], None] = lambda seen: None) -> None:
        self.first: list[int] = []  # images seen where a training began
        self.updates: list[TaskUpdate] = []
        self.messages: list[str] = []
        self.after_step = after_step

    @contextmanager
    def task(self, name: str, total: float | int | None, unit: str, done: float | int) -> Iterator[Task]:
        if name == "training":
            self.first.append(int(done))
        yield RecordedTask(name, total, self._updated)

    def message(self, text: str) -> None:
        self.messages.append(text)

    @property
    def seen(self) -> list[int]:
        """Images seen after each step of a training."""
        return [int(update.done) for update in self.updates_of("training")]

    def updates_of(self, task: str) -> list[TaskUpdate]:
        return [update for update in self.updates if update.task == task]

    def _updated(self, update: TaskUpdate) -> None:
        self.updates.append(update)
        if update.task == "training":
            self.after_step(int(update.done))


def patch_dataset(patch: pytest.MonkeyPatch, module: ModuleType, **changes: object) -> None:
    """Another function or constant in the definition of a data set."""
    patch.setattr(module, "DATASET", replace(module.DATASET, **changes))


@pytest.fixture(autouse=True)
def _map_of_principal_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling UMAP takes seconds in every process; a test that wants it asks for it."""
    monkeypatch.setattr("unweave.evaluation.code_map.has_umap", lambda: False)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """A test that leaves torch with more threads would slow all that follow it, in both processes."""
    torch.set_num_threads(1)


MAY_SKIP = ("no decoder", "root may read everything", "needs another user")
"""Why a test may be skipped where everything is there: it is of another kind of method, or of another user."""


def is_of_absent_material(reason: str) -> bool:
    """Whether a test was left out for want of files in a folder beside the checkout that is not there at all."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return not beside.is_dir() and ("shared" in reason or "golden" in reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Under CI a test that is skipped for want of a tool, a package or a file has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.endswith(MAY_SKIP) and not is_of_absent_material(reason):
            report.outcome, report.longrepr = "failed", f"CI runs everything, and this was left out: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """The same of a whole file."""
    report = yield
    if report.skipped and os.environ.get("CI") and not is_of_absent_material(str(report.longrepr)):
        report.outcome, report.longrepr = "failed", f"CI runs everything, and this was left out: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of data sets, and a ledger of runs, for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNWEAVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("UNWEAVE_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def untyped() -> Iterator[None]:
    """As for users: without the checks of annotations that tests run with."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny run on sprites, trained once for all tests; treat it as read-only but for new pictures."""
    return unweave.train(
        "encdiff",
        data={"name": "sprites", "size": 16},
        method=QUICK,
        training={"images": 192, "batch": 32, "precision": "float32", "save": 96, "preview": 192, "warmup": 32},
        run=tmp_path_factory.mktemp("runs") / "quick",
    )


@pytest.fixture(scope="session")
def vivid_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny beta-VAE of 16 px sprites whose decoder was made to answer to each of its units; treat it as read-only."""
    run = unweave.train(
        "betavae",
        data={"name": "sprites", "size": 16},
        method={"units": 4},
        training={"images": 64, "batch": 32, "precision": "float32", "preview": 64, "warmup": 0},
        run=tmp_path_factory.mktemp("vivid") / "run",
    )
    newest, record = run.checkpoint(), run.state()
    for file in (newest / "weights.safetensors", newest / "average.safetensors"):
        loud = {"decoder.0.weight": 1000.0, "decoder.2.weight": 5.0, "decoder.11.weight": 8.0}
        save_file({name: loud.get(name, 1.0) * part for name, part in load_file(file).items()}, file)
        record["sha256"][file.name] = checkpoint.digest(file)
    checkpoint.write_record(newest, record)
    return run


@pytest.fixture
def factored_run(vivid_run: Run, tmp_path: Path) -> Run:
    """A copy of that run with factors: f1 is a circle of two units, f2 a line with two states, f3 has no curve."""
    run = Run(shutil.copytree(vivid_run.path, tmp_path / "factored"))
    quantiles = run.statistics().quantiles
    middle, reach = quantiles[50, [0, 2]], np.ptp(quantiles[[10, 90]][:, [0, 2]], axis=0)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = middle + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
    line = quantiles[[0, 100], 1][:, None]
    levels = np.linspace(0, 1, 101)
    modes = (Mode(0.25, 0.4), Mode(0.75, 0.6))
    factors = (
        Factor((0, 2), 0.08, Coordinate(True, circle, levels, 0.01), verdict="one thing"),
        Factor((1,), 0.05, Coordinate(False, line, levels, 0.0), modes, "size", 0.9, "one thing"),
        Factor((3,), 0.01, verdict="leftover"),
    )
    write_factors(run, RunFactors(factors, run.digest(), 200, 0))
    return run


def abar_of(schedule: noising.Schedule) -> torch.Tensor:
    """abar_t of one of the schedules, for t = 0 .. 999."""
    return noising.alphas_bar(noising.scheduler_config(schedule, "eps"))


def small_denoiser(
    size: int = 16,
    channels: int = 3,
    prediction: noising.Prediction = "eps",
    schedule: noising.Schedule = "linear",
) -> FrozenDenoiser:
    """A frozen denoiser small enough for a test; random weights stand for trained ones, the same at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = unconditional_unet(size, channels, UNetShape((8, 16), (False, True), 1, 2, 4, 0.0))
        for parameter in unet.parameters():
            if not parameter.any():  # the last layers, which begin at zero
                torch.nn.init.normal_(parameter, std=0.1)
    return FrozenDenoiser(unet, noising.scheduler_config(schedule, prediction))


def latent_foundation(kind: str) -> Foundation:
    """An autoencoder ('vq' or 'kl') of 16 px pictures and a denoiser of its 8 x 8 latents, both random."""
    torch.manual_seed(0)
    shape = (3, 16, 16)
    sizes = {"block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4, "scaling_factor": 0.5}
    blocks = {
        "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
        "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
        "mid_block_add_attention": False,
    }
    if kind == "kl":
        space = LatentSpace(AutoencoderKL(latent_channels=4, **blocks, **sizes), shape)
    else:
        space = LatentSpace(VQModel(latent_channels=3, num_vq_embeddings=8, **blocks, **sizes), shape)
    return Foundation(shape, 100, space, small_denoiser(8, space.shape[0]))


def shared(*parts: str) -> Path:
    """A file of the shared material beside the checkout; the test is skipped where it is absent."""
    path = Path(__file__).resolve().parents[2].joinpath("shared", *parts)
    if not path.exists():
        pytest.skip(f"there is no {'/'.join(('shared', *parts))} beside the checkout")
    return path


@pytest.fixture(scope="session")
def disdiff_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny DisDiff on a tiny denoiser of 16 px sprites, trained once for all tests; treat it as read-only."""
    method = {"units": 4, "dim": 3, "encoder_width": 16, "encoder_halvings": 2}
    return _on_a_tiny_denoiser("disdiff", "laptop-pixels", method, tmp_path_factory.mktemp("disdiff"))


@pytest.fixture(scope="session")
def diti_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny DiTi on a tiny denoiser of 16 px sprites, trained once for all tests; treat it as read-only."""
    method = {"dim": 24, "blocks": 8, "edges": [250, 500, 1000], "widths": [4, 12, 8], "encoder_widths": [32, 32]}
    return _on_a_tiny_denoiser("diti", "laptop", method, tmp_path_factory.mktemp("diti"))


def _on_a_tiny_denoiser(name: str, preset: str, method: dict[str, object], place: Path) -> Run:
    small = {"channels": [16, 16], "attention": [False, True], "layers": 1, "heads": 2, "groups": 4}
    few = {"images": 96, "batch": 32, "rate": 1e-2, "precision": "float32", "preview": 96, "warmup": 0}
    data = {"name": "sprites", "size": 16}
    recipe = {"method": {"name": "denoiser", **small}, "preset": "laptop", "data": data, "training": few}
    return unweave.train(
        name,
        {"foundation": {"denoiser": {"from": str(place / "denoiser"), "recipe": recipe}}},
        preset=preset,
        data=data,
        method=method,
        training=few,
        run=place / "run",
    )


@pytest.fixture(autouse=True)
def _little_of_factors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports and comparisons find, name and judge factors on few rows; their own tests do so on all."""
    path = request.path.as_posix()
    if "/evaluation/report/" in path or path.endswith(("test_compare.py", "test_no_decoder.py", "test_pages_run.py")):
        monkeypatch.setattr("unweave.factors.groups.SUBSAMPLES", 2)
        monkeypatch.setattr("unweave.factors.names.SHUFFLES", 30)
        monkeypatch.setattr("unweave.evaluation.factor_names.NAMED_ROWS", 60)
        monkeypatch.setattr("unweave.evaluation.factor_swaps.BANK", 150)
        monkeypatch.setattr("unweave.evaluation.factor_swaps.SWAPPED", 30)
        monkeypatch.setattr("unweave.evaluation.report.measure.PAIRS", 32)


@pytest.fixture
def _few_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits are measured by few swaps."""
    for name, pairs in (("CONSISTENCY_PAIRS", 128), ("ASSIGNING_PAIRS", 16), ("MEASURING_PAIRS", 64)):
        monkeypatch.setattr(f"unweave.evaluation.edits.{name}", pairs)
    monkeypatch.setattr("unweave.evaluation.edits.PROBE_ROWS", 2_500)
