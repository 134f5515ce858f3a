"""A page for each demonstration: figure, claim, control, numbers, and a notebook to run it in.

The full figures and their numbers are what `make papers` wrote. Each has the digest of the code that gave it
(`unweave.demos._digest`); where the code has changed since, the page cannot be made: `SystemExit` names the command.
The small forms that take seconds are run by the build.
"""

import inspect
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import notebooks
import pages as md

from unweave import registry
from unweave.demos._demonstration import demonstrate, find_demonstration
from unweave.demos._digest import digest

QUICK = ("byol", "hlle_ica", "vae")
"""Demonstrations whose small form takes seconds; that of the others is a training of minutes."""


def write(out: Path, full: Path, run: bool) -> None:
    """The pages and their index. `full` has NAME.png and NAME.json of the full forms; `run` runs the small ones."""
    names = registry.names("demos")
    stale = [name for name in names if (record := read(full, name)) is not None and record["digest"] != digest(name)]
    if stale:
        raise SystemExit(
            f"the figures of {', '.join(stale)} in {full} are of other code: "
            f"make papers FOLDER={full} NAMES='{' '.join(stale)}'"
        )
    for name in names:
        record = read(full, name)
        small = (
            demonstrate(name, small=True, output=out / f"{name}-small.png").to_json() if run and name in QUICK else None
        )
        if record is not None:
            shutil.copy(full / f"{name}.png", _ready(out) / f"{name}.png")
        md.write_page(out / f"{name}.md", page(name, record, small))
        md.write_page(out / f"{name}-figure.md", figure(name, record, small))
        notebooks.write(_ready(out) / f"{name}.ipynb", notebook(name))
    cards = [[f"[{name}]({name}.md)", md.prose(registry.summary("demos", name))] for name in names]
    text = (
        "# Gallery\n\nEach page is one paper's claim on a small problem: what was measured with the method, and with a "
        "control in which the method's own term is switched off. `unweave demo NAME` shows any of them.\n\n"
        + md.table(("demonstration", "what it claims"), cards)
        + md.contents(names)
    )
    md.write_page(out / "index.md", text)


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """The record of a full form; None where it was not run."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def page(name: str, full: Mapping[str, Any] | None, small: Mapping[str, Any] | None) -> str:
    """Claim, figure, control, numbers, what it is about."""
    demonstration = find_demonstration(name)
    about = (inspect.getdoc(registry.module("demos", name)) or "").partition("\n\n")[2]
    parts = [
        f"# {name}",
        f"**{md.prose(registry.summary('demos', name))}**",
        md.prose(demonstration.paper),
        f"```sh\nunweave demo {name}\n```",
        f"[Download as notebook](path:{name}.ipynb)",
    ]
    parts.append(figure(name, full, small))
    if full is not None:
        parts.append(outcome("The full form", full))
    if small is not None:
        parts.append(outcome("The small form, run by this build", small))
    parts += [f"**Control:** {md.prose(demonstration.control)}.", "## What it is about", md.prose(about)]
    parts += ["## The code", f"```{{literalinclude}} ../../../src/unweave/demos/{name}.py\n:language: python\n```"]
    return "\n\n".join(parts)


def figure(name: str, full: Mapping[str, Any] | None, small: Mapping[str, Any] | None) -> str:
    """The picture of the full form, else of the small one, else which command draws it."""
    if full is not None:
        return f"![What {name} shows]({name}.png)"
    if small is not None:
        return f"![What the small form of {name} shows]({name}-small.png)"
    return f"No figure of this version is stored; `unweave demo {name}` draws it in minutes."


def outcome(title: str, record: Mapping[str, Any]) -> str:
    """The numbers of one form."""
    columns = {"method": record["measured"], "control": record["control"], **record["beside"]}
    rows = [
        [md.prose(key), *(f"{values[key]:.4g}" if key in values else "" for values in columns.values())]
        for key in record["measured"]
    ]
    verdict = "the claim holds" if record["holds"] else "**the claim does not hold**"
    head = f"{title}, seed {record['seed']}: {verdict}; {record['seconds']:.0f} s."
    return f"{head}\n\n{md.table(('', *map(md.prose, columns)), rows)}"


def notebook(name: str) -> list[notebooks.Cell]:
    """The demonstration as cells: its words, its code, and a run."""
    module = registry.module("demos", name)
    return [
        notebooks.Cell("markdown", f"# {name}\n\n{inspect.getdoc(module)}"),
        notebooks.Cell(
            "code",
            f'import unweave\n\nshown = unweave.demonstrate("{name}")\nshown.holds, shown.measured, shown.control',
        ),
        notebooks.Cell("code", "from PIL import Image\n\nImage.open(shown.picture)"),
        notebooks.Cell("markdown", "The code of the demonstration, to change and run again:"),
        notebooks.Cell("code", inspect.getsource(module)),
        notebooks.Cell("code", "run(0, True).picture"),
    ]


def _ready(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
