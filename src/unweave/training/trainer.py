"""One process's share of the training of a run: the loop from a checkpoint on, and what happens after each step."""

import logging
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.figures.save import save_picture
from unweave.method import Fitted
from unweave.models.foundation import Foundation
from unweave.runs import checkpoint, log
from unweave.runs.run import Run
from unweave.training import loop, precision, record
from unweave.training.augment import augmented
from unweave.training.batches import Waited, batches, first_batch, rows_at
from unweave.training.compiling import compile_networks
from unweave.training.signals import on_signal
from unweave.training.state import TrainingState, random_states, state_tensors

logger = logging.getLogger("unweave")


class Callback:
    """What happens beside the steps; with several processes every one calls it, so that they can act together."""

    def on_train_begin(self, trainer: "Trainer") -> None:
        """The first step, or the first after a checkpoint, is about to be made."""

    def after_step(self, trainer: "Trainer", step: loop.Step, before: int) -> None:
        """A step has been made; `before` images were seen before it."""

    def on_train_end(self, trainer: "Trainer") -> None:
        """Training has ended or was interrupted; the last checkpoint is written."""


class Trainer:
    """With several processes, all step and only the main one logs, saves and draws."""

    def __init__(
        self,
        run: Run,
        state: TrainingState,
        dataset: Dataset,
        foundation: Foundation,
        accelerator: Accelerator,
        position: Mapping[str, Any],
        callbacks: Sequence[Callback],
        held: ExitStack,  # closed when `fit` ends: the run is another process's to train then
    ) -> None:
        self.run, self.state, self.dataset, self.held = run, state, dataset, held
        self.foundation, self.accelerator, self.callbacks = foundation, accelerator, callbacks
        self.settings = run.settings.training
        if isinstance(state.method, Fitted) and not state.players:  # the fit is all there is
            self.settings = self.settings.model_copy(update={"images": min(state.method.fit_images, len(dataset))})
        self.seen, self.steps = int(position["seen"]), int(position["steps"])
        self.started = time.monotonic() - position["seconds"]
        self.interrupted = self.terminated = False
        self.step_seconds = 0.0  # of the last step, with the time that it waited for its images
        self.task = progress.Task()

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    def seconds(self) -> float:
        """Since training began, the time of earlier parts included."""
        return time.monotonic() - self.started

    def interrupt(self) -> None:
        """Stop after this step (several processes: within ten); asked again, leave without saving."""
        if self.interrupted:
            sys.exit(130)
        self.interrupted = True

    def terminate(self) -> None:
        """The same for SIGTERM, which queues send with some seconds to spare, and some of them twice."""
        self.interrupted = self.terminated = True

    def fit(self) -> None:
        """Train to the end of the budget.

        An interrupt lets the step end, saves, and goes on as KeyboardInterrupt; SIGTERM does so as SystemExit of status
        143. Raises FloatingPointError where a loss is no longer a number or explodes.
        """
        with self.held, on_signal(signal.SIGTERM, self.terminate):
            if self.seen >= self.settings.images:
                self._close_finished_run()
                return
            self._begin()
            try:
                self._train_and_finish()
            finally:  # not accelerator.end_training(), which also ends the group of processes: another run may follow
                for tracker in self.accelerator.trackers:
                    tracker.finish()
        if self.terminated:  # while the last checkpoint was written: what would follow does not begin
            raise SystemExit(128 + signal.SIGTERM)

    def _train_and_finish(self) -> None:
        first = self.steps
        try:
            with on_signal(signal.SIGINT, self.interrupt):  # so that no step is cut in two
                waiting = self._train()
        except KeyboardInterrupt:
            if self.steps > first:
                self.finish()
            elif self.seen:  # nothing is new, but what is stored beside the checkpoint was removed
                self._end_callbacks()
            state = f"saved at {self.seen:,} images" if self.seen else "stopped before the first step"
            progress.message(f"{state}; go on with: unweave train {self.run.path} --resume")
            if self.terminated:
                raise SystemExit(128 + signal.SIGTERM) from None
            raise
        self.finish()
        if self.is_main:
            record.finish(self.run, self.seconds(), self.seen, waiting)
        self.accelerator.wait_for_everyone()

    def _train(self) -> float:
        """Every step to the end of the budget; the share of the time that was spent waiting for images."""
        state, settings, images = self.state, self.settings, self.settings.images
        share = (self.accelerator.process_index, self.accelerator.num_processes)
        read = batches(self.dataset, settings.seed, settings.batch, self.seen, images, self.accelerator.device, share)
        stream = Waited(augmented(read, settings.augment, settings.batch, share))
        state.method.train()
        with progress.task("training", images, "images", self.seen) as self.task:
            began = time.monotonic()
            steps = loop.steps(state.players, stream, state.optimisers, settings, self.accelerator, state.rng)
            for step in steps if state.players else ():
                state.average.step()
                before, self.seen, self.steps = self.seen, step.seen, self.steps + 1
                self.step_seconds = time.monotonic() - began
                for callback in self.callbacks:
                    callback.after_step(self, step, before)
                began = time.monotonic()
        if isinstance(state.method, Fitted):
            self._fit(state.method)
        return stream.share() if state.players else 0.0

    def _fit(self, method: Fitted) -> None:
        """What is computed at once, by every process alike: from the same rows, with the same random numbers."""
        count = min(method.fit_images, len(self.dataset))
        rows = np.sort(rows_at(len(self.dataset), self.settings.seed, 0, count, self.dataset.blocks))
        fitted = method.fit(self.dataset.images(rows), torch.Generator().manual_seed(self.settings.seed))
        self.seen = max(self.seen, self.settings.images)
        for note in fitted.notes:
            progress.message(note)
        if self.is_main:
            log.append(self.run.log, {"seen": self.seen, "seconds": round(self.seconds(), 2), **fitted.terms})
            for name, picture in fitted.pictures.items():
                save_picture(picture, self.run.pictures / f"{name}.png", overwrite=True)
                progress.message(f"picture: {self.run.pictures / f'{name}.png'}")

    def stops(self, together: bool) -> bool:
        """Whether to stop after this step; several processes decide together, where all of them ask."""
        if self.accelerator.num_processes == 1:
            return self.interrupted
        if not together:
            return False
        flag = torch.tensor([float(self.interrupted)], device=self.accelerator.device)
        total = self.accelerator.reduce(flag, "sum")
        assert isinstance(total, torch.Tensor)
        return bool(total.item() > 0)

    def save(self) -> None:
        """Write a checkpoint of the present state. Raises FloatingPointError where a weight is no longer a number."""
        generators = [random_states(self.state.rng)]
        if self.accelerator.num_processes > 1:
            generators = gather_object(generators)
        tensors = state_tensors(self.state, generators)
        for name, tensor in tensors["weights"].items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise FloatingPointError(
                    f"the weights {name} are no longer finite after {self.seen:,} images; the last checkpoint is kept. "
                    "Lower training.rate, or set training.clip=1."
                )
        if self.is_main:
            note = {"seconds": self.seconds(), "foundation": self.foundation.record()}
            checkpoint.save(self.run.path / "checkpoints", tensors, self.seen, self.steps, note)
        self.accelerator.wait_for_everyone()

    def finish(self) -> None:
        """The last checkpoint, and what a run stores besides."""
        self.save()
        self._end_callbacks()

    def _end_callbacks(self) -> None:
        for callback in self.callbacks:
            callback.on_train_end(self)
        self.accelerator.wait_for_everyone()

    def _close_finished_run(self) -> None:
        """A run that is trained to its end, but may have been killed before all was stored."""
        progress.message(f"{self.run.path} is trained already ({self.seen:,} images).")
        complete = [self.run.is_complete()]
        broadcast_object_list(complete)
        if not complete[0]:
            self._end_callbacks()
        if self.is_main and "finished" not in self.run.record():  # it was killed after its last step
            record.finish(self.run, self.seconds(), self.seen)
        self.accelerator.wait_for_everyone()

    def _begin(self) -> None:
        """What is settled once before the first step: compiling, precision, the records of the run."""
        settings, accelerator = self.settings, self.accelerator
        progress.message(f"run: {self.run.path}")
        why = compile_networks(self.state.method, accelerator.device) if settings.compile else None
        if why and self.is_main:
            logger.warning(f"training.compile is left out: torch.compile does not work here ({why})")
        if self.is_main:
            self.run.forget_statistics()
            log.truncate(self.run.log, self.seen)
        for callback in self.callbacks:
            callback.on_train_begin(self)
        self.settings = settings.model_copy(update={"precision": self._precision()})
        if self.is_main:
            compiled = settings.compile and not why
            record.describe(self.run, self.settings.precision, compiled, accelerator, self.seen, self.dataset)
        if settings.tracker is not None:
            accelerator.project_configuration.logging_dir = str(self.run.path)
            accelerator.init_trackers("unweave", config=_flat(self.run.settings.model_dump(mode="json")))
        accelerator.wait_for_everyone()

    def _precision(self) -> str:
        """The precision to train in: "auto" is settled by a probe at the start, and a resumed run keeps what it had."""
        if self.settings.precision != "auto":
            return self.settings.precision
        if not self.state.players:
            return "float32"
        recorded = self.run.record()
        if "precision" in recorded:
            return str(recorded["precision"])
        share = (self.accelerator.process_index, self.accelerator.num_processes)
        batch, device = self.settings.batch, self.accelerator.device
        probe = first_batch(self.dataset, self.settings.seed, batch, device, share)
        chosen, seconds = precision.choose(self.state.players, probe, self.accelerator)
        together = [chosen]
        broadcast_object_list(together)
        if self.is_main:
            milliseconds = {name: round(1e3 * value, 1) for name, value in seconds.items()}
            progress.message(f"precision: {together[0]} (forward and backward in ms: {milliseconds})")
            record.add(self.run, precision=together[0], precision_probe_ms=milliseconds)
        return together[0]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted.key: value, of the types that trackers take."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, int | float | str | bool) else str(value)
    return flat
