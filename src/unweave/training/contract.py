"""The laws that every method keeps, so that training, scores and edits can trust it.

A law takes what builds the untrained method. It raises BrokenLawError, which says what is wrong and where to look, and
else returns "", or why it does not concern this method.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from unweave.method import Batch, Generative, Sampling, evaluating
from unweave.training.ema import covered
from unweave.training.method_builder import BrokenLawError, MethodBuilder, builder, train_steps, training_state
from unweave.training.state import restore_state, save_state

TWO_STEPS = Sampling("ddim", 2)
LATE = 24
"""Images of the contract's budget of 32 after which an objective has begun all that it begins late."""
PROCESSES_SECONDS = 300
"""For how long two processes may take for two steps."""


class LawResult(NamedTuple):
    """What became of a law: broken where `why` says something, of no concern where `note` does."""

    law: str
    why: str = ""
    note: str = ""


def check_method(name: str, changes: Mapping[str, Any] | None = None, size: int = 16) -> list[LawResult]:
    """Every law for a method of the registry, at its `laptop` preset with these changes, on images of `size` pixels.

    Raises LookupError for an unknown name, SettingsError for settings that it does not have.
    """
    build = builder(name, changes, size)
    build.settings()
    results = []
    for law, check in LAWS.items():
        try:
            results.append(LawResult(law, note=check(build)))
        except BrokenLawError as error:
            results.append(LawResult(law, why=str(error)))
        except Exception as error:  # whatever a method of somebody's own may raise
            results.append(LawResult(law, why=f"{type(error).__name__}: {error}"))
    return results


def players_cover_parameters(build: MethodBuilder) -> str:
    """Every trainable parameter belongs to exactly one player."""
    method = build()
    names = {id(parameter): name for name, parameter in method.named_parameters() if parameter.requires_grad}
    owned = [id(parameter) for player in method.players() for parameter in player.parameters]
    twice = sorted({names.get(key, "?") for key in owned if owned.count(key) > 1})
    missing = sorted(name for key, name in names.items() if key not in owned)
    foreign = [key for key in owned if key not in names]
    if twice or missing or foreign:
        raise BrokenLawError(
            f"players(): parameters of no player: {missing or 'none'}; of several: {twice or 'none'}; "
            f"{len(foreign)} that are frozen or not the method's."
        )
    return ""


def objectives_can_be_trained(build: MethodBuilder) -> str:
    """Objectives are finite, the same for the same batch and generator, and reach every parameter; the gradient of no
    module's own parameters is zero throughout, at the beginning and late in the budget.
    """
    method, twin = build(), build()
    for player, same in zip(method.players(), twin.players()):
        losses = [one.module(build.batch(), torch.Generator().manual_seed(7)) for one in (player, same)]
        if not losses[0].total.isfinite():
            raise BrokenLawError(f"the objective of {player.name} is {losses[0].total.item()} on random images.")
        if not torch.isclose(losses[0].total, losses[1].total, rtol=1e-4):
            raise BrokenLawError(f"the objective of {player.name} draws random numbers from elsewhere than `rng`.")
        if not losses[0].terms:
            raise BrokenLawError(f"the objective of {player.name} names no terms for the log.")
        for parameter in player.parameters:  # zero-initialised layers hide others from the first gradient
            torch.nn.init.normal_(parameter, std=0.05)
        for seen in (0, LATE):
            player.module(build.batch(seen=seen), torch.Generator().manual_seed(7)).total.backward()
    if untouched := [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None]:
        raise BrokenLawError(f"no objective reaches {', '.join(untouched)}.")
    parts = {
        name or "the method itself": [p.grad for p in part.parameters(recurse=False) if p.grad is not None]
        for name, part in method.named_modules()
    }
    if flat := [name for name, gradients in parts.items() if gradients and not any(g.any() for g in gradients)]:
        raise BrokenLawError(
            f"the gradient of {', '.join(flat)} is zero, at the beginning and late: it learns nothing."
        )
    return "" if method.players() else "no players"


def encoding_is_deterministic(build: MethodBuilder) -> str:
    """In eval mode an image has one code, whatever is encoded beside it: [batch, unit, dim], finite."""
    method = build()
    images = build.batch().images
    with evaluating(method):
        units, again, alone = method.encode(images), method.encode(images), method.encode(images[:1])
    if units.ndim != 3 or len(units) != len(images):
        raise BrokenLawError(f"encode gives {tuple(units.shape)} for {len(images)} images, not [batch, unit, dim].")
    if not units.isfinite().all():
        raise BrokenLawError("encode gives numbers that are not finite.")
    if not torch.equal(units, again):
        raise BrokenLawError("encode gives another code the second time: nothing may be drawn in eval mode.")
    if not torch.allclose(alone, units[:1], atol=1e-5, rtol=1e-4):
        raise BrokenLawError(
            "the code of an image depends on the images beside it: use running statistics in eval mode."
        )
    return ""


