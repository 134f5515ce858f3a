"""A run directory: what is in it, and how to open it.

runs/encdiff-rooms/
    settings.toml       every setting, defaults included; `unweave train settings.toml` repeats the run
    run.json            where and when it was made, hardware, precision, time
    log.jsonl           loss terms against images seen
    checkpoints/        safetensors and JSON (see checkpoint.py); the newest is the model
    units.safetensors   range of every unit, so that traversals need no data
    pictures/           previews and edits
    codes/              code tables, by digest of weights and data
    scores.json         written by `unweave evaluate`
    report.html         written by `unweave report`, with report.json
    names.json          what a person calls the units
    unet/               averaged parts that are diffusers' own, in diffusers' layout, written when training ends
"""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from huggingface_hub import HfApi
from jaxtyping import Float
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file

from unweave import registry
from unweave.config import SettingsError, parse, read
from unweave.data.dataset import Dataset
from unweave.data.open import open_data
from unweave.method import Method, Pretraining, Trainable
from unweave.models import diffusers_folder
from unweave.models.foundation import Foundation, FoundationSettings, check_digests, local_folders, open_foundation
from unweave.runs import builtin, checkpoint, hub, log, model_card
from unweave.runs import reduction as reduce
from unweave.runs.report_facts import ReportFacts
from unweave.runs.settings import RunSettings, to_toml

Weights = Literal["averaged", "raw"]
PART = f"{diffusers_folder.WEIGHTS}*.safetensors"
"""The weights of a network in diffusers' layout."""

logger = logging.getLogger("unweave")


class Statistics(NamedTuple):
    """The range of every unit over 2,000 rows of the training set."""

    reduction: reduce.Reduction
    quantiles: Float[np.ndarray, "step unit"]  # of the reduced units at 0, 1, .. 100 %


