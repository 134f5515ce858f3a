"""The settings of a run: what settings.toml holds, and how it is written."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BeforeValidator, ConfigDict, Field, SerializeAsAny

from unweave import registry
from unweave.config import Frozen, NamedSettings, SettingsError, nearest, parse
from unweave.data.open import dataset_settings
from unweave.data.settings import DatasetSettings
from unweave.models.foundation_settings import FoundationSettings

ViewName = Literal["flip", "rotate", "shift"]
"""A change of an image that must not change its units (see `training.augment`)."""


def _view_names(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Decay = Literal["constant", "cosine", "late"]
"""How the learning rate falls after its warm-up (see `training.schedule`)."""


class TrainingSettings(Frozen):
    """The table [training]: how long, how fast, how exactly, and how visibly."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    images: int = Field(1_000_000, ge=1, description="budget: images seen, counted with repeats")
    batch: int = Field(128, ge=1, description="images per step, over all processes")
    rate: float = Field(1e-4, gt=0, description="learning rate")
    rates: dict[str, float] = Field({}, description="learning rates of single players, by name")
    warmup: int = Field(0, ge=0, description="images over which the rate rises linearly")
    decay: Decay = Field("constant", description="rate after the warm-up: 'constant', 'cosine' or 'late' decay")
    optimiser: Literal["adamw", "soap", "sgd", "lars"] = Field(
        "adamw",
        description="'adamw'; 'soap': dearer steps that go further, best with betas [0.95, 0.95]; 'sgd' with momentum, "
        "or 'lars': its rate of each layer follows the size of its weights",
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd and lars")
    weight_decay: float = Field(0.01, ge=0, description="decoupled from the gradient (with sgd and lars part of it)")
    betas: tuple[float, float] = Field(
        (0.9, 0.999), description="decay of the optimiser's moments; a player may ask for others"
    )
    clip: float | None = Field(None, gt=0, description="largest gradient norm of a player")
    average: float = Field(0.9999, ge=0, lt=1, description="decay of the averaged weights (EMA), with a warm-up ramp")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="'auto' times both and keeps the faster"
    )
    compile: bool = Field(
        False, description="torch.compile the networks where that works (the CPU needs a C++ compiler); takes minutes"
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto", description="CPU threads; 'auto' takes one or all cores, whichever is the faster, also on the way"
    )
    processes: int = Field(
        1,
        ge=1,
        le=1024,
        description="processes on this machine that share every batch (gloo); 1, or fewer threads in each",
    )
    augment: Annotated[tuple[ViewName, ...], BeforeValidator(_view_names)] = Field(
        (),
        description="views that must not change the units: any of flip (left to right), rotate (by any angle) and "
        "shift (up to an eighth of a side), as augment=flip,shift; of few images they make many",
    )
    tracker: str | None = Field(
        None, description="also log to one of Accelerate's trackers: 'tensorboard', 'wandb', 'mlflow', 'trackio', ..."
    )
    origin: str | None = Field(
        None, alias="from", min_length=1, description="a run of the same method, whose weights are the first ones here"
    )
    seed: int = Field(0, ge=0, description="of the weights, the order of images and the noise")
    save: int = Field(25_000, ge=1, description="images between checkpoints")
    preview: int = Field(25_000, ge=1, description="images between pictures")


class RunSettings(Frozen):
    """Every table of settings.toml; a file with these settings repeats the run."""

    preset: str | None = Field(None, description="named settings of the method, which the tables below change")
    method: SerializeAsAny[NamedSettings] = Field(description="name, and the method's own settings")
    foundation: FoundationSettings = Field(
        FoundationSettings(), description="frozen networks that the method stands on"
    )
    data: SerializeAsAny[DatasetSettings] = Field(description="name (and path), and the data set's own settings")
    training: TrainingSettings = Field(TrainingSettings(), description="budget, rates, precision, seed")


def settings_of(tables: Mapping[str, Any]) -> RunSettings:
    """Tables, as a settings file has them, as typed settings: those of the method are of the class in its file.

    Raises SettingsError that names the table and every bad key, LookupError for a method that there is not.
    """
    unknown = sorted(set(tables) - set(RunSettings.model_fields))
    if unknown:
        known = list(RunSettings.model_fields)
        raise SettingsError(
            f"{unknown[0]} is not a table of settings.{nearest(unknown[0], known)} {', '.join(known)} are."
        )
    data = tables.get("data")
    if not isinstance(data, Mapping | DatasetSettings):
        raise SettingsError("data is missing: it is a table, such as data.name=rooms.")
    own = {
        "method": method_settings(tables.get("method")),
        "data": data if isinstance(data, DatasetSettings) else dataset_settings(data),
    }
    return parse(RunSettings, {**tables, **own}, "")


def method_settings(table: Any) -> NamedSettings:
    """The [method] table as the settings of that method."""
    from unweave.method import find_method

    if isinstance(table, NamedSettings):
        return table
    if not isinstance(table, Mapping) or "name" not in table:
        raise SettingsError(f"method.name is missing; there is: {', '.join(registry.trainable_names())}.")
    return parse(find_method(str(table["name"])).settings, table, "method")


def to_toml(settings: RunSettings) -> str:
    """The content of settings.toml."""
    return tomli_w.dumps(without_none(settings.model_dump(mode="json", by_alias=True)))


def without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: keys that are not set are left out."""
    return {
        key: without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
