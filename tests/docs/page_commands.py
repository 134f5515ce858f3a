"""What pages tell their reader to type: commands in blocks and in the midst of text, and blocks of Python."""

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from unweave.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "generated" not in path.parts),
]
PROGRAMS = ("unweave", "make", "python", "pip", "torchrun", "accelerate")
FENCED = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@functools.cache
def command_line() -> Any:
    """The command line, with its verbs."""
    return typer.main.get_command(app)


def commands(text: str) -> list[str]:
    """The commands of a page, each once and without its comment; in the midst of text, a verb alone is none."""
    blocks = [body for language, body in FENCED.findall(text) if language in ("sh", "")]
    rest = FENCED.sub("", text)
    blocks += re.findall(r"^    (\S.*)$", rest, re.MULTILINE)
    inline = [words.replace("\n", " ") for words in re.findall(r"(?<!`)`([^`]+)`(?!`)", rest)]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += [line for line in inline if not names_a_verb(line)]
    return list(dict.fromkeys(command for line in lines for command in typed(line)))


def typed(line: str) -> Iterator[str]:
    """The commands of a line: one, or several that `&&` joins."""
    if not line.startswith(PROGRAMS):
        return
    words = [word for word in shlex.split(line, comments=True) if word != "..."]
    while words:
        end = words.index("&&") if "&&" in words else len(words)
        if words[0] in PROGRAMS:
            yield shlex.join(words[:end])
        words = words[end + 1 :]


def names_a_verb(line: str) -> bool:
    """Whether it is a verb without arguments, such as `unweave edit swap`."""
    verb = command_line()
    words = line.split()[1:]
    while words and (below := vars(verb).get("commands", {})) and words[0] in below:
        verb = below[words.pop(0)]
    return line.startswith("unweave") and not words


def help_text(verb: Any = None) -> str:
    """The examples in the help of a verb and of those below it, each after four blanks; of all, if none is given."""
    verb = command_line() if verb is None else verb
    examples = [
        re.split(r"\s{2,}", line.strip())[0]
        for line in (verb.help or "").replace("\\\n", " ").splitlines()
        if line.startswith("    ")
    ]
    below = [help_text(inner) for inner in vars(verb).get("commands", {}).values()]
    return "\n".join([*(f"    {example}" for example in examples), *below])


def python_blocks(text: str) -> list[str]:
    """The blocks of Python of a page."""
    return [body for language, body in FENCED.findall(text) if language == "python"]