class Run:
    """An existing run directory, or builtin:NAME. Raises LookupError where the path is none."""

    def __init__(self, path: Path | str) -> None:
        self.path = builtin.place(path)
        if not self.path.is_dir():
            raise LookupError(
                f"there is no run {str(path)!r}: no such directory. `unweave train` prints where it puts one."
            )
        if not (self.path / "settings.toml").is_file():
            raise LookupError(
                f"{str(path)!r} is not a run: it has no settings.toml. `unweave train` prints where it puts one."
            )
        self.settings = parse(RunSettings, read(self.path / "settings.toml"), "")
        self.pictures = self.path / "pictures"
        self.log = self.path / "log.jsonl"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def method_name(self) -> str:
        return str(self.settings.method["name"])

    def checkpoint(self) -> Path:
        """The newest whole checkpoint; damaged ones are passed over with a warning. LookupError where there is none."""
        found = checkpoint.newest(self.path / "checkpoints", logger.warning)
        if found is None and (name := builtin.copy_of(self.path)):
            raise LookupError(f"{self.path} is damaged: remove it, and {name} is copied from the package again.")
        if found is None:
            raise LookupError(f"{self.path} has no checkpoint yet: go on with `unweave train {self.path} --resume`.")
        return found

    def record(self) -> dict[str, Any]:
        """Where and how the run was made (run.json)."""
        path = self.path / "run.json"
        return json.loads(path.read_text()) if path.is_file() else {}

    def dataset(self) -> Dataset:
        """The data set that the run was trained on."""
        return open_data(self.settings.data)

    def method(self, weights: Weights = "averaged", device: torch.device | str | None = None) -> Method:
        """The trained method in eval mode, with its averaged weights (edits) or its raw ones (scores).

        A folder shared with `half` has one set of weights: averaged where the method averages, raw elsewhere. Raises
        TypeError for a run that made a foundation, which has no units.
        """
        trained = self.trained(weights, device)
        if not isinstance(trained, Method):
            raise TypeError(
                f"{self.path} holds a foundation ({self.method_name}), which has no units to score or edit: "
                f"train a method on it, with foundation.{self.method_name}.from={self.path}."
            )
        return trained

    def trained(self, weights: Weights = "averaged", device: torch.device | str | None = None) -> Trainable:
        """What was trained, a method or a foundation, in eval mode."""
        at = self.checkpoint()
        built = build(self.settings, self.foundation())
        built.load_state_dict(load_file(at / "weights.safetensors"))
        if weights == "averaged" and (at / "average.safetensors").is_file():
            built.load_state_dict(load_file(at / "average.safetensors"), strict=False)
        return built.to(device or best_device()).eval()

    def scored(self) -> Weights:
        """The weights that scores use: the raw ones, unless the method's file says SCORED = "averaged"."""
        chosen: Weights = vars(registry.module("methods", self.method_name)).get("SCORED", "raw")
        return chosen

    def state(self) -> dict[str, Any]:
        """The record of the newest checkpoint: images seen, seconds, digests."""
        return checkpoint.read(self.checkpoint())

    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images it was trained on."""
        channels, height, width = self.state()["foundation"]["shape"]
        return channels, height, width

    def foundation(self) -> Foundation:
        """What the method was built on, as stored, so that a model opens without its data.

        Raises LookupError where a frozen network is gone, ValueError where it has changed since.
        """
        stored = self.state()["foundation"]
        try:
            found = open_foundation(self.sources(), self.shape(), stored["rows"])
        except LookupError as error:
            raise LookupError(
                f"{self.path} stands on a network that is not where it was: {error} Put it back, or write its new "
                f"place into {self.path / 'settings.toml'} (from, in [foundation])."
            ) from None
        check_digests(stored.get("digests", {}), found.digests, self.path, stored.get("commits"))
        return found

    def sources(self) -> FoundationSettings:
        """Where its frozen networks are: in the run itself where it was shared, else where the settings say."""
        shared = {name: self.path / "foundation" / name for name in FoundationSettings.model_fields}
        inside = {name: {"from": str(place)} for name, place in shared.items() if place.is_dir()}
        return FoundationSettings.model_validate(inside) if inside else self.settings.foundation

    def digest(self) -> str:
        """16 hexadecimal digits of the sha256 of the raw weights."""
        return str(self.state()["sha256"]["weights.safetensors"])[:16]

    def statistics(self) -> Statistics:
        """The stored range of the units. Raises LookupError where the run has none yet."""
        path = self.path / "units.safetensors"
        if not self.has_statistics():
            raise LookupError(
                f"{self.path} has no unit statistics, because training has not ended: "
                f"go on with `unweave train {self.path} --resume`."
            )
        stored = load_arrays(path)
        return Statistics(
            reduce.Reduction(stored["mean"], stored["direction"], stored["explained"]), stored["quantiles"]
        )

    def has_statistics(self) -> bool:
        return (self.path / "units.safetensors").is_file()

    def is_settled(self) -> bool:
        """Whether everything is there that a run stores once training rests."""
        exported = "finished" in self.record() and any(self.path.glob(f"*/{PART}"))
        return self.has_statistics() or (self.method_name in registry.names("pretraining") and exported)

    def forget_statistics(self) -> None:
        """Remove the range of the units and the parts in diffusers' layout: the weights are about to change."""
        (self.path / "units.safetensors").unlink(missing_ok=True)
        for weights in self.path.glob(f"*/{PART}"):
            shutil.rmtree(weights.parent, ignore_errors=True)

    def scores(self) -> dict[str, Any] | None:
        """What `unweave evaluate` last wrote, or None."""
        path = self.path / "scores.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def card(self, half: bool = False) -> str:
        """The model card: method, data, budget, hardware, seed, scores with protocols, licence, citation.

        With `half` it is the card of what `save_pretrained` writes then, which this run's scores are not of.
        """
        module = registry.trainable(self.method_name)
        record = self.record()
        citations = {"method": module.CITATION, "data": record.get("data", {}).get("citation", "")}
        method, training = dict(self.settings.method), self.settings.training.model_dump(mode="json")
        picture = "preview.png" if self.preview() else None
        about = (module.__doc__ or "").strip()
        state, scores = self.state(), None if half else self.own_scores()
        weights = "averaged where the method averages, float16" if half else state["sha256"]["weights.safetensors"]
        return model_card.text(method, training, record, state, weights, scores, citations, about, picture)

    def preview(self) -> Path | None:
        """The newest picture that training drew."""
        shared = self.path / "preview.png"
        return max(self.pictures.glob("preview-*.png"), default=shared if shared.is_file() else None)

    def place_parts(self, write: Callable[[Path], object]) -> list[str]:
        """What `write` makes in a folder, moved into the run when all of it is there; returns the names."""
        temporary = self.path / f".parts-{os.getpid()}"
        temporary.mkdir(exist_ok=True)
        try:
            write(temporary)
            made = sorted(temporary.iterdir(), key=lambda path: (path.is_file(), path.name))  # an index comes last
            for part in made:
                shutil.rmtree(self.path / part.name, ignore_errors=True)
                part.replace(self.path / part.name)
            names = [part.name for part in made]
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return names

    def save_pretrained(self, folder: Path | str, half: bool = False) -> Path:
        """Write a folder to share: weights, settings, scores, model card, digests, no optimiser.

        `unweave.from_pretrained` opens it, and so does every verb that takes a run. With `half` it is a quarter to a
        sixth of the size: one set of weights (see `method`), matrices and convolutions in float16, nothing in the
        layout of diffusers, and no scores, which are of other weights. Raises FileExistsError where the folder has
        content, LookupError where the run has no checkpoint yet.
        """
        trained = self.trained("averaged", "cpu")
        if half and not isinstance(trained, Method):
            raise ValueError(f"{self.path} holds a foundation, which is shared whole: leave --half out.")
        data = dict(self.settings.data)
        if "path" in data:  # names of this machine stay here
            data["path"] = Path(data["path"]).name
        record = {key: value for key, value in self.record().items() if key != "command"}
        at = self.checkpoint()
        changes = half and (at / "average.safetensors").is_file()  # the weights become others than those scored
        texts = {
            "README.md": self.card(changes),
            "settings.toml": to_toml(
                self.settings.model_copy(update={"data": data, "foundation": FoundationSettings()})
            ),
            "run.json": json.dumps(record, indent=2),
        }
        scores = None if changes else self.own_scores()
        if scores is not None:
            texts["scores.json"] = json.dumps(scores, indent=2)

        def parts(place: Path) -> None:
            """What diffusers opens by itself, and the frozen networks."""
            diffusers_folder.copy_networks(local_folders(self.sources()), place / "foundation")
            if isinstance(trained, Method):
                if not half:
                    hub.write_parts(trained, place)
            else:
                hub.copy_exported(self.path, place)

        weights = hub.halved(trained) if half else None
        return hub.pack(self.path, at, weights, parts, texts, self.preview(), Path(folder))

    def push_to_hub(self, repository: str, private: bool = False, client: Any = None, half: bool = False) -> str:
        """Upload what `save_pretrained` writes to owner/name on the Hub; returns the address of the commit.

        Log in with `hf auth login` first. `client` is for another endpoint or a test.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = self.save_pretrained(Path(temporary) / "run", half)
            return hub.push(folder, repository, client or HfApi(), private)

    def own_scores(self) -> dict[str, Any] | None:
        """`scores`, if they are of the newest checkpoint's weights."""
        scores = self.scores()
        return scores if scores is not None and scores.get("weights") == self.digest() else None

    def own_report(self) -> ReportFacts | None:
        """What `unweave report` last wrote, if it is of the newest checkpoint's weights and can be read."""
        path = self.path / "report.json"
        try:
            facts = ReportFacts.from_json(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return facts if facts.weights == self.digest() else None

    def history(self) -> list[dict[str, Any]]:
        """The records of log.jsonl."""
        return log.read(self.log)


def create(path: Path, settings: RunSettings) -> Run:
    """A new run directory with its settings.

    Raises FileExistsError where there is something already, ValueError for builtin:NAME, a model of the package.
    """
    if str(path).startswith(builtin.PREFIX):
        raise ValueError(f"{str(path)!r} names a model in the package: choose another --run.")
    if path.exists() and (not path.is_dir() or any(not name.name.startswith(".") for name in path.iterdir())):
        raise FileExistsError(
            f"{path} is there already and is kept: "
            "choose another --run, go on with --resume, or discard it with --overwrite."
        )
    path.mkdir(parents=True, exist_ok=True)
    write_settings(path, settings)
    return Run(path)


def write_settings(path: Path, settings: RunSettings) -> None:
    """settings.toml, written whole."""
    write_text(path / "settings.toml", to_toml(settings))


def write_text(path: Path, text: str) -> None:
    """A text file that appears whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def write_statistics(path: Path, statistics: Statistics) -> None:
    """units.safetensors, written whole."""
    temporary = path / f".units-{os.getpid()}.safetensors"
    arrays = {**statistics.reduction._asdict(), "quantiles": statistics.quantiles}
    save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)
    temporary.replace(path / "units.safetensors")


def build(settings: RunSettings, foundation: Foundation) -> Trainable:
    """What an experiment trains, untrained: a method, or a foundation of methods."""
    table = settings.method
    if "name" not in table:
        raise SettingsError(f"method.name is missing; there is: {', '.join(registry.trainable_names())}.")
    module = registry.trainable(str(table["name"]))
    own = parse(module.Settings, {key: value for key, value in table.items() if key != "name"}, "method")
    built = module.build(own, foundation)
    assert isinstance(built, Method | Pretraining), f"build of {table['name']!r} must give a Method or a Pretraining"
    return built


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
