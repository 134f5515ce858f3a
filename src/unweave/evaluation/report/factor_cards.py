"""The part of a report's page that is about factors: a sentence, a picture of all, and a card for each."""

from collections.abc import Sequence
from html import escape

from unweave.evaluation.report.pictures import FactorImages, ReportPictures, image_tag, join_images, map_tag
from unweave.factors import verdict
from unweave.factors.names import NO_NAME, follows_words
from unweave.runs.report_facts import FactorFacts, ReportFacts

KINDS = {"one thing": "clear", "several things mixed": "mixed", "leftover": "leftover"}
"""How a verdict is marked."""


def headline(facts: ReportFacts) -> str:
    """One sentence on the factors that are shown, in HTML: what the verdicts say; until all have one, how many there
    are, and that there are too few images for a verdict where that is why. Nothing where none is shown.
    """
    shown = [each for each in facts.factors if each.shown]
    if not shown:
        return ""
    verdicts = {each.word: each.factor.verdict for each in shown if each.factor.verdict is not None}
    units = sum(len(each.factor.units) for each in shown)
    named = sum(each.factor.name is not None or each.factor.measured is not None for each in shown)
    noun = "factor" if len(shown) == 1 else "factors"
    if len(verdicts) == len(shown):
        text = verdict.headline(verdicts)
    else:
        text = f"{len(shown)} {noun} in {units} units; {named} with a name.{_too_few_images(facts)}"
    return f"<p class=headline>{text}</p>"


def _too_few_images(facts: ReportFacts) -> str:
    few = facts.data.trained_on and facts.no_edits is None and facts.data.images < verdict.MIN_ROWS
    return f" There are too few images for a verdict: it takes {verdict.MIN_ROWS:,}." if few else ""


def factor_part(facts: ReportFacts, pictures: ReportPictures) -> str:
    """The picture of all factors and their cards; nothing where none is shown."""
    shown = [each for each in facts.factors if each.shown]
    if not shown:
        return ""
    return _overview(shown, pictures) + "".join(_card(each, pictures) for each in shown)


def folded_factors(facts: ReportFacts) -> str:
    """A folded list of the factors that are not shown; nothing without any."""
    rest = [each for each in facts.factors if not each.shown]
    lines = "".join(f"<li>{escape(_title(each))}: {_units(each)}</li>" for each in rest)
    return f"<details><summary>Hidden or left over: {len(rest)}</summary><ul>{lines}</ul></details>" if rest else ""


def _overview(shown: Sequence[FactorFacts], pictures: ReportPictures) -> str:
    """One image moved along every factor."""
    lines = "".join(
        f'<li><a href="#{each.word}">{escape(_title(each))}</a>{_verdict(each)}'
        f"<div>{_first_strip(each, pictures.factors.get(each.word))}</div></li>"
        for each in shown
    )
    return f'<nav aria-label="factors"><ol class=overview>{lines}</ol></nav>'


def _first_strip(facts: FactorFacts, pictures: FactorImages | None) -> str:
    if pictures is None or not pictures.strips:
        return ""
    return image_tag(join_images(pictures.strips[0]), f"an image along {escape(_title(facts))}", 48)


def _card(facts: FactorFacts, pictures: ReportPictures) -> str:
    own, title = pictures.factors.get(facts.word), escape(_title(facts))
    follows = f"<p class=follows>{escape(follows_words(facts.factor))}</p>"
    heading = f'<h2 id="{facts.word}">{title} {_verdict(facts)}</h2>{follows}'
    sentences = "".join(f"<li>{text}</li>" for text in _sentences(facts))
    small = f"<p class=soft>--units {facts.word}: {_units(facts)}</p>"
    if own is None:
        return f"<article>{heading}<ul>{sentences}</ul>{small}</article>"
    place = "" if own.change is None else map_tag(own.change, pictures, _title(facts))
    strips = "".join(
        f"<div>{image_tag(join_images(strip), f'{title} along its coordinate, image {number}')}</div>"
        for number, strip in enumerate(own.strips, 1)
    )
    states = (
        "" if own.states is None else f"<h3>Its states</h3>{image_tag(join_images(own.states), f'states of {title}')}"
    )
    right = f"<h3>{_along(facts, drawn=own.change is not None)}</h3>{strips}{states}"
    left = f"{place}<ul>{sentences}</ul>{small}"
    return f"<article>{heading}<div class=card><div class=left>{left}</div><div>{right}</div></div></article>"


def _title(facts: FactorFacts) -> str:
    """What a factor is called: by a person, or by its word and what was measured to follow it."""
    return facts.factor.name or f"{facts.word}: {facts.factor.measured or NO_NAME}"


def _verdict(facts: FactorFacts) -> str:
    own = facts.factor.verdict
    return "" if own is None else f'<span class="verdict {KINDS[own]}">{own}</span>'


def _units(facts: FactorFacts) -> str:
    units = facts.factor.units
    return f"unit{'s' * (len(units) > 1)} {', '.join(map(str, units))}"


def _along(facts: FactorFacts, drawn: bool) -> str:
    """What the strips show."""
    coordinate = facts.factor.coordinate
    if not drawn:
        return "Real images along it, all else as alike as there is"
    if coordinate is None:
        return "Along its first principal component, all else fixed"
    return "Once round, all else fixed" if coordinate.closed else "From one end to the other, all else fixed"


def _sentences(facts: FactorFacts) -> list[str]:
    """What is known of a factor, in HTML."""
    factor, sentences = facts.factor, []
    if factor.coordinate is None:
        sentences.append("its codes lie near no curve: it has no single coordinate")
    elif factor.coordinate.closed:
        sentences.append("its coordinate is a circle: the last picture is beside the first")
    if facts.place is not None:
        sentences.append(f"acts on the {facts.place} of the picture")
    if factor.states:
        shares = ", ".join(f"{state.share:.0%}" for state in factor.states)
        sentences.append(f"{len(factor.states)} states, with {shares} of the images")
    return sentences
