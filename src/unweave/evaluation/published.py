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
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from unweave.config import Frozen, nearest

SHARED = ("betavae@1", "dci@1", "factorvae@1", "mig@1")
"""Our protocols that disentanglement_lib defines, so that a published number can be of the same one."""

MARKS = {"paper": "paper", "second-hand": "second-hand", "memory": "FROM MEMORY", "rerun": "re-run"}

Said = Annotated[str, Field(min_length=1)]


class Published(Frozen):
    """One published number."""

    data: Said  # the variant, as the source labels it
    method: Said
    metric: Said  # the family of protocols: `dci` of `dci@1`, `dci-lasso`, ...
    protocol: Said
    score: Said  # as our protocols name it: eval_accuracy, disentanglement, mig, tad, ...
    mean: FiniteFloat
    spread: Annotated[NonNegativeFloat, Field(allow_inf_nan=False)] | None = None
    spread_of: str = ""
    seeds: PositiveInt | None = None  # None where the source does not say
    budget: str = ""  # training steps, where one method has several rows
    source: Said  # "short name: where"
    status: Literal["paper", "second-hand", "memory", "rerun"]
    """Read in the paper that measured it; in another's table; remembered; or a third party's run, not peer-reviewed."""
    role: Literal["headline", "ablation", "curve"] = "headline"
    note: str = ""

    @model_validator(mode="after")
    def _explained(self) -> "Published":
        if (self.spread is None) != (self.spread_of == ""):
            raise ValueError("a spread needs a spread_of, and the other way round.")
        return self


class Variant(Frozen):
    """A data set as papers use it; what is not known is left out."""

    title: Said
    factor_sizes: tuple[PositiveInt, ...] = ()
    images: PositiveInt | None = None
    size: PositiveInt | None = None  # height and width in pixels
    note: str = ""


class Definition(Frozen):
    """A protocol that something was published under."""

    metric: Said
    better: Literal["higher", "lower"]
    about: Said


class Register(Frozen):
    """The whole of published.json."""

    data: dict[str, Variant]
    protocols: dict[str, Definition]
    records: tuple[Published, ...]

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


def published(data: str, protocol: str | None = None, score: str | None = None) -> list[Published]:
    """The numbers published on a data-set variant, by metric and score, the best first.

    `protocol` and `score` keep only theirs. Names of variants may be in capitals and have '-' for '_'. Raises
    LookupError for a data set of which nothing is known.
    """
    name = _variant(data)
    rows = [
        record
        for record in register().records
        if record.data == name and protocol in (None, record.protocol) and score in (None, record.score)
    ]
    return sorted(rows, key=lambda row: (row.metric, row.score, *_rank(row)))


