"""What a report says of a run and of its units: report.json as typed values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from unweave.factors.factor import Factor
from unweave.runs.factor_json import factor_from_json, factor_to_json

if TYPE_CHECKING:
    import unweave.method

State = Literal["live", "copy", "dead"]
"""Changes the pictures; does so together with a unit that changes them more; hardly changes them."""


@dataclass(frozen=True)
class ValueRange:
    """Quantiles of a unit's values."""

    low: float  # 2 %
    median: float
    high: float  # 98 %

    def to_json(self) -> dict[str, float]:
        return {"2 %": self.low, "50 %": self.median, "98 %": self.high}

    @classmethod
    def from_json(cls, stored: Mapping[str, float]) -> "ValueRange":
        return cls(stored["2 %"], stored["50 %"], stored["98 %"])


@dataclass(frozen=True)
class Histogram:
    """How many rows have a value in each of equal bins from `low` to `high`."""

    low: float
    high: float
    counts: list[int]

    def to_json(self) -> dict[str, Any]:
        return {"from": self.low, "to": self.high, "counts": self.counts}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Histogram":
        return cls(stored["from"], stored["to"], stored["counts"])


@dataclass(frozen=True)
class FollowedFactor:
    """The known factor that a unit tells most of, beyond chance."""

    factor: str
    information: float  # the share of it that the unit tells, in [0, 1]
    purity: float  # its part of what the unit tells of all factors
    shares: dict[str, float]  # what the unit tells of every factor

    def to_json(self) -> dict[str, Any]:
        return {
            "factor": self.factor, "information": self.information, "purity": self.purity, "all": self.shares,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FollowedFactor":
        return cls(stored["factor"], stored["information"], stored["purity"], stored["all"])


@dataclass(frozen=True)
class SwapEffect:
    """What happens to pictures when a unit comes from another image."""

    amount: float  # mean absolute change of pixels in [0, 1]
    share: float  # of the change by all units
    consistency: float | None  # None for a unit that hardly varies in rebuilt pictures

    def to_json(self) -> dict[str, Any]:
        return {"amount": self.amount, "share": self.share, "swap_consistency": self.consistency}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SwapEffect":
        return cls(stored["amount"], stored["share"], stored["swap_consistency"])


@dataclass(frozen=True)
class ValueFacts:
    """How the values of a unit are spread over images; of a unit of several numbers, its first principal component."""

    range: ValueRange
    spread: float  # standard deviation
    explained: float  # the share of the unit's variance that the first component has
    histogram: Histogram
    correlations: dict[str, float]  # of ranks, with every other unit by its word

    def to_json(self) -> dict[str, Any]:
        return {
            "range": self.range.to_json(), "spread": self.spread, "explained": self.explained,
            "histogram": self.histogram.to_json(), "correlations": self.correlations,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ValueFacts":
        return cls(
            range=ValueRange.from_json(stored["range"]),
            spread=stored["spread"],
            explained=stored["explained"],
            histogram=Histogram.from_json(stored["histogram"]),
            correlations=stored["correlations"],
        )


@dataclass(frozen=True)
class UnitFacts:
    """What is known of a unit (or group of units) from images alone, and the factor it follows where there are any."""

    word: str  # that asks for it on the command line
    name: str
    size: int  # numbers that it consists of
    values: ValueFacts
    follows: FollowedFactor | None
    swap: SwapEffect | None  # None without a decoder
    state: State
    copy_of: str | None  # the word of the unit that it copies
    lowest: list[str | int] | None  # files, or rows, of images with its lowest values; None for a dead unit
    highest: list[str | int] | None

    def to_json(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"word": self.word, "name": self.name, "numbers": self.size, **self.values.to_json()}
        if self.follows is not None:
            facts["follows"] = self.follows.to_json()
        if self.swap is not None:
            facts |= self.swap.to_json()
        facts["state"] = self.state
        rest = {"copy of": self.copy_of, "lowest": self.lowest, "highest": self.highest}
        return facts | {key: value for key, value in rest.items() if value is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "UnitFacts":
        return cls(
            word=stored["word"],
            name=stored["name"],
            size=stored["numbers"],
            values=ValueFacts.from_json(stored),
            follows=FollowedFactor.from_json(stored["follows"]) if "follows" in stored else None,
            swap=SwapEffect.from_json(stored) if "amount" in stored else None,
            state=stored["state"],
            copy_of=stored.get("copy of"),
            lowest=stored.get("lowest"),
            highest=stored.get("highest"),
        )


@dataclass(frozen=True)
class FactorFacts:
    """What is known of a factor, units that belong together."""

    word: str  # that asks for it on the command line
    factor: Factor
    place: str | None  # where in the picture it acts; None where that is most of it, or unknown
    shown: bool  # not hidden by a person, left over or faint

    def to_json(self) -> dict[str, Any]:
        """`name` is a person's, or what was measured to follow the factor, or null."""
        factor = self.factor
        told = {"name": factor.name or factor.measured, "by hand": factor.name is not None}
        return {"word": self.word, **factor_to_json(factor), **told, "acts in": self.place, "shown": self.shown}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FactorFacts":
        given = stored["name"] if stored["by hand"] else None
        return cls(stored["word"], factor_from_json({**stored, "name": given}), stored["acts in"], stored["shown"])


@dataclass(frozen=True)
class ReportData:
    """The images that the units were measured on."""

    name: str
    digest: str
    images: int
    shape: list[int]  # channels, height, width
    trained_on: bool  # whether the run was trained on them
    left_out: list[str] = field(default_factory=list)  # files that could not be read, each with the reason

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "digest": self.digest, "images": self.images, "shape": self.shape,
            "trained on": self.trained_on, **({"left out": self.left_out} if self.left_out else {}),
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ReportData":
        return cls(
            name=stored["name"],
            digest=stored["digest"],
            images=stored["images"],
            shape=stored["shape"],
            trained_on=stored["trained on"],
            left_out=list(stored.get("left out", [])),
        )


@dataclass(frozen=True)
class ReportSettings:
    """How the units were measured."""

    rows: int  # that were encoded
    pairs: int  # that were swapped
    seed: int  # of the rows, the pairs and x_T
    sampling: "unweave.method.Sampling"
    copies_from: float  # |rank correlation| from which a unit is a copy
    faint_below: float  # of the change by the strongest unit; below it a unit is dead

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows, "pairs": self.pairs, "seed": self.seed, "sampling": self.sampling._asdict(),
            "copies from": self.copies_from, "faint below": self.faint_below,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ReportSettings":
        from unweave.method import Sampling

        return cls(
            rows=stored["rows"],
            pairs=stored["pairs"],
            seed=stored["seed"],
            sampling=Sampling(**stored["sampling"]),
            copies_from=stored["copies from"],
            faint_below=stored["faint below"],
        )


@dataclass(frozen=True)
class PixelError:
    """How far rebuilt images are off."""

    mse: float  # pixels in [0, 1]
    psnr: float  # dB


@dataclass(frozen=True)
class Reconstruction:
    """Errors of images that are rebuilt from their units."""

    units_alone: PixelError
    inverted: PixelError | None  # with their inverted x_T; None where a method has nothing but units

    def to_json(self) -> dict[str, Any]:
        errors = {"units alone": self.units_alone, "units and inverted x_T": self.inverted}
        return {name: asdict(error) for name, error in errors.items() if error is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Reconstruction":
        inverted = stored.get("units and inverted x_T")
        return cls(PixelError(**stored["units alone"]), None if inverted is None else PixelError(**inverted))


@dataclass(frozen=True)
class Learning:
    """A term of the loss while the run was trained, on its images and on images that its view leaves out."""

    term: str
    seen: list[int]  # images, with repeats
    trained_on: list[float]
    held_out: list[float]

    @property
    def lowest_at(self) -> int:
        """The position at which images that are held out were at their best."""
        return min(range(len(self.held_out)), key=self.held_out.__getitem__)

    def to_json(self) -> dict[str, Any]:
        return {"term": self.term, "seen": self.seen, "trained on": self.trained_on, "held out": self.held_out}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Learning":
        return cls(stored["term"], stored["seen"], stored["trained on"], stored["held out"])


@dataclass(frozen=True)
class Memorised:
    """Whether a run has learned its images by heart (see `evaluation.memorised`)."""

    drawn: int  # pictures, of units from different images
    copies: float  # the share of them that are copies of a training image
    real_copies: float  # the same of real images that are none of those they are compared with
    held_out: int  # images
    strayed: float | None  # the share of those that are rebuilt nearer to a training image than to themselves
    trained_strayed: float | None  # the same of training images, and other ones
    by_heart: bool  # either is beyond chance
    compared: int  # training images among which copies were looked for; 0 where it was not kept

    def to_json(self) -> dict[str, Any]:
        facts = {"drawn": self.drawn, "copies": self.copies, "real copies": self.real_copies}
        strayed = {"held out": self.held_out, "strayed": self.strayed, "trained strayed": self.trained_strayed}
        return facts | (strayed if self.held_out else {}) | {"by heart": self.by_heart, "compared": self.compared}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Memorised":
        return cls(
            drawn=stored["drawn"],
            copies=stored["copies"],
            real_copies=stored["real copies"],
            held_out=stored.get("held out", 0),
            strayed=stored.get("strayed"),
            trained_strayed=stored.get("trained strayed"),
            by_heart=stored["by heart"],
            compared=stored.get("compared", 0),
        )


@dataclass(frozen=True)
class AsideFacts:
    """How often a known factor that is set aside is told right by a fresh reader (see `evaluation.factor_aside`)."""

    factor: str
    units: float  # from the units
    before: float  # from the pictures as they are
    after: float  # from the pictures as the run sees them
    chance: float  # the share of the largest class
    images: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class OutlierFacts:
    """An image that is far from all others."""

    image: str | int  # its file, or its row
    times: float  # its distance to others, in medians
    why: list[str]  # factors and measurements in which it is; none where their combination is unusual

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class MapFacts:
    """What all images show beside each other."""

    drawing: Literal["UMAP", "PCA"]
    outliers: list[OutlierFacts]  # the farthest first
    near_duplicates: list[tuple[str | int, str | int]]  # the most alike first

    def to_json(self) -> dict[str, Any]:
        return {
            "drawing": self.drawing, "outliers": [outlier.to_json() for outlier in self.outliers],
            "near duplicates": [list(pair) for pair in self.near_duplicates],
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "MapFacts":
        outliers = [OutlierFacts(**outlier) for outlier in stored["outliers"]]
        return cls(stored["drawing"], outliers, [(one, other) for one, other in stored["near duplicates"]])


@dataclass(frozen=True)
class ReportFacts:
    """Everything that a report says."""

    run: str
    method: str
    data: ReportData
    weights: str  # digest of the run's raw weights
    images_seen: int  # by training, with repeats
    settings: ReportSettings
    not_looked_at: int  # units
    reconstruction: Reconstruction | None  # None without a decoder
    swap_consistency: float | None  # the mean over units; None without a decoder
    no_edits: str | None  # why there is no decoder to look at
    units: list[UnitFacts]  # the strongest first
    seconds: float
    factors: list[FactorFacts] = field(default_factory=list)  # the strongest first; none where they were not found
    learning: Learning | None = None  # where images were held out
    memorised: Memorised | None = None  # None without a decoder, and on images that the run was not trained on
    map: MapFacts | None = None  # None of a handful of images
    aside: AsideFacts | None = None  # None where nothing is set aside

    def in_state(self, state: State) -> list[UnitFacts]:
        """The units that are live, copies or dead, the strongest first."""
        return [unit for unit in self.units if unit.state == state]

    def to_json(self) -> dict[str, Any]:
        """As report.json keeps it."""
        facts: dict[str, Any] = {
            "run": self.run, "method": self.method, "data": self.data.to_json(), "weights": self.weights,
            "images seen": self.images_seen, "settings": self.settings.to_json(), "not looked at": self.not_looked_at,
        }  # fmt: skip
        if self.reconstruction is not None:
            facts["reconstruction"] = self.reconstruction.to_json()
        optional = {"swap_consistency": self.swap_consistency, "no edits": self.no_edits}
        facts |= {key: value for key, value in optional.items() if value is not None}
        if self.learning is not None:
            facts["learning"] = self.learning.to_json()
        if self.memorised is not None:
            facts["memorised"] = self.memorised.to_json()
        if self.map is not None:
            facts["map"] = self.map.to_json()
        if self.aside is not None:
            facts["aside"] = self.aside.to_json()
        if self.factors:
            facts["factors"] = [factor.to_json() for factor in self.factors]
        return facts | {"units": [unit.to_json() for unit in self.units], "seconds": self.seconds}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ReportFacts":
        """What `to_json` wrote. Raises KeyError or TypeError for anything else."""
        return cls(
            run=stored["run"],
            method=stored["method"],
            data=ReportData.from_json(stored["data"]),
            weights=stored["weights"],
            images_seen=stored["images seen"],
            settings=ReportSettings.from_json(stored["settings"]),
            not_looked_at=stored["not looked at"],
            reconstruction=Reconstruction.from_json(stored["reconstruction"]) if "reconstruction" in stored else None,
            swap_consistency=stored.get("swap_consistency"),
            no_edits=stored.get("no edits"),
            units=[UnitFacts.from_json(unit) for unit in stored["units"]],
            seconds=stored["seconds"],
            factors=[FactorFacts.from_json(factor) for factor in stored.get("factors", [])],
            learning=Learning.from_json(stored["learning"]) if "learning" in stored else None,
            memorised=Memorised.from_json(stored["memorised"]) if "memorised" in stored else None,
            map=MapFacts.from_json(stored["map"]) if "map" in stored else None,
            aside=AsideFacts(**stored["aside"]) if "aside" in stored else None,
        )
