"""What a signal does while something goes on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def on_signal(number: signal.Signals, function: Callable[[], None]) -> Iterator[None]:
    """The signal calls the function inside the `with`, and does nothing else; only the main thread has signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, lambda *_: function())
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Signals that come inside the `with` do what they do after it."""
    came: list[signal.Signals] = []

    def note(number: signal.Signals) -> Callable[[], None]:
        return lambda: came.append(number)

    try:
        with ExitStack() as stack:
            for number in numbers:
                stack.enter_context(on_signal(number, note(number)))
            yield
    finally:
        for number in dict.fromkeys(came):
            signal.raise_signal(number)
