"""A method of one's own: a folder with a working method, its test, and a study that compares it."""

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from unweave import registry
from unweave.files import write_atomically

FILES = {
    "unweave_{name}.py": "method.py.j2",
    "test_{name}.py": "test_method.py.j2",
    "pyproject.toml": "pyproject.toml.j2",
    "study_{name}.toml": "study.toml.j2",
}


def write_method(name: str, folder: Path | None = None) -> Path:
    """Write a small autoencoder that works as it is, to be changed into the method `name`; returns its file.

    It goes to the folder of that name, which pip can install. Raises ValueError for a name that cannot be one or that a
    method has already, FileExistsError where the folder has content.
    """
    if not re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", name):
        raise ValueError(f"a method's name is a word of small letters, digits and, inside, _; got {name!r}.")
    if name in registry.trainable_names():
        raise ValueError(f"there is a method {name!r} already: choose another name.")
    folder = folder or Path(name)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is there already: choose another name, or another --out.")
    environment = Environment(
        loader=PackageLoader("unweave.studies", "templates"), undefined=StrictUndefined, keep_trailing_newline=True
    )  # fmt: skip
    title = "".join(word.capitalize() for word in name.split("_"))
    for file, template in FILES.items():
        text = environment.get_template(template).render(name=name, title=title)
        write_atomically(folder / file.format(name=name), text)
    return folder / f"unweave_{name}.py"