def comparison(scores: Mapping[str, Any], data: str) -> Table:
    """Scores (see `evaluation.report.evaluate_tables`) beside what is published on a data-set variant, for people.

    One section for each score that has published rows: yours, then the published of the same protocol, best first, then
    those of other protocols of the metric, which are not like for like and are marked "≠". Ablations and training
    curves are counted, not shown. The caption says whether your data are the variant, what has no published number,
    and the footnotes. Raises LookupError for a data set of which nothing is known.
    """
    name = _variant(data)
    title, rows = register().data[name].title, published(name)
    metrics = {row.metric for row in rows}
    yours: dict[tuple[str, str], list[Ours]] = {}
    for protocol, measured in scores["protocols"].items():
        for score, interval in measured.items():
            yours.setdefault((_metric(protocol, metrics), score), []).append(Ours(protocol, interval))
    table = Table(title=f"Published on {title}, beside yours", box=SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    for column in ("method", "protocol", "mean", "spread", "seeds", "source", "status", "notes"):
        table.add_column(column, justify="right" if column == "mean" else "left", overflow="fold")
    notes, shown = Footnotes(), list[Published]()
    for (metric, score), ours in yours.items():
        theirs = [row for row in rows if (row.metric, row.score, row.role) == (metric, score, "headline")]
        if theirs:
            table.add_row(metric, score, style="bold")
            _section(table, ours, theirs, notes)
            shown += theirs
    said = [_difference(scores.get("data") or {}, name), register().data[name].note]
    if shown:
        said.append(f"Spread of yours: {scores.get('interval', 'not said')}.")
    else:
        said.append(f"Nothing to compare: none of your scores has a published number on {title}.")
    if left_out := sum((row.metric, row.score) in yours and row.role != "headline" for row in rows):
        said.append(f"Ablations and points of training curves that are left out: {left_out}.")
    compared = {row.metric for row in shown}
    if unmatched := [protocol for protocol in scores["protocols"] if _metric(protocol, metrics) not in compared]:
        said.append(f"Nothing published here for: {', '.join(unmatched)}.")
    if others := sorted(metrics - compared):
        said.append(f"Published, but not measured by you: {', '.join(others)}.")
    abouts = {row.protocol: register().protocols[row.protocol].about for row in shown}
    said += [f"{protocol}: {about}." for protocol, about in abouts.items()]
    table.caption = Text("\n".join([line for line in said if line] + notes.lines()), style="not italic not dim")
    return table


class Ours(NamedTuple):
    protocol: str
    interval: Mapping[str, float]  # value, low, high


class Footnotes:
    """Texts that are said once, below the table, by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, *texts: str) -> str:
        return " ".join(f"[{self.numbers.setdefault(text, len(self.numbers) + 1)}]" for text in texts if text)

    def lines(self) -> list[str]:
        return [f"[{number}] {text}" for text, number in self.numbers.items()]


def _section(table: Table, ours: list[Ours], theirs: list[Published], notes: Footnotes) -> None:
    for one in ours:
        value, low, high = (f"{one.interval[part]:.4g}" for part in ("value", "low", "high"))
        table.add_row("yours", one.protocol, value, f"{low} to {high}", "", "", "measured", "", style="bold green")
    same = {one.protocol for one in ours}
    for row in sorted(theirs, key=lambda row: (row.protocol not in same, *_rank(row))):
        cells = (
            row.method,
            row.protocol if row.protocol in same else f"≠ {row.protocol}",
            _number(row.mean),
            "" if row.spread is None else f"±{_number(row.spread)}",
            "?" if row.seeds is None else str(row.seeds),
            f"{row.source.partition(':')[0]} {notes.mark(row.source)}",
            MARKS[row.status],
            notes.mark(row.budget, row.spread_of, row.note),
        )
        table.add_row(*map(Text, cells), style="yellow" if row.status == "memory" else "")
    table.add_section()


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
    called = ours.get("name")
    if wrong:
        yours = repr(called) if called else "what you scored"
        return (
            f"NOT THE PUBLISHED DATA: {yours} has {'; '.join(wrong)} as {variant.title}. Take the rows as orientation."
        )
    if not called:
        return f"Codes do not tell their data set: it is on your word that they are of {variant.title}."
    if _plain(called) != name:
        return f"Yours is called {called!r}: it is on your word that it is {variant.title}."
    return ""


def _rank(row: Published) -> tuple[float, str, str]:
    """Best first."""
    better = register().protocols[row.protocol].better
    return (-row.mean if better == "higher" else row.mean, row.method, row.budget)


def _metric(protocol: str, metrics: set[str]) -> str:
    """The metric that a protocol id is of: `dci` for `dci@1` and `dci-2k@1`; the id's own name where none fits."""
    base = protocol.partition("@")[0]
    fits = [metric for metric in metrics if base == metric or base.startswith(f"{metric}-")]
    return max(fits, key=len, default=base)


def _number(value: float) -> str:
    """Three decimals where they say it all, so that columns align; else four digits."""
    return f"{value:.3f}" if abs(value) < 10 and round(value, 3) == value else f"{value:.4g}"


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _variant(data: str) -> str:
    name, known = _plain(data), register().data
    if name not in known:
        there = ", ".join(known)
        raise LookupError(f"nothing is known to be published on {data!r}.{nearest(name, known)} There is: {there}.")
    return name
