"""Published numbers as data, and a table of them beside ours. Needs no run and no torch.

`published.json` holds what papers print: data-set variant, method, protocol, score, mean, spread, seeds, source. A row
has one of our protocol ids only where its code was read and the constants are ours; every other row has a protocol of
its own name, told in the file. Numbers are as the named source prints them; what is wrong with them is in `note`.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveInt, model_validator

from unweave.config import Frozen, nearest

SHARED = ("betavae@1", "dci@1", "factorvae@1", "mig@1")
"""Our protocols that disentanglement_lib defines, so that a published number can be of the same one."""

MARKS = {"paper": "paper", "second-hand": "second-hand", "memory": "FROM MEMORY", "rerun": "re-run"}

NonEmpty = Annotated[str, Field(min_length=1)]


class PublishedScore(Frozen):
    """One published number."""

    data: NonEmpty  # the variant, as the source labels it
    method: NonEmpty
    metric: NonEmpty  # the family of protocols: `dci` of `dci@1`, `dci-lasso`, ...
    protocol: NonEmpty
    score: NonEmpty  # as our protocols name it: eval_accuracy, disentanglement, mig, tad, ...
    mean: FiniteFloat
    spread: Annotated[NonNegativeFloat, Field(allow_inf_nan=False)] | None = None
    spread_of: str = ""
    seeds: PositiveInt | None = None  # None where the source does not say
    budget: str = ""  # training steps, where one method has several rows
    source: NonEmpty  # "short name: where"
    status: Literal["paper", "second-hand", "memory", "rerun"]
    """Read in the paper that measured it; in another's table; remembered; or a third party's run, not peer-reviewed."""
    role: Literal["headline", "ablation", "curve"] = "headline"
    note: str = ""

    @model_validator(mode="after")
    def _explained(self) -> "PublishedScore":
        if (self.spread is None) != (self.spread_of == ""):
            raise ValueError("a spread needs a spread_of, and the other way round.")
        return self


class DataVariant(Frozen):
    """A data set as papers use it; what is not known is left out."""

    title: NonEmpty
    factor_sizes: tuple[PositiveInt, ...] = ()
    images: PositiveInt | None = None
    size: PositiveInt | None = None  # height and width in pixels
    note: str = ""


class PublishedProtocol(Frozen):
    """A protocol that something was published under."""

    metric: NonEmpty
    better: Literal["higher", "lower"]
    about: NonEmpty


class Register(Frozen):
    """The whole of published.json."""

    data: dict[str, DataVariant]
    protocols: dict[str, PublishedProtocol]
    records: tuple[PublishedScore, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "Register":
        seen = set()
        for record in self.records:
            row = (record.data, record.method, record.protocol, record.score, record.budget, record.source)
            if record.data not in self.data or record.protocol not in self.protocols:
                raise ValueError(f"the data set or the protocol of {row} is not told in the file.")
            if record.metric != self.protocols[record.protocol].metric:
                raise ValueError(f"the metric of {row} is not its protocol's, got {record.metric!r}.")
            if "@" in record.protocol and record.protocol not in SHARED:
                raise ValueError(f"{row} claims a protocol of ours; only {', '.join(SHARED)} can be published.")
            if row in seen:
                raise ValueError(f"{row} is there twice.")
            seen.add(row)
        return self


@cache
def register() -> Register:
    """Everything, read and validated once. Raises ValueError where the file is damaged."""
    return Register.model_validate_json((resources.files("unweave.evaluation") / "published.json").read_text("utf-8"))


def published(data: str, protocol: str | None = None, score: str | None = None) -> list[PublishedScore]:
    """The numbers published on a data-set variant, by metric and score, the best first.

    `protocol` and `score` keep only theirs. Names of variants may be in capitals and have '-' for '_'. Raises
    LookupError for a data set of which nothing is known.
    """
    name = _variant_name(data)
    rows = [
        record
        for record in register().records
        if record.data == name and protocol in (None, record.protocol) and score in (None, record.score)
    ]
    return sorted(rows, key=lambda row: (row.metric, row.score, *_best_first(row)))


def published_like(data: Mapping[str, Any], protocol: str, score: str) -> list[PublishedScore]:
    """Published numbers of this very protocol on these very data, the best first; [] where either differs.

    `data` has name, images, shape and factor_sizes, as in scores.json. A variant of which any of these is not known
    agrees with no data. Ablations and training curves are left out.
    """
    name = _normalised(str(data["name"]))
    variant = register().data.get(name)
    if variant is None or not (variant.factor_sizes and variant.images and variant.size) or _difference(data, name):
        return []
    return [record for record in published(name, protocol, score) if record.role == "headline"]


class ComparisonRow(NamedTuple):
    """A number of yours or a published one, as texts."""

    method: str
    protocol: str  # begins with "≠" where it is another protocol than yours
    mean: str
    spread: str
    seeds: str
    source: str
    status: str
    notes: str  # numbers of footnotes
    origin: Literal["yours", "published", "remembered"]


class ComparisonSection(NamedTuple):
    """A score that has published rows: yours first, then those of the same protocol, then others."""

    metric: str
    score: str
    rows: list[ComparisonRow]


class PublishedComparison(NamedTuple):
    """Your scores beside published ones, for people."""

    title: str
    sections: list[ComparisonSection]
    notes: list[str]  # lines below the table, footnotes last


def comparison(scores: Mapping[str, Any], data: str) -> PublishedComparison:
    """Scores (see `evaluation.scores.evaluate_tables`) beside what is published on a data-set variant, for people.

    One section for each score that has published rows: yours, then the published of the same protocol, best first, then
    those of other protocols of the metric, which are not like for like and are marked "≠". Ablations and training
    curves are counted, not shown. The notes say whether your data are the variant, what has no published number,
    and the footnotes. Raises LookupError for a data set of which nothing is known.
    """
    name = _variant_name(data)
    title, records = register().data[name].title, published(name)
    metrics = {record.metric for record in records}
    measured: dict[tuple[str, str], list[OwnScore]] = {}
    for protocol, intervals in scores["protocols"].items():
        for score, interval in intervals.items():
            measured.setdefault((_metric(protocol, metrics), score), []).append(OwnScore(protocol, interval))
    sections, footnotes, compared = list[ComparisonSection](), Footnotes(), list[PublishedScore]()
    for (metric, score), ours in measured.items():
        theirs = [
            record for record in records if (record.metric, record.score, record.role) == (metric, score, "headline")
        ]
        if theirs:
            sections.append(ComparisonSection(metric, score, _section_rows(ours, theirs, footnotes)))
            compared += theirs
    notes = [_difference(scores.get("data") or {}, name), register().data[name].note]
    if compared:
        notes.append(f"Spread of yours: {scores.get('interval', 'not said')}.")
    else:
        notes.append(f"Nothing to compare: none of your scores has a published number on {title}.")
    left_out = sum((record.metric, record.score) in measured and record.role != "headline" for record in records)
    if left_out:
        notes.append(f"Ablations and points of training curves that are left out: {left_out}.")
    compared_metrics = {record.metric for record in compared}
    unmatched = [protocol for protocol in scores["protocols"] if _metric(protocol, metrics) not in compared_metrics]
    if unmatched:
        notes.append(f"Nothing published here for: {', '.join(unmatched)}.")
    if unmeasured := sorted(metrics - compared_metrics):
        notes.append(f"Published, but not measured by you: {', '.join(unmeasured)}.")
    abouts = {record.protocol: register().protocols[record.protocol].about for record in compared}
    notes += [f"{protocol}: {about}." for protocol, about in abouts.items()]
    lines = [line for line in notes if line] + footnotes.lines()
    return PublishedComparison(f"Published on {title}, beside yours", sections, lines)


class OwnScore(NamedTuple):
    protocol: str
    interval: Mapping[str, float]  # value, low, high


class Footnotes:
    """Texts that are printed once, below the table, by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, *texts: str) -> str:
        return " ".join(f"[{self.numbers.setdefault(text, len(self.numbers) + 1)}]" for text in texts if text)

    def lines(self) -> list[str]:
        return [f"[{number}] {text}" for text, number in self.numbers.items()]


