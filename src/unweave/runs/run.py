"""A run directory: what is in it, and how to open it.

runs/encdiff-rooms/
    settings.toml       every setting, defaults included; `unweave train settings.toml` repeats the run
    run.json            where and when it was made, hardware, precision, time, names of its groups of units, and
                        whether it decodes
    log.jsonl           loss terms against images seen
    checkpoints/        safetensors and JSON (see runs/checkpoint.py); the newest is the model
    units.safetensors   range of every unit, so that traversals need no data
    pictures/           previews and edits
    codes/              code tables, by digest of weights and data
    scores.json         written by `unweave evaluate`
    report.html         written by `unweave report`, with report.json
    names.json          what a person calls the units
    factors.json        units that belong together: found by `unweave factors`, named, hidden, merged and split by hand
    unet/               averaged parts that are diffusers' own, in diffusers' layout, written when training ends

Reading a run needs no torch; what opens its networks is runs/model.py, what shares it runs/hub.py.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from unweave import registry
from unweave.config import SettingsError, Table, read
from unweave.data.dataset import Dataset
from unweave.data.open import open_data
from unweave.data.settings import Reading
from unweave.files import check_safetensors, check_writable, write_atomically
from unweave.models.foundation_settings import FoundationSettings
from unweave.runs import builtin, checkpoint, ledger, log, records
from unweave.runs.reduction import Reduction
from unweave.runs.report_facts import ReportFacts
from unweave.runs.settings import RunSettings, method_settings, settings_of, to_toml
from unweave.types import Weights

if TYPE_CHECKING:
    import unweave.method
    import unweave.models.foundation

EXPORTED_WEIGHTS = "diffusion_pytorch_model*.safetensors"
"""The weights of a network in diffusers' layout."""

VALUES = "values."  # in units.safetensors: before the number of a discrete unit

logger = logging.getLogger("unweave")


class Statistics(NamedTuple):
    """The range of every unit over 2,000 rows of the training set."""

    reduction: Reduction
    quantiles: Float[np.ndarray, "step unit"]  # of the reduced units at 0, 1, .. 100 %
    values: Mapping[int, Float[np.ndarray, "value"]] = {}  # of discrete units (reduction.few_values)

    def values_of(self, unit: int) -> Float[np.ndarray, "value"] | None:
        """The values of a discrete unit, rising; None of any other."""
        return self.values.get(unit)


