"""What is not ours: packages that may be missing, and the errors of whatever reads files that anybody may have made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

Kinds = type[BaseException] | tuple[type[BaseException], ...]


def load(package: str, needs: str, extra: str) -> Any:
    """A package of an extra; `needs` says for what, as in "reading HDF5 needs". Raises ImportError with the remedy."""
    try:
        return import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise ImportError(f"{needs} {name}: pip install 'unweave[{extra}]'") from error


@contextmanager
def errors_as(kinds: Kinds, explain: Callable[[Any], BaseException], but: Kinds = ()) -> Iterator[None]:
    """Inside the `with`, or the function that this decorates, an error of these kinds becomes what `explain` makes of
    it; those in `but` stay as they are, as does one that `explain` gives back."""
    try:
        yield
    except but:
        raise
    except kinds as error:
        explained = explain(error)
        if explained is error:
            raise
        raise explained from error