def _section_rows(ours: list[OwnScore], theirs: list[PublishedScore], footnotes: Footnotes) -> list[ComparisonRow]:
    rows = []
    for own in ours:
        value, low, high = (f"{own.interval[part]:.4g}" for part in ("value", "low", "high"))
        rows.append(ComparisonRow("yours", own.protocol, value, f"{low} to {high}", "", "", "measured", "", "yours"))
    protocols = {own.protocol for own in ours}
    for record in sorted(theirs, key=lambda record: (record.protocol not in protocols, *_best_first(record))):
        rows.append(
            ComparisonRow(
                method=record.method,
                protocol=record.protocol if record.protocol in protocols else f"≠ {record.protocol}",
                mean=_format_number(record.mean),
                spread="" if record.spread is None else f"±{_format_number(record.spread)}",
                seeds="?" if record.seeds is None else str(record.seeds),
                source=f"{record.source.partition(':')[0]} {footnotes.mark(record.source)}",
                status=MARKS[record.status],
                notes=footnotes.mark(record.budget, record.spread_of, record.note),
                origin="remembered" if record.status == "memory" else "published",
            )
        )
    return rows


def _difference(ours: Mapping[str, Any], name: str) -> str:
    """How the data that were scored differ from the variant, as far as scores.json tells; "" where they agree."""
    variant = register().data[name]
    sizes = ours["factors"].values() if ours.get("factors") else ours.get("factor_sizes", ())
    varying, expected = sorted(size for size in sizes if size > 1), sorted(variant.factor_sizes)
    wrong = []
    if varying and expected and varying != expected:
        wrong.append(f"factors of {varying} values, not {expected}")
    if variant.images and ours.get("images", variant.images) != variant.images:
        wrong.append(f"{ours['images']:,} images, not {variant.images:,}")
    if variant.size and "shape" in ours and list(ours["shape"][1:]) != [variant.size] * 2:
        wrong.append(f"images of {list(ours['shape'][1:])} pixels, not {[variant.size] * 2}")
    own_name = ours.get("name")
    if wrong:
        yours = repr(own_name) if own_name else "what you scored"
        return (
            f"NOT THE PUBLISHED DATA: {yours} has {'; '.join(wrong)} as {variant.title}. Take the rows as orientation."
        )
    if not own_name:
        return f"Codes do not tell their data set: it is on your word that they are of {variant.title}."
    if _normalised(own_name) != name:
        return f"Yours is called {own_name!r}: it is on your word that it is {variant.title}."
    return ""


def _best_first(row: PublishedScore) -> tuple[float, str, str]:
    """Best first."""
    better = register().protocols[row.protocol].better
    return (-row.mean if better == "higher" else row.mean, row.method, row.budget)


def _metric(protocol: str, metrics: set[str]) -> str:
    """The metric that a protocol id is of: `dci` for `dci@1` and `dci-2k@1`; the id's own name where none fits."""
    base = protocol.partition("@")[0]
    fits = [metric for metric in metrics if base == metric or base.startswith(f"{metric}-")]
    return max(fits, key=len, default=base)


def _format_number(value: float) -> str:
    """Three decimals where they say it all, so that columns align; else four digits."""
    return f"{value:.3f}" if abs(value) < 10 and round(value, 3) == value else f"{value:.4g}"


def _normalised(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _variant_name(data: str) -> str:
    name, variants = _normalised(data), register().data
    if name not in variants:
        listed = ", ".join(variants)
        raise LookupError(f"nothing is known to be published on {data!r}.{nearest(name, variants)} There is: {listed}.")
    return name