class Run:
    """An existing run directory, or builtin:NAME. Raises LookupError where the path is none."""

    def __init__(self, path: Path | str) -> None:
        self.path = builtin.run_dir(path)
        if not self.path.is_dir():
            raise LookupError(
                f"there is no run {str(path)!r}: no such directory. `unweave train` prints where it puts one."
            )
        if not (self.path / "settings.toml").is_file():
            raise LookupError(
                f"{str(path)!r} is not a run: it has no settings.toml. `unweave train` prints where it puts one."
            )
        self.pictures = self.path / "pictures"
        self.log = self.path / "log.jsonl"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        from unweave.runs import display

        return display.run_html(self)

    @cached_property
    def tables(self) -> Table:
        """The tables of settings.toml as they are written. Raises SettingsError where it cannot be read."""
        path = self.path / "settings.toml"
        tables = read(path)
        if not all(isinstance(tables.get(name), dict) for name in ("method", "data", "training")):
            raise SettingsError(
                f"{path} {'has not all tables of a run' if tables else 'is empty'} ([method], [data], [training]): put "
                "it back from a copy, or write it anew from the settings of the command that began the run."
            )
        return tables

    @cached_property
    def settings(self) -> RunSettings:
        """The settings of the run. Raises SettingsError for such as cannot be used, LookupError for an unknown name."""
        try:
            return settings_of(self.tables)
        except SettingsError as error:
            raise SettingsError(f"{self.path / 'settings.toml'}: {error}{self._made_by()}") from None

    @property
    def method_name(self) -> str:
        return str(self.tables.get("method", {}).get("name", ""))

    # what is written there

    def record(self) -> dict[str, Any]:
        """Where and how the run was made (run.json)."""
        remedy = "It only says how the run was made: move it away, and everything else works."
        return self._json("run.json", records.RunRecord, remedy) or {}

    def history(self) -> list[dict[str, Any]]:
        """The records of log.jsonl."""
        return log.read(self.log)

    def checkpoint(self) -> Path:
        """The newest whole checkpoint; damaged ones are passed over with a warning. LookupError where there is none."""
        newest = checkpoint.newest(self.path / "checkpoints", logger.warning)
        if newest is None and (name := builtin.original_of(self.path)):
            raise LookupError(f"{self.path} is damaged: remove it, and {name} is copied from the package again.")
        if newest is None:
            raise LookupError(f"{self.path} has no checkpoint yet: go on with `unweave train {self.path} --resume`.")
        return newest

    def state(self) -> dict[str, Any]:
        """The record of the newest checkpoint: images seen, seconds, digests."""
        return checkpoint.read(self.checkpoint())

    def digest(self) -> str:
        """16 hexadecimal digits of the sha256 of the raw weights."""
        return str(self.state()["sha256"]["weights.safetensors"])[:16]

    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images it was trained on."""
        channels, height, width = self.state()["foundation"]["shape"]
        return channels, height, width

    def dataset(self) -> Dataset:
        """The data set that the run was trained on. Raises UnconfirmedError as `check_data` does."""
        self.check_data()
        return open_data(self.settings.data)

    def check_data(self) -> None:
        """Raises UnconfirmedError where the run was not trained here and asks for a path that nobody confirmed."""
        ledger.check_data(self.path, dict(self.settings.data))

    def reading(self) -> Reading | None:
        """How the numbers of its pictures became pixels, so that others are read as they were.

        None where a format leaves no choice, and of runs that do not say it.
        """
        stored = self.record().get("data", {}).get("reading")
        return None if stored is None else Reading.model_validate(stored)

    def colours(self) -> tuple[str, ...] | None:
        """In which its channels are shown (data.colours)."""
        colours = self.tables.get("data", {}).get("colours")
        return None if colours is None else tuple(colours)

    def scores(self) -> dict[str, Any] | None:
        """What `unweave evaluate` last wrote, or None. Raises ValueError where it is damaged."""
        remedy = f"Move it away, and `unweave evaluate {self.path}` writes it anew."
        return self._json("scores.json", records.ScoresRecord, remedy)

    def own_scores(self) -> dict[str, Any] | None:
        """`scores`, if they are of the newest checkpoint's weights."""
        scores = self.scores()
        return scores if scores is not None and scores.get("weights") == self.digest() else None

    def own_report(self) -> ReportFacts | None:
        """What `unweave report` last wrote, if it is of the newest checkpoint's weights and can be read."""
        try:
            facts = ReportFacts.from_json(self._json("report.json", records.Stored, "") or {})
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return facts if facts.weights == self.digest() else None

    def preview(self) -> Path | None:
        """The newest picture that training drew."""
        shared = self.path / "preview.png"
        return max(self.pictures.glob("preview-*.png"), default=shared if shared.is_file() else None)

    def _json(self, name: str, kind: type[records.Stored], remedy: str) -> dict[str, Any] | None:
        path = self.path / name
        return records.checked(path, kind, remedy) if path.exists() else None

    def _made_by(self) -> str:
        try:
            return records.made_by(self.record().get("versions"))
        except (OSError, ValueError):
            return ""

    # the range of its units

    def statistics(self) -> Statistics:
        """The stored range of the units.

        Raises LookupError where the run has none yet, ValueError where the file is not as training wrote it.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.path / "units.safetensors"
        if not self.has_statistics():
            raise LookupError(
                f"{self.path} has no unit statistics, because training has not ended: "
                f"go on with `unweave train {self.path} --resume`."
            )
        expected = self.record().get("units_sha256")  # earlier runs have none
        if expected is not None and checkpoint.digest(path) != expected:
            raise ValueError(
                f"{path} is not the file that training wrote (its digest differs): remove it, and "
                f"`unweave train {self.path} --resume` measures it anew."
            )
        try:
            stored = load_file(check_safetensors(path))
            found = Reduction(stored["mean"], stored["direction"], stored["explained"])
            values = {int(name.removeprefix(VALUES)): stored[name] for name in stored if name.startswith(VALUES)}
            return Statistics(found, stored["quantiles"], values)
        except (KeyError, SafetensorError) as error:
            raise ValueError(
                f"{path} is damaged ({error}): remove it, and `unweave train {self.path} --resume` measures it anew."
            ) from None

    def has_statistics(self) -> bool:
        return (self.path / "units.safetensors").is_file()

    def is_complete(self) -> bool:
        """Whether everything is there that a run stores once training rests."""
        exported = "finished" in self.record() and any(self.path.glob(f"*/{EXPORTED_WEIGHTS}"))
        return self.has_statistics() or (self.method_name in registry.names("pretraining") and exported)

    def forget_statistics(self) -> None:
        """Remove the range of the units and the parts in diffusers' layout: the weights are about to change."""
        (self.path / "units.safetensors").unlink(missing_ok=True)
        for weights in self.path.glob(f"*/{EXPORTED_WEIGHTS}"):
            shutil.rmtree(weights.parent, ignore_errors=True)

    def install_parts(self, write: Callable[[Path], object]) -> list[str]:
        """What `write` makes in a folder, moved into the run when all of it is there; returns the names."""
        with tempfile.TemporaryDirectory(prefix=".parts-", dir=self.path) as temporary:
            write(Path(temporary))
            parts = sorted(Path(temporary).iterdir(), key=lambda path: (path.is_file(), path.name))  # an index is last
            for part in parts:
                shutil.rmtree(self.path / part.name, ignore_errors=True)
                part.replace(self.path / part.name)
            return [part.name for part in parts]

    # its networks

    def method(self, weights: Weights = "averaged", device: Any = None) -> "unweave.method.Method":
        """The trained method in eval mode, with its averaged weights (edits) or its raw ones (scores).

        A folder shared with `half` has one set of weights: averaged where the method averages, raw elsewhere. Raises
        TypeError for a run that made a foundation, which has no units.
        """
        from unweave.runs import model

        return model.load_method(self, weights, device)

    def trained(self, weights: Weights = "averaged", device: Any = None) -> "unweave.method.Trainable":
        """What was trained, a method or a foundation, in eval mode."""
        from unweave.runs import model

        return model.load_trained(self, weights, device)

    def foundation(self) -> "unweave.models.foundation.Foundation":
        """What the method was built on, as stored, so that a model opens without its data.

        Raises LookupError where a frozen network is gone, ValueError where it has changed since.
        """
        from unweave.runs import model

        return model.load_foundation(self)

    def method_title(self) -> str:
        """The name of the method for tables, which says where it has seen labels in training."""
        from unweave.method import find_method

        labels = find_method(self.method_name).labels
        sees = labels is not None and labels(method_settings(self.tables.get("method"))) is not None
        return f"{self.method_name} (with labels)" if sees else self.method_name

    def scored_weights(self) -> Weights:
        """The weights that scores use: those that the method's authors scored."""
        from unweave.method import find_method

        return find_method(self.method_name).scored_weights

    def network_sources(self) -> FoundationSettings:
        """Where its frozen networks are: in the run itself where it was shared, else where the settings say."""
        shared = {name: self.path / "foundation" / name for name in FoundationSettings.model_fields}
        inside = {name: {"from": str(folder)} for name, folder in shared.items() if folder.is_dir()}
        return FoundationSettings.model_validate(inside or self.tables.get("foundation", {}))

    # sharing

    def save_pretrained(self, folder: Path | str, half: bool = False) -> Path:
        """Write a folder to share: weights, settings, scores, model card, digests, no optimiser.

        `unweave.from_pretrained` opens it, and so does every verb that takes a run. With `half` it is a quarter to a
        sixth of the size: one set of weights (see `method`), matrices and convolutions in float16, nothing in the
        layout of diffusers, and no scores, which are of other weights. Raises FileExistsError where the folder has
        content, LookupError where the run has no checkpoint yet.
        """
        from unweave.runs import hub

        return hub.share(self, Path(folder), half)

    def push_to_hub(self, repository: str, private: bool = False, client: Any = None, half: bool = False) -> str:
        """Upload what `save_pretrained` writes to owner/name on the Hub; returns the address of the commit.

        Log in with `hf auth login` first. `client` is for another endpoint or a test.
        """
        from unweave.runs import hub

        with tempfile.TemporaryDirectory() as temporary:
            return hub.push(self.save_pretrained(Path(temporary) / "run", half), repository, private, client)

    def card(self, half: bool = False) -> str:
        """The model card: method, data, budget, hardware, seed, scores with protocols, licence, citation.

        With `half` it is the card of what `save_pretrained` writes then, which this run's scores are not of.
        """
        from unweave.runs import model_card

        return model_card.card_of(self, half)