def averaged_names_exist(build: MethodBuilder) -> str:
    """`averaged` names sub-modules."""
    method = build()
    known = {name for name, _ in method.named_modules()}
    if unknown := [name for name in method.averaged if name not in known]:
        raise BrokenLawError(f"averaged: there is no sub-module {', '.join(unknown)}.")
    if method.averaged and not covered(method):
        raise BrokenLawError("averaged: these sub-modules have no parameters.")
    return ""


def decoding_takes_codes(build: MethodBuilder) -> str:
    """`decode` takes what `encode` gives, from a drawn start or an inverted one: images in [-1, 1], the same twice."""
    method = build()
    if not isinstance(method, Generative):
        return "no decoder"
    images = build.batch().images
    with evaluating(method):
        units = method.encode(images)
        start = method.start(len(images), torch.Generator().manual_seed(0))
        one, two = (method.decode(units, start, TWO_STEPS) for _ in range(2))
        again = method.decode(units, method.invert(images, units, TWO_STEPS), TWO_STEPS)
    if not (one.shape == again.shape == images.shape):
        raise BrokenLawError(f"decode gives {tuple(one.shape)} for images of {tuple(images.shape)}.")
    if not torch.equal(one, two):
        raise BrokenLawError("decode gives another image the second time from the same units and start.")
    if one.min() < -1 or one.max() > 1:
        raise BrokenLawError(f"decode gives pixels from {one.min():.3g} to {one.max():.3g}: clamp to [-1, 1].")
    return ""


def resuming_is_exact(build: MethodBuilder) -> str:
    """Two steps, a checkpoint and two more end bit-identical to four steps: nothing that trains is outside it."""
    if not build().players():
        return "no players"
    accelerator = Accelerator(cpu=True)
    batches = [build.batch(8, seed=step, seen=8 * step) for step in range(4)]
    torch.manual_seed(0)  # from which dropout draws
    whole = training_state(build(), accelerator)
    train_steps(whole, batches, accelerator)
    torch.manual_seed(0)
    first = training_state(build(), accelerator)
    train_steps(first, batches[:2], accelerator)
    with tempfile.TemporaryDirectory() as folder:
        saved = save_state(Path(folder), first, 16, 2, {"seconds": 0.0})
        second = training_state(build(), accelerator)
        restore_state(saved, second)
    train_steps(second, batches[2:], accelerator)
    expected, got = whole.method.state_dict(), second.method.state_dict()
    if differing := [name for name in expected if not torch.equal(expected[name], got[name])]:
        raise BrokenLawError(
            f"a resumed training ends with other weights ({', '.join(differing[:5])}): keep state in parameters and "
            "registered buffers, and draw from `rng` alone."
        )
    return ""


def runs_on_the_accelerator(build: MethodBuilder) -> str:
    """A step, codes and images on the accelerator that is there."""
    if not torch.accelerator.is_available():
        return "no accelerator here"
    device = torch.accelerator.current_accelerator()
    method = build().to(device)
    batch = build.batch()
    there = Batch(batch.images.to(device), batch.index.to(device), 0, batch.budget)
    for player in method.players():
        player.module(there, torch.Generator().manual_seed(0)).total.backward()
    with evaluating(method):
        units = method.encode(there.images)
        if isinstance(method, Generative):
            start = method.start(len(units), torch.Generator().manual_seed(0))
            method.decode(units, start, TWO_STEPS)
    return ""


def two_processes_agree(build: MethodBuilder) -> str:
    """Two processes that share every batch have the same weights after two steps."""
    if not build().players():
        return "no players"
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
        *("-m", "unweave.training.contract_processes", build.name, json.dumps(build.changes), str(build.size)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    launcher = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )  # fmt: skip
    try:
        _, log = launcher.communicate(timeout=PROCESSES_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.terminate()  # and it ends its processes
        launcher.communicate()
        raise BrokenLawError(
            f"two processes had not ended after {PROCESSES_SECONDS} s: one may wait for a sum that the other skips."
        ) from None
    if launcher.returncode:
        said = [line.strip() for line in log.splitlines() if "Error" in line]
        raise BrokenLawError(said[0] if said else log[-500:])
    return ""


LAWS: dict[str, Callable[[MethodBuilder], str]] = {
    "players cover the parameters": players_cover_parameters,
    "objectives can be trained": objectives_can_be_trained,
    "encoding is deterministic": encoding_is_deterministic,
    "averaged names exist": averaged_names_exist,
    "decoding takes codes": decoding_takes_codes,
    "resuming is bit-exact": resuming_is_exact,
    "runs on the accelerator": runs_on_the_accelerator,
    "two processes agree": two_processes_agree,
}
