"""The JSON files of a run, read as what they are: anybody may have written them, and a newer unweave, too."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unweave.files import read_json

Count = Annotated[int, Field(ge=0, strict=True)]
FiniteNumber = Annotated[float, Field(allow_inf_nan=False)]


class Stored(BaseModel):
    """What is used of a file, and its types; whatever else is in it may stay."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class DataRecord(Stored):
    digest: str | None = None
    name: str | None = None


class RunRecord(Stored):
    """run.json."""

    started: str = ""
    finished: str = ""
    seconds: FiniteNumber = 0.0
    precision: str = ""
    device: str = ""
    versions: dict[str, str] = {}
    resumed_at: list[Count] = []
    unit_groups: list[str] | None = None
    unit_group_pattern: str | None = None
    decodes: bool = True
    data: DataRecord = DataRecord()


class ScoreRecord(Stored):
    value: FiniteNumber
    low: FiniteNumber | None = None
    high: FiniteNumber | None = None


class ScoresRecord(Stored):
    """scores.json and its siblings."""

    protocols: dict[str, dict[str, ScoreRecord]]
    rows: Count = 0
    weights: str | None = None
    data: dict[str, Any] = {}
    matrices: dict[str, dict[str, list[list[float | None]]]] = {}
    rows_used: dict[str, dict[str, int]] = {}
    not_measured: dict[str, str] = {}


class FoundationRecord(Stored):
    shape: tuple[Count, Count, Count]
    rows: Count = 0
    class_count: Count = 0
    digests: dict[str, str] = {}


class StateRecord(Stored):
    """state.json of a checkpoint."""

    seen: Count
    steps: Count
    seconds: FiniteNumber = 0.0
    sha256: dict[Annotated[str, Field(pattern=r"^[\w.-]+\.safetensors$")], str]
    foundation: FoundationRecord | None = None


def checked(path: Path, kind: type[Stored], remedy: str) -> dict[str, Any]:
    """The content of a JSON file, if it is of this kind.

    Raises ValueError with the file's name, what is wrong and the remedy, and OSError where it cannot be read.
    """
    try:
        content = read_json(path)
        check_kind(content, kind)
    except ValueError as error:
        named = str(error) if str(path) in str(error) else f"{path} is not as unweave writes it ({error})."
        raise ValueError(f"{named} {remedy}") from None
    return content


def check_kind(content: dict[str, Any], kind: type[Stored]) -> None:
    """Raises ValueError that names the first key that is missing or of another type."""
    try:
        kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def made_by(versions: Any) -> str:
    """Which unweave made a run, where it was another one than this; else nothing."""
    theirs = versions.get("unweave") if isinstance(versions, dict) else None
    ours = version("unweave")
    return "" if theirs in (None, ours) else f" It was made by unweave {theirs}, and this is {ours}."