def create(run_dir: Path, settings: RunSettings) -> Run:
    """A new run directory with its settings.

    Raises FileExistsError where there is something already, UnwritableError where nothing can be written, ValueError
    for builtin:NAME, a model of the package.
    """
    if str(run_dir).startswith(builtin.PREFIX):
        raise ValueError(f"{str(run_dir)!r} names a model in the package: choose another --run.")
    if run_dir.exists() and (not run_dir.is_dir() or any(not path.name.startswith(".") for path in run_dir.iterdir())):
        raise FileExistsError(
            f"{run_dir} is there already and is kept: "
            "choose another --run, go on with --resume, or discard it with --overwrite."
        )
    check_writable(run_dir / "settings.toml")
    run_dir.mkdir(parents=True, exist_ok=True)
    write_settings(run_dir, settings)
    ledger.enter(run_dir)
    return Run(run_dir)


def write_settings(run_dir: Path, settings: RunSettings) -> None:
    """settings.toml, written whole."""
    write_atomically(run_dir / "settings.toml", to_toml(settings))


def statistics_file(statistics: Statistics) -> bytes:
    """The content of units.safetensors."""
    from safetensors.numpy import save

    arrays = {**statistics.reduction._asdict(), "quantiles": statistics.quantiles}
    arrays |= {f"{VALUES}{unit}": values for unit, values in statistics.values.items()}
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
