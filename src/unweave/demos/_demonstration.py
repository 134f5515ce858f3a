"""The contract between a demonstration and everything else, and how one is shown.

A demonstration is one file in `demos/`: a claim of a paper on a procedural problem where the paper's assumption holds,
measured with the method and with its control, which is the same without the method's own term. The claim is the first
paragraph of the file's docstring, so that a list of claims needs no torch.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from unweave import progress, registry
from unweave.demos._digest import digest
from unweave.figures.save import choose_picture_path, save_picture
from unweave.files import write_json

Measurements = Mapping[str, float]
"""What was measured, by name. The method and its control have the same names."""


class Outcome(NamedTuple):
    """What a demonstration found with one seed."""

    measured: Measurements
    control: Measurements
    picture: Image.Image
    beside: Mapping[str, Measurements] = {}  # the same of others that are no part of the claim, such as rivals


@dataclass(frozen=True)
class Demonstration:
    """All that the rest needs to know of a demonstration; its file has one, DEMO."""

    paper: str  # authors, title, where
    control: str  # what the control is, in a few words
    run: Callable[[int, bool], Outcome]  # (seed, small): small: at most 20 quiet seconds
    holds: Callable[[Measurements, Measurements], bool]  # (measured, control); a control beside itself never holds


@dataclass(frozen=True)
class ShownDemonstration:
    """A demonstration that was run: its claim, its numbers, whether the claim holds, and where its picture is."""

    name: str
    claim: str
    paper: str
    control_is: str
    measured: Measurements
    control: Measurements
    beside: Mapping[str, Measurements]
    holds: bool
    seconds: float
    seed: int
    small: bool
    digest: str  # of the code and the seed: see demos/_digest.py
    picture: Path

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 1), "picture": str(self.picture)}


def find_demonstration(name: str) -> Demonstration:
    """The demonstration of a name. Raises LookupError with the nearest name."""
    demonstration = vars(registry.module("demos", name)).get("DEMO")
    if not isinstance(demonstration, Demonstration):
        raise LookupError(
            f"the module of {name!r} has no DEMO = Demonstration(...): see unweave/demos/_demonstration.py."
        )
    return demonstration


def claims() -> dict[str, str]:
    """Every demonstration and what it claims; none of them is imported."""
    return {name: registry.summary("demos", name) for name in registry.names("demos")}


def demonstrate(
    name: str, *, seed: int = 0, small: bool = False, output: Path | str | None = None, overwrite: bool = False
) -> ShownDemonstration:
    """Run a demonstration and save its picture: demos/NAME.png, or a free name like it, unless `output` is given.

    Its numbers go to a .json of the same name, with the digest of the code that gave them.
    Raises LookupError for an unknown name, and FileExistsError for a picture that is there, before anything is trained.
    """
    demonstration = find_demonstration(name)
    path = choose_picture_path(Path("demos"), name, None if output is None else Path(output), overwrite)
    progress.message(f"{name}: {registry.summary('demos', name)}")
    began = time.perf_counter()
    measured, control, picture, beside = demonstration.run(seed, small)
    seconds = time.perf_counter() - began
    shown = ShownDemonstration(
        name=name,
        claim=registry.summary("demos", name),
        paper=demonstration.paper,
        control_is=demonstration.control,
        measured=measured,
        control=control,
        beside=beside,
        holds=demonstration.holds(measured, control),
        seconds=seconds,
        seed=seed,
        small=small,
        digest=digest(name, seed),
        picture=save_picture(picture, path, overwrite=overwrite),
    )
    write_json(path.with_suffix(".json"), {**shown.to_json(), "picture": path.name})
    return shown
