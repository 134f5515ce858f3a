"""Every command's help, from the command line itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pages as md
import typer
from typer.testing import CliRunner

from unweave.cli.main import app


def write(out: Path) -> None:
    """One page for each verb, with its sub-commands, and an index."""
    verbs = dict(sorted(subcommands(typer.main.get_command(app)).items()))
    for name, verb in verbs.items():
        texts = [f"## {' '.join(words)}\n\n```text\n{help_of(words)}\n```" for words in below([name], verb)]
        md.write_page(out / f"{name}.md", f"# unweave {name}\n\n" + "\n\n".join(texts))
    rows = [[f"[unweave {name}]({name}.md)", md.prose(verb.get_short_help_str(200))] for name, verb in verbs.items()]
    text = (
        "# Commands\n\n"
        "Data go to stdout, progress to stderr. Every command has `--help`, and all but `app` have `--json`.\n\n"
        + md.table(("command", "what it does"), rows)
        + md.contents(verbs)
    )
    md.write_page(out / "index.md", text)


def subcommands(command: Any) -> dict[str, Any]:
    """What is below a command of the command line, by name; {} where it has nothing below."""
    return dict(vars(command).get("commands", {}))


def below(words: list[str], command: Any) -> Iterator[list[str]]:
    """The words of a command and of all below it."""
    yield words
    for name, inner in sorted(subcommands(command).items()):
        yield from below([*words, name], inner)


def help_of(words: list[str]) -> str:
    """What `unweave WORDS --help` prints."""
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="unweave", env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    return done.output.strip()
