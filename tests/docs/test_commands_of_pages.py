"""Every command on a page is one that the command line knows, with options and settings that there are.

That is found in a second; `test_pages_run` runs them.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.page_commands import PAGES, command_line, commands, help_text, python_blocks

from unweave import registry
from unweave.method import find_method
from unweave.runs.settings import RunSettings, TrainingSettings


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_commands_of_a_page(page: Path) -> None:
    typed = [command[command.index("unweave ") :] for command in commands(page.read_text()) if "unweave " in command]
    assert [f"{command}: {fault}" for command in typed for fault in faults(command)] == []


def test_commands_are_read_from_blocks_and_text_and_a_verb_alone_is_none() -> None:
    text = """`unweave edit` and `unweave info rooms`, or

    unweave list

```sh
unweave train encdiff  data=a  # a comment
torchrun --nnodes 2 \\
  -m unweave train vae && unweave list
```
"""
    assert commands(text) == [
        "unweave train encdiff data=a",
        "torchrun --nnodes 2 -m unweave train vae",
        "unweave list",
        "unweave info rooms",
    ]
    assert "unweave train encdiff data=photos/ method.units=10" in commands(help_text())
    assert python_blocks("```python\nx = 1\n```\n```toml\nx = 1\n```") == ["x = 1\n"]


def test_faults_are_found() -> None:
    assert list(faults("unweave trian encdiff"))
    assert list(faults("unweave train encdiff --ran x"))
    assert list(faults("unweave train encdiff method.unit=3"))
    assert list(faults("unweave edit swop RUN"))
    assert not list(faults("unweave train encdiff data=photos/ method.units=10 --run runs/a"))


def faults(command: str) -> Iterator[str]:
    """What the command line would not take of a command."""
    words = [word.rstrip(",") for word in shlex.split(command)[1:] if word not in ("...", "|")]
    verb, options = command_line(), set[str]()
    while words and (below := vars(verb).get("commands")):
        options |= names_of(verb)
        if words[0].startswith("--"):
            break
        name = words.pop(0)
        if name not in below:
            yield f"there is no {name}"
            return
        verb = below[name]
    options |= names_of(verb)
    for word in words:
        if word.startswith("-") and not re.match(r"-[\d.]", word) and word.split("=")[0] not in options:
            yield f"there is no option {word}"
    if vars(verb).get("name") == "train" and words and words[0] in registry.trainable_names():
        yield from unknown_settings(words[0], [word for word in words[1:] if "=" in word and not word.startswith("-")])


def names_of(verb: Any) -> set[str]:
    return {"--help", *(name for option in verb.params for name in (*option.opts, *option.secondary_opts))}


def unknown_settings(method: str, words: list[str]) -> Iterator[str]:
    """Keys of settings that a method, training or a run has not."""
    known = {"method": find_method(method).settings.model_fields, "training": TrainingSettings.model_fields}
    for word in words:
        section, _, key = word.partition("=")[0].partition(".")
        if section not in RunSettings.model_fields:
            yield f"there is no table {section}"
        elif section in known and key and key.split(".")[0] not in known[section]:
            yield f"there is no setting {section}.{key}"
